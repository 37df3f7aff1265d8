"""Weir's generator through a null device, where sending costs next to nothing: what is left is
making packets. testpmd's packets are not measured: no sequence number, no time, no cookie."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import program
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome
from peers.testpmd import NULL_DEVICE, Testpmd

GENERATOR = "bench/bench-generate"
ETHERNET_IP_UDP = 14 + 20 + 8  # DPDK's frames are without FCS.


def weir_generates(settings: Settings, payload: int, flows: int = 1) -> float:
    """Packets/s of one worker's generator."""
    arguments = [settings.cpus.worker, payload, settings.whole_seconds, *([flows] if flows != 1 else [])]
    ended = subprocess.run(
        [program(GENERATOR), *map(str, arguments)], capture_output=True, text=True, timeout=60 + settings.seconds
    )
    if ended.returncode != 0:
        raise BenchError(f"bench-generate {' '.join(map(str, arguments))} failed: {ended.stderr.strip()[-300:]}")
    return json.loads(ended.stdout)["packets_per_second"]


def testpmd_generates(settings: Settings, payload: int) -> float:
    """Packets/s of testpmd txonly on the same device and CPU."""
    with Testpmd("txonly", NULL_DEVICE, settings.cpus.worker, settings.cpus, frame=payload + ETHERNET_IP_UDP) as peer:
        return peer.packets_per_second("TX", settings.seconds)


def generate_row(name: str, about: str, payload: int, flows: int, bar: Bar) -> Row:
    def measure(settings: Settings) -> Outcome:
        weir, peer = alternate(
            settings,
            lambda: weir_generates(settings, payload, flows),
            lambda: testpmd_generates(settings, payload),
        )
        return ratio_outcome(weir, peer, bar)

    return Row(
        name, about, unit="packets/s", peer="dpdk-testpmd txonly", measure=measure, bars=str(bar), seconds=3,
        quick_rounds=1, quick_seconds=1, programs=(GENERATOR,), packages=("dpdk-dev",),
    )  # fmt: skip


GENERATE = (
    generate_row("generate_null_64", "one worker's measured 64 B packets through null:", 18, 1, Bar(">=", 1.6)),
    generate_row("generate_null_1472", "the same with 1,514 B frames", 1472, 1, Bar(">=", 1.6)),
    generate_row(
        "flows_65536", "64 B packets over 65,536 5-tuples in random order; the peer has one", 18, 65_536, Bar(">=", 1.2)
    ),
)
