"""Without any one rule, limit or condition of a shipped profile, a test that the table names beside it fails."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from founding_rules import gtest_files, is_gtest, rows
from profiles import DIRECTORY, PROFILES, mutants
from sources import BUILD, ROOT

UNIT_CONTROL = BUILD / "tests/unit/control/unit-control"
PASSED, FAILED = 0, 1


def run(tests: list[str], policies: Path) -> int:
    command = [UNIT_CONTROL, f"--gtest_filter={':'.join(tests)}"]
    environment = {**os.environ, "WEIR_POLICIES": str(policies)}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def reads_profiles(test: str) -> bool:
    """Of other tests none can fail for what a profile lacks."""
    return is_gtest(test) and "shipped_profiles.h" in (ROOT / gtest_files()[test]).read_text()


def shown_by(rule: str) -> list[str]:
    """The tests of the rows that name the rule or what it is part of."""
    return sorted({test for row in rows() if row.holds(rule) for test in row.tests if reads_profiles(test)})


def outcome(profile: str, rule: str, text: str, directory: Path) -> str:
    """What is wrong, if anything is."""
    tests = shown_by(rule)
    if not tests:
        return f"{rule}: no row names it with a test that reads the profile"
    shutil.copytree(DIRECTORY, directory)
    (directory / f"{profile}.textproto").write_text(text)
    code = run(tests, directory)
    said = f"without it {', '.join(tests)} pass" if code == PASSED else f"unit-control ended with {code}"
    return "" if code == FAILED else f"{rule}: {said}"


def test_they_pass_as_long_as_nothing_is_missing():
    named = sorted({test for row in rows() for test in row.tests if reads_profiles(test)})
    assert run(named, DIRECTORY) == PASSED


@pytest.mark.parametrize("profile", PROFILES)
def test_each_rule_is_needed(profile, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(outcome, profile, rule, text, tmp_path / str(number))
            for number, (rule, text) in enumerate(mutants(profile))
        ]
        wrong = [said for said in (job.result() for job in jobs) if said]
    assert len(jobs) > 5
    assert not wrong, "\n".join(wrong)


def test_every_part_of_a_rule_that_is_named_exists():
    """Its removal was tried, so it is there."""
    tried = [rule for profile in PROFILES for rule, _ in mutants(profile)]
    for row in rows():
        for named in row.rules:
            assert any(rule == named or rule.startswith((f"{named}/", f"{named}.")) for rule in tried), named
