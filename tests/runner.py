"""Builds and runs the test suites; tests/run starts it with everything installed.

A suite is either GoogleTest executables, which meson knows by suite name, or a pytest
directory. Both leave a JUnit XML file, and the closing line is the sum of those.

Packets and leases have deadlines, and a machine that is taken away for a second misses them.
So a test that fails is repeated, at most twice; one that then passes is counted as passed and
named before the closing line. A program that dies, hangs or leaks is not given a second chance.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from background import Background
from sources import ROOT

# Neither optimised nor with debug information: it is built to be run once, and the building is what takes long.
ASAN_OPTIONS = "-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=0 -Ddebug=false -Dbench=false"

REPEATS = 2


@dataclass(frozen=True)
class Suite:
    name: str
    about: str
    build: str  # Build directory.
    meson: tuple[str, ...] = ()  # Suites of GoogleTest executables.
    pytest: str = ""  # Directory of a pytest suite.
    timeout_s: int = 300  # For one executable, or the whole pytest suite.
    marked: str = ""  # Of the pytest directory, only the tests with such a mark (`not X`: without it).
    alone: bool = False  # Nothing goes on beside it: its packets have rates to keep.
    beside: bool = False  # It only computes, and goes on beside those that mostly wait.


SUITES = (
    Suite("unit", "every component by itself", "build", meson=("unit",)),
    Suite("ipc", "commands, leases and counters between processes", "build", meson=("ipc",)),
    Suite("export", "records delivered to files, NATS and PostgreSQL", "build", meson=("export",), timeout_s=600),
    Suite("loopback", "packets between two ports of one process", "build", meson=("loopback",)),
    Suite("layering", "who may see whom (DESIGN 2)", "build", pytest="tests/layering", beside=True),
    Suite("lint", "clang-format, clang-tidy, shellcheck", "build", pytest="tests/lint", beside=True),
    Suite("policy", "each rule of the founding page has a test that needs it", "build", pytest="tests/policy"),
    Suite("system", "real processes in network namespaces", "build", pytest="tests/system", marked="not rates", timeout_s=900),
    Suite(
        "system", "the same, where packets have rates and times to keep", "build", pytest="tests/system", marked="rates",
        timeout_s=900, alone=True,
    ),
    Suite("impair", "the impairment forwarder's own test", "build", pytest="tests/impair", alone=True),
    Suite("bench", "the benchmarks' table, arguments and files", "build", pytest="tests/bench", alone=True),
    Suite("asan", "unit, ipc and loopback under ASan and UBSan", "build-asan", meson=("unit", "ipc", "loopback")),
)


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # Test to what it said.
    repeated: list[str] = field(default_factory=list)  # Passed, but not at the first attempt.

    def __iadd__(self, other: "Count") -> "Count":
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures |= other.failures
        self.repeated += other.repeated
        return self

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")

    def repeat(self, again: "Count") -> None:
        """The tests that had failed ran again, and nothing else did."""
        self.repeated += [name for name in self.failures if name not in again.failures]
        self.passed += again.passed
        self.failed = again.failed
        self.failures = again.failures


def count_junit(path: Path) -> Count:
    """What a JUnit file says. No usable file: the program died, which is one failure without a name."""
    count = Count()
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Count(failed=1)
    for case in cases:
        problem = case.find("failure")
        problem = case.find("error") if problem is None else problem
        if problem is not None:
            count.failed += 1
            count.failures[f"{case.get('classname')}.{case.get('name')}"] = problem.text or problem.get("message", "")
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            count.skipped += 1
        else:
            count.passed += 1
    return count


def build_command(directory: str, options: str, targets: list[str]) -> list[str]:
    return ["bash", "-c", '. deploy/lib.sh; build "$@"', "build", directory, options, *targets]


def build(directory: str, options: str, targets: list[str]) -> bool:
    return subprocess.run(build_command(directory, options, targets), cwd=ROOT).returncode == 0


def introspect(directory: str, what: str) -> list[dict]:
    described = subprocess.run(
        ["meson", "introspect", f"--{what}", str(ROOT / directory)], stdout=subprocess.PIPE, check=True
    )
    return json.loads(described.stdout)


def meson_tests(suite: Suite) -> list[dict]:
    """The executables of a suite, as meson describes them."""
    wanted = {f"weir:{name}" for name in suite.meson}
    return [test for test in introspect(suite.build, "tests") if wanted & set(test["suite"])]


def targets_of(suite: Suite) -> list[str]:
    """What the suite's executables need, and nothing else. The directory must be set up."""
    needed = {target for test in meson_tests(suite) for target in test["depends"]}
    built = [target for target in introspect(suite.build, "targets") if target["id"] in needed]
    return sorted(os.path.relpath(name, ROOT / suite.build) for target in built for name in target["filename"])


def run_bounded(command: list[str], environment: dict, timeout_s: int, output) -> int:
    """Runs a command in its own process group, which is killed when the time is up."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        print(f"    gave up after {timeout_s} s", flush=True)
        # Asked first, so that fixtures take their namespaces and processes down.
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        return 1
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def attempt_gtest(suite: Suite, test: dict, xml: Path, pattern: str) -> Count:
    log = xml.with_suffix(".log")
    command = [*test["cmd"], f"--gtest_output=xml:{xml}"]
    if pattern:
        command.append(f"--gtest_filter={pattern}")
    environment = {"UBSAN_OPTIONS": "print_stacktrace=1", **os.environ, **test.get("env", {})}
    xml.unlink(missing_ok=True)
    started = time.monotonic()
    with log.open("wb") as output:
        code = run_bounded(command, environment, suite.timeout_s, output)
    count = count_junit(xml)
    if code != 0:
        count.failed = max(count.failed, 1)  # E.g. a leak, reported when the tests were already over.
    if code not in (0, 1):
        count.failures = {}
    print(f"    {suite.name}/{test['name']}: {count} ({time.monotonic() - started:.1f} s)", flush=True)
    if count.failed:
        sys.stdout.write(log.read_text(errors="replace")[-8000:] + "\n")
    return count


def run_gtest(suite: Suite, test: dict, scratch: Path, pattern: str) -> Count:
    xml = scratch / f"{suite.name}-{test['name'].replace('/', '_')}.xml"
    count = attempt_gtest(suite, test, xml, f"*{pattern}*" if pattern else "")
    for _ in range(REPEATS):
        if not can_be_repeated(count):
            break
        count.repeat(attempt_gtest(suite, test, xml, ":".join(count.failures)))
    return count


def pytest_command(suite: Suite, scratch: Path, pattern: str, *more: str) -> list[str]:
    # Debian's interpreter: the one the packages of tests/packages.txt belong to.
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-o", f"cache_dir={scratch / suite.name}", "-v"]
    command += ["--tb=short", "--no-header", f"--junitxml={xml_of(suite, scratch)}", f"--rootdir={ROOT}"]
    command += ["-m", suite.marked, suite.pytest, *more]
    return [*command, "-k", pattern] if pattern else command


def xml_of(suite: Suite, scratch: Path) -> Path:
    return scratch / f"{suite.name}.xml"


def count_pytest(suite: Suite, scratch: Path, code: int) -> Count:
    count = count_junit(xml_of(suite, scratch))
    if code not in (0, 5):
        count.failed = max(count.failed, 1)
    print(f"    {suite.name}: {count}", flush=True)
    return count


def attempt_pytest(suite: Suite, scratch: Path, pattern: str, *more: str) -> Count:
    xml_of(suite, scratch).unlink(missing_ok=True)
    code = run_bounded(pytest_command(suite, scratch, pattern, *more), dict(os.environ), suite.timeout_s, None)
    return count_pytest(suite, scratch, code)


def run_pytest(suite: Suite, scratch: Path, pattern: str) -> Count:
    count = attempt_pytest(suite, scratch, pattern)
    for _ in range(REPEATS):
        if not can_be_repeated(count):
            break
        count.repeat(attempt_pytest(suite, scratch, pattern, "--last-failed"))
    return count


class BackgroundWork:
    """The build for the sanitized suites, and then the suites that only compute."""

    def __init__(self, background: Background, sanitized: list[Suite], computing: list[Suite], scratch: Path, pattern: str):
        self.background, self.sanitized, self.computing = background, sanitized, computing
        self.scratch, self.pattern = scratch, pattern
        self.tried_to_build = threading.Event()
        self.built = False
        self.count = Count()

    def __call__(self) -> None:
        try:
            if self.sanitized:
                self.built = self.build(["build.ninja"]) and self.build(
                    [target for suite in self.sanitized for target in targets_of(suite)]
                )
        finally:
            self.tried_to_build.set()
        for suite in self.computing:
            self.test(suite)

    def build(self, targets: list[str]) -> bool:
        return self.background.run(build_command("build-asan", ASAN_OPTIONS, targets), dict(os.environ), None) == 0

    def test(self, suite: Suite) -> None:
        """What it says is shown when it is over, not between what others say."""
        started = time.monotonic()
        with (self.scratch / f"{suite.name}.log").open("w+") as log:
            code = self.background.run(pytest_command(suite, self.scratch, self.pattern), dict(os.environ), log)
            log.seek(0)
            announce(suite, started)
            print(log.read()[-8000:])
        self.count += count_pytest(suite, self.scratch, code)


def can_be_repeated(count: Count) -> bool:
    """Something failed, each of it is a test with a name, and it is not the half of the suite."""
    return 0 < count.failed == len(count.failures) <= max(count.passed, 1)


def run_gtests(suites: list[Suite], scratch: Path, pattern: str) -> Count:
    """All their executables, two at a time: these mostly wait, for leases and time limits to pass."""
    total = Count()
    # The suites of whole processes take longest, and begin.
    jobs = [(suite, test) for suite in suites for test in meson_tests(suite)]
    jobs.sort(key=lambda job: not {"weir:export", "weir:ipc"} & set(job[1]["suite"]))
    with ThreadPoolExecutor(2) as pool:
        for count in pool.map(lambda job: run_gtest(*job, scratch, pattern), jobs):
            total += count
    return total


def announce(suite: Suite, started: float) -> None:
    print(f"==> {suite.name}: {suite.about} ({time.monotonic() - started:.0f} s)", flush=True)


def run_suites(chosen: list[Suite], scratch: Path, pattern: str) -> Count:
    started = time.monotonic()
    total = Count()
    release = [suite for suite in chosen if suite.build == "build"]
    sanitized = [suite for suite in chosen if suite.build != "build"]
    if release:
        print("==> building build/", flush=True)
        if not build("build", "", []):
            return Count(failed=1)
    with Background() as background:
        work = BackgroundWork(background, sanitized, [suite for suite in release if suite.beside], scratch, pattern)
        background.start(work)
        gtests = [suite for suite in release if suite.meson]
        for suite in gtests:
            announce(suite, started)
        with ThreadPoolExecutor(1) as pool:
            gtested = pool.submit(run_gtests, gtests, scratch, pattern)
            for suite in release:
                if suite.pytest and not suite.beside and not suite.alone:
                    announce(suite, started)
                    total += run_pytest(suite, scratch, pattern)
            total += gtested.result()
        background.hold(True)
        for suite in release:
            if suite.alone:
                announce(suite, started)
                total += run_pytest(suite, scratch, pattern)
        background.hold(False)
        if sanitized:
            print(f"==> building build-asan/ ({time.monotonic() - started:.0f} s)", flush=True)
            work.tried_to_build.wait(Background.LIMIT_S)
            for suite in sanitized:
                announce(suite, started)
            total += run_gtests(sanitized, scratch, pattern) if work.built else Count(failed=1)
        total += work.count if background.wait() else Count(failed=1)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run", description="Installs, builds and runs Weir's test suites.")
    names = list(dict.fromkeys(suite.name for suite in SUITES))
    parser.add_argument("--suite", action="append", choices=names, help="only this suite; may be repeated")
    parser.add_argument("-k", metavar="TEXT", default="", help="only tests whose name contains TEXT")
    parser.add_argument("--seconds", type=int, metavar="N", help="how long the saturation tests load (default: 5 and 2)")
    parser.add_argument("--list", action="store_true", help="list the suites and exit")
    arguments = parser.parse_args()
    if arguments.seconds:
        os.environ["WEIR_SATURATION_SECONDS"] = str(arguments.seconds)
    if arguments.list:
        for suite in SUITES:
            print(f"{suite.name:10}{suite.about}")
        return 0

    chosen = [suite for suite in SUITES if not arguments.suite or suite.name in arguments.suite]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weir-tests-") as directory:
        total = run_suites(chosen, Path(directory), arguments.k)
    for name, said in total.failures.items():
        print(f"==> failed: {name}\n{said.strip()[-2000:]}")
    for name in total.repeated:
        print(f"==> passed only when repeated: {name}")
    print(f"finished after {time.monotonic() - started:.0f} s")
    print(total, flush=True)
    return 0 if total.failed == 0 and total.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
