"""The table of the founding page holds: its rows name tests and rules that exist, and leave no rule out."""

import json
import re
import subprocess
from functools import lru_cache

import pytest
from founding_rules import FOUNDING_PAGE, PAGE, is_gtest, page, rows
from profiles import PROFILES, load, rule_lists, rules
from sources import BUILD, ROOT


@lru_cache(maxsize=None)
def built_gtests() -> frozenset[str]:
    """Suite.Name of every test in the executables that meson runs."""
    described = subprocess.run(["meson", "introspect", "--tests", BUILD], stdout=subprocess.PIPE, check=True)
    found = set()
    for executable in {test["cmd"][0] for test in json.loads(described.stdout)}:
        listed = subprocess.run([executable, "--gtest_list_tests"], stdout=subprocess.PIPE, text=True, check=True)
        suite = ""
        for line in listed.stdout.splitlines():
            name = line.partition("#")[0].strip()
            if line.startswith("  "):
                found.add(suite + name.partition("/")[0])
            elif name.endswith("."):
                suite = name.rpartition("/")[2]
    return frozenset(found)


@lru_cache(maxsize=None)
def collected_pytests(files: frozenset[str]) -> frozenset[str]:
    """FILE::NAME of every test pytest finds in these files, whatever its parameters."""
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q"]
    listed = subprocess.run([*command, *sorted(files)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return frozenset(line.partition("[")[0] for line in listed.stdout.splitlines() if "::" in line)


def test_the_page_is_made_of_the_table():
    assert PAGE.read_text() == page(), "make it anew: tests/policy/founding_rules.py --write"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.sentences[0][:40])
def test_every_row_is_held_and_shown(row):
    assert row.sentences and row.requires
    assert row.rules or row.built_in or row.code, "nothing holds it"
    assert row.tests, "no test shows it"


def test_every_test_that_is_named_exists():
    named = [test for row in rows() for test in row.tests]
    files = frozenset(test.partition("::")[0] for test in named if not is_gtest(test))
    assert set(named) <= built_gtests() | collected_pytests(files)


def test_every_rule_that_is_named_exists():
    known = {rule for profile in PROFILES for rule in rules(profile)}
    named = {rule for row in rows() for rule in row.rules}
    # Of a part of a rule, whether it is there is seen by taking it out: test_each_rule_is_needed.
    assert {"/".join(rule.split("/")[:3]) for rule in named} <= known


def test_every_refusal_and_file_that_is_named_exists():
    files = ("admission/built_in_rules.h", "export/export_policy.cc")
    code = "".join((ROOT / "control" / file).read_text() for file in files)
    quoted = set(re.findall(r'"(\w+)"', code))
    assert {name for row in rows() for name in row.built_in} <= quoted
    assert not [path for row in rows() for path in row.code if not (ROOT / path).is_file()]


def test_no_sentence_stands_twice():
    sentences = [sentence for row in rows() for sentence in row.sentences]
    assert len(sentences) == len(set(sentences))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_quotes_the_sentences_it_stands_beside(profile):
    """Word for word, wholly or in part; and no other sentence of the page."""
    for kind, entries in rule_lists(load(profile)):
        for rule in entries:
            path = f"{profile}/{kind}/{rule.name}"
            page_rows = [row for row in rows() if row.document == FOUNDING_PAGE]
            quoted = [sentence.text for sentence in rule.serves if sentence.document == FOUNDING_PAGE]
            quoting = [row for row in page_rows if any(text in said for text in quoted for said in row.sentences)]
            beside = [row for row in page_rows if any(f"{named}/".startswith(f"{path}/") for named in row.rules)]
            assert quoted and quoting == beside, path
            assert all(any(text in said for row in page_rows for said in row.sentences) for text in quoted), path
