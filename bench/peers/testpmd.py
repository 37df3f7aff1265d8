"""dpdk-testpmd at its prompt, which tells what it has sent or received whenever it is asked."""

import os
import re
import subprocess
import time

from harness.error import BenchError
from harness.machine import Cpus, affinity, cpu_list

NULL_DEVICE = "net_null0"
PROMPT = "testpmd> "


class Testpmd:
    """Forwards from entry to exit, as a context. One forwarding core, on `cpu`."""

    def __init__(self, mode: str, device: str, cpu: int, cpus: Cpus, frame: int = 60, more: tuple[str, ...] = ()):
        self.output = ""
        self.read = 0  # How much of the output earlier commands have had.
        command = [
            "stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--no-shconf",
            f"--lcores=0@({cpu_list(cpus.helpers)}),1@{cpu}", "--main-lcore=0", "--vdev", device, "--",
            "--interactive", f"--forward-mode={mode}", f"--txpkts={frame}", "--nb-cores=1", "--total-num-mbufs=8192",
            "--disable-link-check", *more,
        ]  # fmt: skip
        with affinity({cpu, *cpus.helpers}):
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        os.set_blocking(self.process.stdout.fileno(), False)

    def _collect(self) -> None:
        while piece := self.process.stdout.read():
            self.output += piece.decode(errors="replace")

    def __enter__(self) -> "Testpmd":
        try:
            self._answer(timeout_s=30)
            self.command("start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        try:
            self.process.stdin.write(b"quit\n")
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()

    def command(self, text: str) -> str:
        """What it answers."""
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self, timeout_s: float = 10) -> str:
        deadline = time.monotonic() + timeout_s
        while (end := self.output.find(PROMPT, self.read)) < 0:
            self._collect()
            if self.process.poll() is not None:
                raise BenchError(f"dpdk-testpmd ended by itself:\n{self.output[-1500:]}")
            if time.monotonic() > deadline:
                raise BenchError(f"dpdk-testpmd does not answer:\n{self.output[-1500:]}")
            time.sleep(0.005)
        answer, self.read = self.output[self.read:end], end + len(PROMPT)
        return answer

    def packets(self, side: str) -> int:
        """Sent ("TX") or received ("RX") since the start."""
        found = re.search(rf"{side}-packets:\s+(\d+)", self.command("show port stats 0"))
        if not found:
            raise BenchError(f"dpdk-testpmd shows no statistics:\n{self.output[-1500:]}")
        return int(found.group(1))

    def packets_per_second(self, side: str, seconds: float, warm_up_s: float = 0.2) -> float:
        time.sleep(warm_up_s)
        started, before = time.monotonic(), self.packets(side)
        time.sleep(seconds)
        ended, after = time.monotonic(), self.packets(side)
        return (after - before) / (ended - started)
