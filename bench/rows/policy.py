"""What one core can judge: records against the export policy, as Google Benchmark counts them."""

from harness.google_benchmark import run_benchmark
from harness.row import Bar, Check, Outcome, Row, Settings, alternate, quantile

PROGRAM = "bench/bench-policy"
BAR = Bar(">=", 300_000)


def records_a_second(name: str, settings: Settings) -> float:
    """Of CPU time, so that what else the machine does costs it nothing but its caches."""
    return run_benchmark(PROGRAM, name, settings)["items_per_second"]


def measure(settings: Settings) -> Outcome:
    weir, peer = alternate(
        settings,
        lambda: records_a_second("PolicyEncode", settings),
        lambda: records_a_second("EncodeAlone", settings),
    )
    own, encoding = quantile(weir, 0.5), quantile(peer, 0.5)
    return Outcome(weir, peer, [Check("records/s", own, BAR), Check("ratio", own / encoding)], own / encoding)


POLICY = (
    Row(
        "policy_encode", "export policy and encoding of a record with 10 metadata keys and 10 intervals, one core",
        unit="records/s", peer="EncodeAlone", measure=measure, bars=str(BAR), seconds=0.5, quick_rounds=2,
        quick_seconds=0.1, programs=(PROGRAM,),
    ),
)  # fmt: skip
