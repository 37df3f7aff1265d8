"""What the page's plots show: the generator's throughput against packet size and against flows."""

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


def measure_sweeps(settings: Settings) -> list[Plot]:
    """By turns at each point, the median of the rounds. --quick takes the ends and the middle."""
    frames = FRAMES[::3] if settings.quick else FRAMES
    flows = FLOWS[::2] if settings.quick else FLOWS

    def at(what: str, sides: list) -> list[float]:
        found: list[list[float]] = [[] for _ in sides]
        for turn in range(settings.rounds):
            settings.progress(f"{what}: round {turn + 1} of {settings.rounds}")
            for values, side in zip(found, sides):
                values.append(side())
        return [quantile(values, 0.5) for values in found]

    by_size = [
        at(f"{frame} B frames", [lambda: weir_generates(settings, frame - FRAME_OVER_PAYLOAD),
                                 lambda: testpmd_generates(settings, frame - FRAME_OVER_PAYLOAD)])
        for frame in frames
    ]  # fmt: skip
    by_flows = [
        at(f"{count} flows", [lambda: weir_generates(settings, FRAMES[0] - FRAME_OVER_PAYLOAD, count)])[0]
        for count in flows
    ]
    testpmd_one_flow = by_size[0][1]
    return [
        Plot("Throughput and packet size: one worker, null:", "frame size in bytes, FCS included", frames, "packets/s",
             [Series("Weir, measured packets", [pair[0] for pair in by_size]),
              Series("dpdk-testpmd txonly", [pair[1] for pair in by_size])]),
        Plot("Throughput and flows: 64 B frames, one worker, null:", "flows (5-tuples in random order)", flows, "packets/s",
             [Series("Weir, measured packets", by_flows),
              Series("dpdk-testpmd txonly, one flow", [testpmd_one_flow] * len(flows))]),
    ]  # fmt: skip
