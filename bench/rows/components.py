"""Rows that compare two benchmarks of one Google Benchmark executable: a hot component beside a
loop that does the least anyone could."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import affinity, program
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome

NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def run_benchmark(executable: str, name: str, settings: Settings) -> float:
    """CPU time of one item (or one iteration, if the benchmark counts no items), in ns."""
    command = [program(executable), f"--benchmark_filter=^{name}$", f"--benchmark_min_time={settings.seconds}",
               "--benchmark_format=json"]  # fmt: skip
    with affinity({settings.cpus.worker}):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60 + 20 * settings.seconds)
    if ended.returncode != 0 or not ended.stdout.lstrip().startswith("{"):
        raise BenchError(f"build/{executable} has no benchmark {name}: {(ended.stderr.strip() or 'it said nothing')[-300:]}")
    found = json.loads(ended.stdout)["benchmarks"]
    if not found or found[0].get("error_occurred"):
        raise BenchError(f"{name} of build/{executable} failed: {found[0].get('error_message') if found else 'no result'}")
    if "items_per_second" in found[0]:
        return 1e9 / found[0]["items_per_second"]
    return found[0]["cpu_time"] * NS[found[0]["time_unit"]]


def component_row(name: str, about: str, executable: str, benchmark: str, beside: str, bar: Bar) -> Row:
    def measure(settings: Settings) -> Outcome:
        weir, peer = alternate(
            settings,
            lambda: run_benchmark(executable, benchmark, settings),
            lambda: run_benchmark(executable, beside, settings),
        )
        return ratio_outcome(weir, peer, bar)

    return Row(
        name, about, unit="ns/packet", peer=beside, measure=measure, bars=str(bar), seconds=0.5,
        quick_rounds=2, quick_seconds=0.1, programs=(executable,),
    )  # fmt: skip


COMPONENTS = (
    component_row(
        "fill_loop", "template and stamp into a FIFO of 1,024 warm buffers, to a loop that stores 16 B a buffer",
        "bench/bench-fill", "FillTemplate/18", "Store16Bytes", Bar("<=", 1.5),
    ),
    component_row(
        "sink_track", "classify and track one flow in order, to a loop that reads each packet's first 72 bytes",
        "bench/bench-receive", "SinkTrack", "Read72Bytes", Bar("<=", 2),
    ),
    component_row(
        "sink_flows", "track 65,536 flows in random order, histograms included, to one flow",
        "bench/bench-receive", "SinkFlows/65536", "SinkFlows/1", Bar("<=", 3),
    ),
    component_row(
        "sink_impaired", "track 1 % loss, reordering and duplicates, to a clean flow",
        "bench/bench-receive", "SinkImpaired", "SinkTrack", Bar("<=", 1.5),
    ),
)  # fmt: skip
