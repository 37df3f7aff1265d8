#!/usr/bin/python3
"""The table of the founding page: what founding_rules.toml says, and the page of the documentation made of it.

founding_rules.py --write makes deploy/docs/founding-rules.md anew.
"""

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from sources import ROOT, sources  # noqa: E402

PAGE = ROOT / "deploy/docs/founding-rules.md"
FOUNDING_PAGE = "founding-page-2009"

HEAD = """# The founding page, as rules

Each sentence of the founding page (M-Lab's acceptable use and privacy policy of 2009) and each convention of
the platform of 2026: what it asks of a node, what holds it, and the tests that show it. A rule of a shipped profile is
`PROFILE/LIST/NAME/FIELD`; taken out of its profile, one of the tests beside it fails, which `tests/policy` tries
with each. A name by itself is a refusal that no policy file can turn off.

Made from [founding_rules.toml](../../tests/policy/founding_rules.toml) by `tests/policy/founding_rules.py --write`; a test
fails if the two differ, or if a row has no test, or names a test or a rule that does not exist.
"""


@dataclass(frozen=True)
class Row:
    sentences: list[str]
    requires: str
    tests: list[str]
    document: str = FOUNDING_PAGE
    rules: list[str] = field(default_factory=list)
    built_in: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    def holds(self, rule: str) -> bool:
        """True if the row names this rule of a profile, or one that it is part of."""
        return any(rule == named or rule.startswith((f"{named}/", f"{named}.")) for named in self.rules)


@lru_cache(maxsize=None)
def rows() -> tuple[Row, ...]:
    text = (Path(__file__).resolve().parent / "founding_rules.toml").read_text()
    return tuple(Row(**row) for row in tomllib.loads(text)["row"])


def is_gtest(test: str) -> bool:
    return "::" not in test


@lru_cache(maxsize=None)
def gtest_files() -> dict[str, Path]:
    """Where each GoogleTest is written."""
    found = {}
    for path in sources(".cc", below=("tests",)):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", (ROOT / path).read_text(), re.MULTILINE):
            found[f"{suite}.{name}"] = path
    return found


def link(path: str | Path, text: str) -> str:
    return f"[{text}](../../{path})"


def link_test(test: str) -> str:
    file, _, name = test.partition("::")
    return link(gtest_files().get(test, "tests"), f"`{test}`") if is_gtest(test) else link(file, f"`{name}`")


def table(document: str, first: str) -> str:
    lines = [f"| {first} | so a node | held by | shown by |", "|---|---|---|---|"]
    for row in rows():
        if row.document != document:
            continue
        held = [f"`{rule}`" for rule in row.rules + row.built_in] + [link(path, Path(path).name) for path in row.code]
        cells = [" ".join(row.sentences), row.requires, "<br>".join(held), "<br>".join(map(link_test, row.tests))]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def page() -> str:
    return "\n".join([
        HEAD, "## The founding page\n", table(FOUNDING_PAGE, "it says"),
        "## Conventions of 2026\n", table("mlab-2026", "it is agreed"),
        "## Bad input\n", table("bad-input", "it is given"),
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the page of the founding rules.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} instead")
    if parser.parse_args().write:
        PAGE.write_text(page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
