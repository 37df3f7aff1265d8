"""Rows that compare two benchmarks of one Google Benchmark executable: a hot component beside a
loop that does the least anyone could."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import affinity, program
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome


def run_benchmark(executable: str, name: str, settings: Settings) -> float:
    """TSC cycles a packet: the benchmark's counter "cycles"."""
    command = [program(executable), f"--benchmark_filter=^{name}(/manual_time)?$",
               f"--benchmark_min_time={settings.seconds}", "--benchmark_format=json"]  # fmt: skip
    with affinity({settings.cpus.worker}):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60 + 20 * settings.seconds)
    if ended.returncode != 0 or not ended.stdout.lstrip().startswith("{"):
        raise BenchError(f"build/{executable} has no benchmark {name}: {(ended.stderr.strip() or 'it said nothing')[-300:]}")
    found = json.loads(ended.stdout)["benchmarks"]
    if len(found) != 1 or "cycles" not in found[0]:
        raise BenchError(f"{name} of build/{executable} gave no cycles")
    return found[0]["cycles"]


def component_row(name: str, about: str, executable: str, benchmark: str, beside: str, bar: Bar) -> Row:
    def measure(settings: Settings) -> Outcome:
        weir, peer = alternate(
            settings,
            lambda: run_benchmark(executable, benchmark, settings),
            lambda: run_benchmark(executable, beside, settings),
        )
        return ratio_outcome(weir, peer, bar)

    return Row(
        name, about, unit="cycles/packet", peer=beside, measure=measure, bars=str(bar), seconds=0.5,
        quick_rounds=2, quick_seconds=0.1, programs=(executable,),
    )  # fmt: skip


COMPONENTS = (
    component_row(
        "fill_loop", "template and stamp into a FIFO of 1,024 warm buffers, to a loop that stores 16 B a buffer",
        "bench/bench-fill", "FillTemplate/18", "Store16Bytes", Bar("<=", 1.5),
    ),
    component_row(
        "sink_track", "classify and track one flow in order, to a loop that reads each packet's first 72 bytes",
        "bench/bench-receive", "SinkTrack/histogram:0", "Read72Bytes", Bar("<=", 2),
    ),
    component_row(
        "sink_flows", "track 65,536 flows in random order, histograms included, to one flow",
        "bench/bench-receive", "SinkFlows/65536", "SinkFlows/1", Bar("<=", 3),
    ),
    component_row(
        "sink_impaired", "track 1 % loss, reordering and duplicates, to a clean flow",
        "bench/bench-receive", "SinkImpaired/histogram:0", "SinkTrack/histogram:0", Bar("<=", 1.5),
    ),
)  # fmt: skip
