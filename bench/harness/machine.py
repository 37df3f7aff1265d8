"""The machine a benchmark runs on: its CPUs, who else uses them, what is installed and built."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.error import BenchError

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build"))
# As weir-dataplane does for itself; the peers get the same.
NICE = -10
SESSION_NICE = -20


@dataclass(frozen=True)
class Cpus:
    """Who runs where. Both sides of a row use the same CPUs for the same things."""

    worker: int  # What is measured; the sender, if there are two.
    second: int  # The receiver. The worker's own CPU if there is no other.
    helpers: frozenset[int]  # All else: main lcores, controllers, this program. Never the worker's, if it can be.


def choose_cpus(worker: int | None) -> Cpus:
    allowed = sorted(os.sched_getaffinity(0))
    if worker is None:
        worker = allowed[-1]
    if worker not in allowed:
        raise BenchError(f"--cpu {worker}: this process may run on {', '.join(map(str, allowed))}")
    second = next((cpu for cpu in reversed(allowed) if cpu != worker), worker)
    helpers = frozenset(allowed) - {worker, second} or frozenset({second})
    return Cpus(worker, second, helpers)


@contextmanager
def affinity(cpus):
    """This process runs on these CPUs, and so does what it starts meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_list(cpus) -> str:
    return ",".join(map(str, sorted(cpus)))


@contextmanager
def priority():
    """So that other programs do not decide what is measured. Children inherit it. Where the kernel groups processes
    by session (sched_autogroup), niceness counts within the session only, and the session's own counts outside."""
    group = Path("/proc/self/autogroup")
    before = None
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        if group.exists():
            before = group.read_text().split()[-1]
            group.write_text(str(SESSION_NICE))
    except (PermissionError, BlockingIOError):
        pass  # Unprivileged, or changed a moment ago: as it is.
    try:
        yield
    finally:
        if before is not None:
            restore(group, before)


def restore(group: Path, nice: str) -> None:
    """An unprivileged process may change it every 100 ms only, root at any time."""
    try:
        group.write_text(nice)
    except OSError:
        pass


@dataclass(frozen=True)
class CpuTime:
    """Ticks of all CPUs together since boot."""

    total: int
    idle: int
    steal: int

    @staticmethod
    def now() -> "CpuTime":
        ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return CpuTime(total=sum(ticks), idle=ticks[3] + ticks[4], steal=ticks[7])

    def stolen_since(self, before: "CpuTime") -> float:
        """The share of time the host gave to other guests."""
        return (self.steal - before.steal) / max(1, self.total - before.total)


def busy_with_others(seconds: float) -> float:
    """The share of the CPUs that is used although nothing of ours runs."""
    before = CpuTime.now()
    time.sleep(seconds)
    after = CpuTime.now()
    return 1 - (after.idle - before.idle) / max(1, after.total - before.total)


def program(path: str) -> Path:
    return BUILD / path


def require_programs(paths) -> None:
    """A build with what is needed, or an error that says how to get it."""
    if not (BUILD / "build.ninja").exists():
        raise BenchError("there is no build/: run `meson setup build && ninja -C build` first")
    missing = [path for path in paths if not program(path).exists()]
    if missing:
        raise BenchError(f"build/{missing[0]} is not built: run `ninja -C build` first")


def require_packages(names) -> None:
    """Installs Debian packages that are missing, as tests/run does."""
    if not names or not shutil.which("dpkg-query"):
        return
    command = 'set -euo pipefail; . deploy/lib.sh; install_packages <(printf "%s\\n" "$@")'
    if subprocess.run(["bash", "-c", command, "bench/run", *names], cwd=ROOT, stdout=subprocess.DEVNULL).returncode != 0:
        raise BenchError(f"cannot install all of the Debian packages {', '.join(names)}, see above")
