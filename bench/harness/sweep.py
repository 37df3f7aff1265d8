"""What the page's plots show: the generator's throughput against packet size and against flows."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.row import Settings, quantile
from rows.generate import GENERATOR, testpmd_generates, weir_generates

PROGRAMS = (GENERATOR,)
PACKAGES = ("dpdk-dev",)
FRAME_OVER_PAYLOAD = 14 + 20 + 8 + 4  # Headers, and the FCS that makes it the size people name.
FRAMES = (64, 128, 256, 512, 1024, 1280, 1518)  # RFC 2544, section 9.1.
FLOWS = (1, 16, 256, 4096, 65_536)


@dataclass(frozen=True)
class Series:
    name: str
    values: list[float]


@dataclass(frozen=True)
class Plot:
    title: str
    x_label: str
    x: tuple[int, ...]
    y_label: str
    series: list[Series]


def rounds_at(settings: Settings, what: str, *sides: Callable[[], float]) -> list[float]:
    """Each side's median at one point of a plot, by turns."""
    found: list[list[float]] = [[] for _ in sides]
    for turn in range(settings.rounds):
        settings.progress(f"{what}: round {turn + 1} of {settings.rounds}")
        for values, side in zip(found, sides):
            values.append(side())
    return [quantile(values, 0.5) for values in found]


def sweep_sizes(settings: Settings) -> Plot:
    frames = FRAMES[::3] if settings.quick else FRAMES  # The ends and the middle.
    points = []
    for frame in frames:
        payload = frame - FRAME_OVER_PAYLOAD
        points.append(rounds_at(settings, f"{frame} B frames", lambda: weir_generates(settings, payload),
                                lambda: testpmd_generates(settings, payload)))  # fmt: skip
    weir, peer = map(list, zip(*points))
    return Plot("Throughput and packet size: one worker, null:", "frame size in bytes, FCS included", frames, "packets/s",
                [Series("Weir, measured packets", weir), Series("dpdk-testpmd txonly", peer)])  # fmt: skip


def sweep_flows(settings: Settings) -> Plot:
    flows = FLOWS[::2] if settings.quick else FLOWS
    payload = FRAMES[0] - FRAME_OVER_PAYLOAD
    weir = [rounds_at(settings, f"{count} flows", lambda: weir_generates(settings, payload, count))[0] for count in flows]
    peer = rounds_at(settings, "the peer's one flow", lambda: testpmd_generates(settings, payload))
    return Plot("Throughput and flows: 64 B frames, one worker, null:", "flows (5-tuples in random order)", flows, "packets/s",
                [Series("Weir, measured packets", weir), Series("dpdk-testpmd txonly, one flow", peer * len(flows))])  # fmt: skip


SWEEPS = (sweep_sizes, sweep_flows)
