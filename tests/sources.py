"""The project's own source files, for the tests that read them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
COMPONENTS = ("dataplane", "control", "proto", "bench", "tests")


def sources(*suffixes: str, below: tuple[str, ...] = COMPONENTS) -> list[Path]:
    """Files with these suffixes, relative to the root, sorted."""
    return sorted(
        path.relative_to(ROOT)
        for top in below
        for path in (ROOT / top).rglob("*")
        if path.suffix in suffixes and path.is_file()
    )
