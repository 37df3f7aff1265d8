"""How even a paced flow leaves at 100,000 packets/s: the error of each gap between two departures.
On ring: the worker's core stamps each packet as the driver takes it; on veth the receiving kernel
does, Weir's and iperf3's alike."""

import json
import subprocess

from harness.capture import Capture
from harness.error import BenchError
from harness.machine import affinity, program
from harness.pair import PROGRAMS, Laboratory, run_test, veth_pair
from harness.row import Bar, Check, Outcome, Row, Settings, alternate, quantile
from harness.veth import kernel_addresses, veth_laboratory
from peers.iperf import iperf_sends, iperf_server
from rows.pacing_rate import DRIVERS

PACKETS_PER_SECOND = 100_000
GAP_NS = 1_000_000_000 // PACKETS_PER_SECOND
PAYLOAD = 18
RING_PROGRAM = "bench/bench-pacing"
RING_BAR, VETH_BAR = Bar("<=", 0.1), Bar("<=", 0.4)


def ring_errors_us(settings: Settings) -> tuple[float, float]:
    """p90 of the worker's packets; p99 of a loop on its core that only reads the clock."""
    cpus = settings.cpus
    arguments = [cpus.worker, cpus.second, PACKETS_PER_SECOND, settings.whole_seconds]
    with affinity({cpus.worker, cpus.second}):
        ended = subprocess.run(
            [program(RING_PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=60 + settings.seconds
        )
    if ended.returncode != 0:
        raise BenchError(f"bench-pacing failed: {ended.stderr.strip()[-300:]}")
    errors = json.loads(ended.stdout)
    return errors["packets"]["p90_ns"] / 1000, errors["clock"]["p99_ns"] / 1000


def gap_error_p99_us(capture: Capture) -> float:
    return quantile([abs(gap - GAP_NS) for gap in capture.arrivals().gaps_ns], 0.99) / 1000


def watch(lab: Laboratory, settings: Settings) -> Capture:
    room = round(PACKETS_PER_SECOND * max(1, settings.seconds) * 1.2)
    return Capture(lab.namespace("b"), "data", PAYLOAD, packets=room)


def weir_p99_us(lab: Laboratory, settings: Settings) -> float:
    with veth_pair(lab, settings.cpus, DRIVERS) as nodes, watch(lab, settings) as capture:
        run_test(*nodes, str(PACKETS_PER_SECOND * (PAYLOAD + 28) * 8), settings.seconds, PAYLOAD)
        return gap_error_p99_us(capture)


def iperf_p99_us(lab: Laboratory, settings: Settings) -> float:
    cpus = settings.cpus
    with kernel_addresses(lab), iperf_server(lab, cpus.second), watch(lab, settings) as capture:
        iperf_sends(lab, cpus.worker, PAYLOAD, PACKETS_PER_SECOND * PAYLOAD * 8, settings.seconds)
        return gap_error_p99_us(capture)


def measure(settings: Settings) -> Outcome:
    ring, clock = [], []
    for turn in range(settings.rounds):
        settings.progress(f"round {turn + 1} of {settings.rounds}: ring")
        packets_p90, clock_p99 = ring_errors_us(settings)
        ring.append(packets_p90)
        clock.append(clock_p99)
    with veth_laboratory() as lab:
        weir, peer = alternate(settings, lambda: weir_p99_us(lab, settings), lambda: iperf_p99_us(lab, settings))
    ratio = quantile(weir, 0.5) / quantile(peer, 0.5)
    checks = [
        Check("ratio", ratio, VETH_BAR),
        Check("p90 of the gap error on ring:, us", quantile(ring, 0.5), RING_BAR),
        Check("p99 of a loop that only reads the clock, us", quantile(clock, 0.5)),
    ]
    return Outcome(weir, peer, checks, ratio, details={"ring_p90_us": ring, "clock_p99_us": clock})


PACING_GAP = (
    Row(
        "pacing_gap", "error of departure gaps at 100,000 packets/s: p99 on veth, p90 on ring:", unit="us",
        peer="iperf3 -u", measure=measure, bars=f"p99 on veth {VETH_BAR} of iperf3's; p90 on ring: {RING_BAR} us",
        quick_rounds=1, programs=(*PROGRAMS, RING_PROGRAM), packages=("iperf3",), root=True,
    ),
)  # fmt: skip
