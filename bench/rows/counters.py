"""What it costs the packet path that a controller reads its counters: 200 slices of one flow at
maximum rate, by turns with a controller that samples every 10 ms and with one that does not."""

import json
import math
import subprocess

from harness.error import BenchError
from harness.machine import affinity, program
from harness.pair import IP, PROGRAMS, Laboratory, place
from harness.row import Bar, Check, Outcome, Row, Settings, quantile

CONTROLLER = "bench/bench-counters"
SAMPLE_MS = 10
SLICES = 200  # In five rounds of forty: a round is 20 pairs of slices.
POINT_BAR, UPPER_BAR = Bar(">=", 0.97), Bar(">=", 0.99)
NORMAL_97_5 = 1.959964


def slices(settings: Settings, count: int) -> list[float]:
    """Packets/s at the sink in each slice: with sampling, without, with, and so on."""
    cpus = settings.cpus
    with Laboratory() as lab:
        link = lab.directory / "link.sock"
        sender = place(lab, "a", f"memif:{link},role=server", cpus)
        receiver = place(lab, "b", f"memif:{link},role=client", cpus)
        for node in (sender, receiver):
            node.directory.mkdir()
            node.start_dataplane()
        arguments = [sender.dataplane_socket, receiver.dataplane_socket, IP["a"], IP["b"], count,
                     round(settings.seconds * 1000), SAMPLE_MS]  # fmt: skip
        with affinity(cpus.helpers):
            ended = subprocess.run([program(CONTROLLER), *map(str, arguments)], capture_output=True, text=True,
                                   timeout=60 + 2 * count * settings.seconds)  # fmt: skip
        if ended.returncode != 0:
            logs = "\n".join(f"{node.name}: {node.dataplane.stderr.strip()[-300:]}" for node in (sender, receiver))
            raise BenchError(f"bench-counters failed: {ended.stderr.strip()[-300:]}\n{logs}")
    return json.loads(ended.stdout)["packets_per_second"]


def median_interval(values: list[float]) -> tuple[float, float]:
    """95 % for the median, by the ranks of the sample: no assumption on its distribution."""
    ordered = sorted(values)
    count = len(ordered)
    reach = NORMAL_97_5 * math.sqrt(count) / 2
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach) - 1)
    return ordered[low], ordered[high]


def measure(settings: Settings) -> Outcome:
    found: list[float] = []
    each = max(4, (24 if settings.quick else SLICES) // settings.rounds // 2 * 2)
    for turn in range(settings.rounds):
        settings.progress(f"round {turn + 1} of {settings.rounds}: {each} slices of {settings.seconds:g} s")
        found += slices(settings, each)
    sampled, alone = found[0::2], found[1::2]
    ratios = [with_it / without for with_it, without in zip(sampled, alone)]
    point, (low, high) = quantile(ratios, 0.5), median_interval(ratios)
    checks = [
        Check("ratio", point, POINT_BAR),
        Check("upper end of its 95 % interval", high, UPPER_BAR),
        Check("lower end", low),
    ]
    return Outcome(sampled, alone, checks, point, details={"slices": len(found), "interval": [low, high]})


COUNTERS = (
    Row(
        "counters", "throughput while a controller samples all counters each 10 ms, to none; slices ABAB",
        unit="packets/s", peer="without sampling", measure=measure, rounds=5, seconds=0.1,
        quick_rounds=1, quick_seconds=0.1, bars=f"median of pairs {POINT_BAR}, upper end of its 95 % interval {UPPER_BAR}",
        programs=(*PROGRAMS[:1], CONTROLLER), root=True,
    ),
)  # fmt: skip
