"""Formatting and static analysis of everything we wrote."""

import re
import subprocess

from sources import BUILD, ROOT, sources


def run(*command) -> None:
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)[-8000:]


def shell_scripts() -> list[str]:
    """Files that say they are shell scripts, whatever their name."""
    candidates = [ROOT / ".ci/run", *(path for top in ("deploy", "tests", "bench") for path in (ROOT / top).rglob("*"))]
    return sorted(
        str(path.relative_to(ROOT))
        for path in candidates
        if path.is_file() and (path.suffix == ".sh" or path.read_bytes()[:11] == b"#!/bin/bash")
    )


def test_clang_format():
    run("clang-format", "--dry-run", "-Werror", *map(str, sources(".h", ".cc")))


def test_clang_tidy():
    """The programs' own files, by the translation units that build/ has of them; tests, benchmarks and generated code
    are left to the compiler's warnings."""
    units = [f"^{BUILD}/{top}/.*-unity[0-9]+[.]cpp$" for top in ("dataplane", "control")]
    run("run-clang-tidy", "-quiet", "-j2", "-p", str(BUILD), "-extra-arg=-Wno-unknown-warning-option", *units)


def test_shellcheck():
    run("shellcheck", "--external-sources", *shell_scripts())
