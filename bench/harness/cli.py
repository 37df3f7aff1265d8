"""The command line of bench/run."""

import argparse
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import report
from harness.error import BenchError
from harness.machine import (
    CpuTime,
    affinity,
    busy_with_others,
    choose_cpus,
    priority,
    require_packages,
    require_programs,
)
from harness.page import write_page
from harness.progress import Progress
from harness.row import Row, Settings
from harness.sweep import PACKAGES as SWEEP_PACKAGES
from harness.sweep import PROGRAMS as SWEEP_PROGRAMS
from harness.sweep import SWEEPS, Plot
from rows import ROWS

# Of one row: a program that does not start or answer, or says something else than it should.
FAILURES = (BenchError, RuntimeError, OSError, ValueError, LookupError, subprocess.SubprocessError)
OK, NOT_MEASURED, USAGE, CANNOT_START, INTERRUPTED = 0, 1, 2, 3, 130

DESCRIPTION = """\
Sets Weir beside its peers in one run: both by turns, on the same CPUs and devices, so that only
the ratio of their medians counts. Absolute figures of two runs cannot be compared on a shared
machine. Installs the peers (Debian's dpdk-dev, iperf3 and nuttcp) if they are missing; build Weir
first. What each row means is in bench/README.md."""

EPILOG = """\
examples:
  bench/run --list
  bench/run --only generate_null_64 --only fill_loop
  bench/run --quick --json rows.json
  bench/run --html report.html     also measures throughput against packet size and flows

exit codes: 0 all rows were measured (whether they meet their bars or not), 1 some could not be,
2 bad usage, 3 cannot start (no build, or a peer's package cannot be installed), 130 interrupted."""


def positive(kind):
    def parse(text: str):
        value = kind(text)
        if not 0 < value <= 10_000:
            raise ValueError
        return value

    parse.__name__ = "number from 1 to 10000" if kind is int else "time in seconds above 0"  # What argparse calls it.
    return parse


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [row.name for row in ROWS]
    parser.add_argument("--list", action="store_true", help="list the rows, their peers and bars, and exit")
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help="only this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: all rows together in under 60 s")
    parser.add_argument("--rounds", type=positive(int), metavar="N", help="rounds of each side (default: 5; memif 20)")
    parser.add_argument("--seconds", type=positive(float), metavar="S", help="length of one side's round")
    parser.add_argument("--cpu", type=int, metavar="N", help="CPU of what is measured (default: the last one)")
    parser.add_argument("--disk", metavar="DIR", help="where rows that write durably do it (default: the build directory)")
    parser.add_argument("--json", metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--html", metavar="FILE", help="also write a page with plots to FILE")
    options = parser.parse_args(arguments)
    for name in ("json", "html"):
        path = getattr(options, name)
        if path and not Path(path).absolute().parent.is_dir():
            parser.error(f"argument --{name}: there is no directory {Path(path).absolute().parent}")
    if options.disk and not Path(options.disk).is_dir():
        parser.error(f"argument --disk: there is no directory {options.disk}")
    options.rows = [row for row in ROWS if not options.only or row.name in options.only]
    return options


def print_rows(rows: list[Row]) -> None:
    for row in rows:
        print(f"{row.name:20} {row.about}")
        beside = f"beside {row.peer}; " if row.peer else ""
        print(f"{'':20}   {row.unit}; {beside}{'bar ' + row.bars if row.bars else 'no bar'}")


def prepare(options: argparse.Namespace) -> None:
    """All that can be known to be missing before anything runs."""
    rows = options.rows
    needs_root = [row.name for row in rows if row.root]
    if needs_root and os.geteuid() != 0:
        raise BenchError(f"{needs_root[0]} makes network namespaces and needs root: use sudo, or name others with --only")
    # Programs that single rows need are judged row by row.
    require_programs([])
    packages = {name for row in rows for name in row.packages}
    if options.html:
        packages |= set(SWEEP_PACKAGES)
    require_packages(sorted(packages))


def settings_of(row: Row, options: argparse.Namespace, progress: Progress) -> Settings:
    rounds, seconds = (row.quick_rounds, row.quick_seconds) if options.quick else (row.rounds, row.seconds)
    return Settings(
        rounds=options.rounds or rounds,
        seconds=options.seconds or seconds,
        quick=options.quick,
        cpus=options.cpus,
        disk=options.disk,
        progress=progress.show,
    )


def run_row(row: Row, settings: Settings) -> dict:
    require_programs(row.programs)
    settings.progress("looks whether the machine is at rest")
    busy = busy_with_others(0.1 if settings.quick else 0.5)
    before, started = CpuTime.now(), time.monotonic()
    outcome = row.measure(settings)
    noise = {
        "others_busy": round(busy, 3),
        "stolen": round(CpuTime.now().stolen_since(before), 3),
        "took_s": round(time.monotonic() - started, 1),
    }
    return report.as_json(row, outcome, noise)


def measure_rows(options: argparse.Namespace, progress: Progress) -> list[dict]:
    """Those that could be measured; says why of the others."""
    found = []
    for row in options.rows:
        progress.begin(row.name)
        try:
            found.append(run_row(row, settings_of(row, options, progress)))
        except FAILURES as error:
            progress.say(f"{row.name} was not measured: {error}")
    return found


def measure_plots(options: argparse.Namespace, progress: Progress) -> list[Plot]:
    sizes_of_rounds = dataclasses.replace(ROWS[0], rounds=3, seconds=1, quick_rounds=1, quick_seconds=1)
    found = []
    for sweep in SWEEPS:
        progress.begin("plot")
        try:
            require_programs(SWEEP_PROGRAMS)
            found.append(sweep(settings_of(sizes_of_rounds, options, progress)))
        except FAILURES as error:
            progress.say(f"a plot was not measured: {error}")
    return found


def run(options: argparse.Namespace) -> int:
    sweeps = SWEEPS if options.html else ()
    progress = Progress(len(options.rows) + len(sweeps))
    rows = measure_rows(options, progress)
    progress.clear()
    if rows:
        print(report.table(rows), flush=True)
    if options.json:
        report.write_json(options.json, rows)
    plots = measure_plots(options, progress) if options.html else []
    progress.clear()
    if options.html:
        write_page(options.html, rows, plots)
    return OK if len(rows) == len(options.rows) and len(plots) == len(sweeps) else NOT_MEASURED


def interrupt(*_) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    if options.list:
        print_rows(options.rows)
        return OK
    # Namespaces and processes are taken down on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        options.cpus = choose_cpus(options.cpu)
    except BenchError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return USAGE
    try:
        # This program itself stays away from what it measures.
        prepare(options)
        with priority(), affinity(options.cpus.helpers):
            return run(options)
    except BenchError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return CANNOT_START
    except KeyboardInterrupt:
        print("\nbench/run: interrupted", file=sys.stderr)
        return INTERRUPTED
