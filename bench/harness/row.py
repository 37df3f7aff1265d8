"""What a row of the table is, what it is run with, and what it found."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.machine import Cpus


@dataclass(frozen=True)
class Bar:
    """What a figure must reach. The row is met if all its bars are."""

    sign: str  # ">=" or "<="
    limit: float

    def met(self, value: float) -> bool:
        return value >= self.limit if self.sign == ">=" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"


@dataclass(frozen=True)
class Check:
    """One figure held against its bar; without a bar it is only shown."""

    what: str
    value: float
    bar: Bar | None = None

    @property
    def met(self) -> bool | None:
        return None if self.bar is None else self.bar.met(self.value)

    def as_json(self) -> dict:
        return {"what": self.what, "value": self.value, "bar": str(self.bar) if self.bar else None, "met": self.met}


@dataclass(frozen=True)
class Settings:
    """How a row is run: its own defaults, unless the command line said otherwise."""

    rounds: int  # Of each side.
    seconds: float  # Of one side in one round.
    quick: bool
    cpus: Cpus
    disk: str | None  # Directory for what must be durable; None: the build directory.
    progress: Callable[[str], None]  # What the row is doing now.

    @property
    def whole_seconds(self) -> int:
        return max(1, math.ceil(self.seconds))


@dataclass(frozen=True)
class Outcome:
    """What a row found: one value a round and side, and the figures they come to."""

    weir: list[float]
    peer: list[float]  # Empty: there is no other side.
    checks: list[Check]  # The first is the row's own figure.
    ratio: float | None = None
    share: float = 0.5  # Which quantile of the rounds stands for a side.
    details: dict = field(default_factory=dict)  # Further members of the row in the JSON.

    def of(self, values: list[float]) -> float:
        return quantile(values, self.share)


@dataclass(frozen=True)
class Row:
    name: str
    about: str  # One line, for --list.
    unit: str
    peer: str  # What it is set beside.
    measure: Callable[[Settings], Outcome]
    bars: str = ""  # For --list; empty: none.
    rounds: int = 5
    seconds: float = 3
    quick_rounds: int = 2
    quick_seconds: float = 1
    programs: tuple[str, ...] = ()  # Below build/.
    packages: tuple[str, ...] = ()  # Debian's.
    root: bool = False


def quantile(values: list[float], share: float) -> float:
    """Linear between the two nearest values, as numpy's default."""
    if len(values) == 1:
        return values[0]
    if share == 0.5:
        return statistics.median(values)
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def alternate(settings: Settings, weir: Callable[[], float], peer: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Both sides by turns, so that what else the machine does falls on both."""
    ours, theirs = [], []
    for turn in range(settings.rounds):
        settings.progress(f"round {turn + 1} of {settings.rounds}: Weir")
        ours.append(weir())
        settings.progress(f"round {turn + 1} of {settings.rounds}: peer")
        theirs.append(peer())
    return ours, theirs


def ratio_outcome(weir: list[float], peer: list[float], bar: Bar | None, share: float = 0.5, **details) -> Outcome:
    """The ratio of both sides' medians (or another quantile), held against the bar."""
    ratio = quantile(weir, share) / quantile(peer, share)
    return Outcome(weir, peer, [Check("ratio", ratio, bar)], ratio, share, details)
