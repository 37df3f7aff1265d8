"""How fast records become durable beside many others: the real store, and bare SQLite on the same disk."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness.error import BenchError
from harness.machine import BUILD, Cpus, affinity, program
from harness.row import Bar, Check, Outcome, Row, Settings, alternate, quantile

PROGRAM = "bench/bench-store"
BAR = Bar(">=", 0.7)
DURABLE_BAR = Bar("<=", 50)
ROWS, QUICK_ROWS = 1_000_000, 20_000
RECORDS_PER_SECOND = 10_000  # About what is appended in a second: how long a round lasts depends on the disk.


def run(what: str, file: Path, records: int, cpus: Cpus, timeout_s: float = 300) -> str:
    """On all CPUs: sessions' threads have others than the store's."""
    command = [program(PROGRAM), what, file, str(records)]
    with affinity({cpus.worker, cpus.second} | cpus.helpers):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if ended.returncode != 0:
        raise BenchError(f"{PROGRAM} {what} failed: {(ended.stderr.strip() or 'it said nothing')[-300:]}")
    return ended.stdout


@contextmanager
def filled(settings: Settings, rows: int):
    """A store with so many records, and a table with so many rows, on the disk."""
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=settings.disk or BUILD) as directory:
        settings.progress(f"makes a store of {rows:,} records")
        file = Path(directory) / "weir.db"
        run("fill", file, rows, settings.cpus, timeout_s=900)
        yield file


def sync_ms(directory: Path) -> float:
    """What the disk takes to make a page durable; next to nothing would mean that it does not."""
    took = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            begun = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(1e3 * (time.monotonic() - begun))
    return statistics.median(took)


def measure(settings: Settings) -> Outcome:
    rows = QUICK_ROWS if settings.quick else ROWS
    records = max(1000, round(settings.seconds * RECORDS_PER_SECOND))
    ours, alone = [], []

    def weir() -> float:
        ours.append(json.loads(run("weir", file, records, settings.cpus)))
        return ours[-1]["records_per_s"]

    def peer() -> float:
        same = json.loads(run("sqlite", file, records, settings.cpus))
        alone.append(json.loads(run("row", file, records, settings.cpus))["records_per_s"])
        return same["records_per_s"]

    with filled(settings, rows) as file:
        sync = sync_ms(file.parent)
        appended, bare = alternate(settings, weir, peer)
    own = quantile(appended, 0.5)
    ratio = own / quantile(bare, 0.5)
    middle = {name: statistics.median(found[name] for found in ours) for name in ours[0]}
    checks = [
        Check("ratio", ratio, BAR),
        Check(f"ms until durable, p99, at {middle['load_per_s']:,.0f} records/s", middle["p99_ms"], DURABLE_BAR),
        Check("ms until durable, p50", middle["p50_ms"]),
        Check("ratio to bare SQLite with a single row a record", own / quantile(alone, 0.5)),
        Check("records a commit", middle["batch"]),
        Check(f"rows before the first round{', not a million' if rows != ROWS else ''}", rows),
        Check("ms the disk takes to make a page durable", sync),
    ]
    return Outcome(appended, bare, checks, ratio, details={"rows_present": rows, "one_row_per_s": alone, "weir_rounds": ours})


STORE = (
    Row(
        "store_append", "durable appends of 600 B records in batches of up to 1,000, a million records present",
        unit="records/s", peer="bare SQLite, same rows", measure=measure, seconds=3, quick_rounds=1, quick_seconds=0.3,
        bars=f"{BAR}; durable within p99 {DURABLE_BAR} ms", programs=(PROGRAM,),
    ),
)  # fmt: skip
