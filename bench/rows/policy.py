"""What one core can judge: records against the export policy, as Google Benchmark counts them."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import affinity, program
from harness.row import Bar, Check, Outcome, Row, Settings, alternate, quantile

PROGRAM = "bench/bench-policy"
BAR = Bar(">=", 300_000)


def records_a_second(name: str, settings: Settings) -> float:
    """Of CPU time, so that what else the machine does costs it nothing but its caches."""
    command = [program(PROGRAM), f"--benchmark_filter=^{name}$", f"--benchmark_min_time={settings.seconds}",
               "--benchmark_format=json"]  # fmt: skip
    with affinity({settings.cpus.worker}):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60 + 20 * settings.seconds)
    if ended.returncode != 0 or not ended.stdout.lstrip().startswith("{"):
        raise BenchError(f"{PROGRAM} failed: {(ended.stderr.strip() or 'it said nothing')[-300:]}")
    found = json.loads(ended.stdout)["benchmarks"][0]
    if "items_per_second" not in found:
        raise BenchError(f"{name}: {found.get('error_message', 'no figure')}")
    return found["items_per_second"]


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
