"""What the middle namespace does to packets, and what it sees: nftables and dumpcap."""

import json
import re
import signal
import time
from pathlib import Path

from frames import parse_udp, read_pcap
from netlab import Lab, Namespace, Process, wait_for

# Weir test packets: long enough, and the payload's first three bytes are not the signals' mark.
TEST_PACKET = "meta l4proto udp @th,64,24 != 0xffffff"


class Dropper:
    """nftables at the ingress of a port: drops test packets and counts them, as a context."""

    def __init__(self, namespace: Namespace, port: str, rule: str):
        self.namespace = namespace
        self.table = f"""
            table netdev weir {{
              counter seen {{}}
              counter dropped {{}}
              chain ingress {{
                type filter hook ingress device "{port}" priority 0;
                {TEST_PACKET} counter name seen
                {TEST_PACKET} {rule} counter name dropped drop
              }}
            }}"""

    def __enter__(self):
        self.namespace.run("nft", "-f", "-", input=self.table)
        time.sleep(0.2)  # The kernel patches the hook into its receive path in its own time.
        return self

    def __exit__(self, *_):
        self.namespace.run("nft", "delete", "table", "netdev", "weir")

    def count(self, name: str) -> int:
        listing = json.loads(self.namespace.run("nft", "-j", "list", "counters"))["nftables"]
        return next(item["counter"]["packets"] for item in listing if item.get("counter", {}).get("name") == name)

    @property
    def seen(self) -> int:
        return self.count("seen")

    @property
    def dropped(self) -> int:
        return self.count("dropped")


class Capture:
    """dumpcap on an interface, as a context; what it could not keep up with is an error."""

    def __init__(self, lab: Lab, namespace: Namespace, interface: str):
        self.path = Path(lab.directory) / f"{interface}.pcapng"
        self.process: Process = lab.start(
            "dumpcap", "dumpcap", "-q", "-B", "256", "-i", interface, "-w", self.path, namespace=namespace
        )
        wait_for(self.path.exists, "dumpcap to start")
        self.process.wait_for_output("File:")

    def frames(self) -> list:
        """The UDP frames seen; stops the capture."""
        self.process.signal(signal.SIGINT)
        self.process.wait()
        dropped = re.search(r"Packets received/dropped on interface '?\w+'?: \d+/(\d+)", self.process.stderr)
        assert dropped and int(dropped.group(1)) == 0, self.process.stderr
        return [frame for frame in map(parse_udp, read_pcap(self.path)) if frame]
