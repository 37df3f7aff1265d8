"""iperf3 over UDP, client and server in namespaces, each on a CPU."""

import json
import subprocess
from contextlib import contextmanager

from harness.error import BenchError
from harness.machine import affinity
from harness.pair import IP
from netlab import Lab

PORT = 5201


@contextmanager
def iperf_server(lab: Lab, cpu: int):
    """Listens in namespace b for one client."""
    with affinity({cpu}):
        server = lab.start("iperf3", "iperf3", "--server", "--one-off", "--bind", IP["b"], "--port", PORT,
                           "--forceflush", namespace=lab.namespace("b"))  # fmt: skip
    try:
        server.wait_for_output("listening")
        yield
    finally:
        server.stop()


def iperf_sends(lab: Lab, cpu: int, payload: int, rate_bps: int, seconds: float) -> dict:
    """iperf3's own summary; rate 0: as fast as it goes. It takes whole seconds only."""
    command = ["ip", "netns", "exec", lab.namespace("a").name, "iperf3", "--client", IP["b"], "--port", PORT, "--udp",
               "--length", payload, "--bitrate", rate_bps, "--time", max(1, round(seconds)), "--json"]  # fmt: skip
    with affinity({cpu}):
        ended = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60 + seconds)
    try:
        report = json.loads(ended.stdout)
    except json.JSONDecodeError:
        raise BenchError(f"iperf3 gave no result: {(ended.stdout + ended.stderr).strip()[-300:]}") from None
    if "error" in report or not report.get("end", {}).get("sum"):
        raise BenchError(f"iperf3 failed: {report.get('error', 'no summary')}")
    return report["end"]["sum"]


def iperf_packets_per_second(lab: Lab, sender: int, receiver: int, payload: int, seconds: float) -> float:
    """What its server received."""
    with iperf_server(lab, receiver):
        end = iperf_sends(lab, sender, payload, 0, seconds)
    return (end["packets"] - end["lost_packets"]) / end["seconds"]
