"""nuttcp over UDP, transmitter and receiver in namespaces, each on a CPU."""

import re
import subprocess

from harness.error import BenchError
from harness.machine import affinity
from harness.pair import IP
from netlab import Lab, wait_for


def nuttcp_packets_per_second(lab: Lab, sender: int, receiver: int, payload: int, seconds: float) -> float:
    """What its receiver got, unpaced."""
    b = lab.namespace("b")
    with affinity({receiver}):
        server = lab.start("nuttcp", "nuttcp", "-1", "--nofork", namespace=b)
    try:
        wait_for(lambda: ":5000 " in b.run("ss", "-ltn"), "nuttcp to listen")
        command = ["ip", "netns", "exec", lab.namespace("a").name, "nuttcp", "-u", f"-l{payload}", "-Ru",
                   f"-T{max(1, round(seconds))}", "-fparse", IP["b"]]  # fmt: skip
        with affinity({sender}):
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds)
    finally:
        server.stop()
    found = {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", ended.stdout)}
    try:
        return (found["pkt"] - found["drop"]) / found["real_seconds"]
    except (KeyError, ZeroDivisionError):
        raise BenchError(f"nuttcp gave no result: {(ended.stdout + ended.stderr).strip()[-300:]}") from None
