"""Rows that compare two benchmarks of one Google Benchmark executable: a hot component beside a
loop that does the least anyone could."""

from harness.google_benchmark import run_benchmark
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome


def component_row(name: str, about: str, executable: str, benchmark: str, beside: str, bar: Bar) -> Row:
    def measure(settings: Settings) -> Outcome:
        weir, peer = alternate(
            settings,
            lambda: run_benchmark(executable, benchmark, settings)["cycles"],  # TSC, a packet.
            lambda: run_benchmark(executable, beside, settings)["cycles"],
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
