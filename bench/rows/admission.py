"""What admission takes on a large platform: the time of one decision, the memory of what it keeps track of."""

from harness.google_benchmark import run_benchmark
from harness.row import Bar, Check, Outcome, Row, Settings, quantile

PROGRAM = "bench/bench-admission"
TIME_BAR = Bar("<=", 20)
MEMORY_BAR = Bar("<=", 256)


def measure_time(settings: Settings) -> Outcome:
    p50, p99, words = [], [], []
    for turn in range(settings.rounds):
        settings.progress(f"round {turn + 1} of {settings.rounds}")
        found = run_benchmark(PROGRAM, "Decide", settings)
        p50.append(found["p50_us"])
        p99.append(found["p99_us"])
        words.append(found["words_p50_us"])
    checks = [
        Check("p99, us", quantile(p99, 0.5), TIME_BAR),
        Check("p50, us", quantile(p50, 0.5)),
        Check("us for the words of its trace, p50", quantile(words, 0.5)),
    ]
    return Outcome(p99, [], checks)


def measure_memory(settings: Settings) -> Outcome:
    settings.progress("tracks a million prefixes")
    found = run_benchmark(PROGRAM, "TrackedMemory/1000000/iterations:1", settings)
    checks = [Check("MiB", found["MiB"], MEMORY_BAR), Check("bytes a prefix", found["bytes_each"])]
    return Outcome([found["MiB"]], [], checks)


ADMISSION = (
    Row(
        "admission", "a decision with 100,000 CIDR rules and 100,000 tracked prefixes, 99th percentile", unit="us",
        peer="", measure=measure_time, bars=str(TIME_BAR), rounds=5, seconds=1, quick_rounds=1, quick_seconds=0.3,
        programs=(PROGRAM,),
    ),
    Row(
        "admission_memory", "what a million tracked prefixes take", unit="MiB", peer="", measure=measure_memory,
        bars=str(MEMORY_BAR), rounds=1, quick_rounds=1, programs=(PROGRAM,),
    ),
)  # fmt: skip
