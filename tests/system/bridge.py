"""What the middle namespace does to packets, and what it sees: nftables and dumpcap."""

import json
import re
import signal
import struct
import time
from pathlib import Path

from frames import parse_udp, read_pcap
from netlab import Lab, Namespace, Process, wait_for

# Weir test packets, IPv4 and IPv6: UDP whose payload does not begin with the signals' mark. By
# offset from the network header: "meta l4proto" misses an IPv6 packet now and then at ingress.
TEST_PACKETS = ("ip protocol udp @nh,224,24 != 0xffffff", "ip6 nexthdr udp @nh,384,24 != 0xffffff")
PROBE = struct.pack("!H", 0x88B5)  # An EtherType for local experiments.


class Dropper:
    """nftables where what node `name` sends enters the bridge: drops test packets and counts
    them, as a context."""

    def __init__(self, lab: Lab, name: str, rule: str):
        self.middle = lab.namespace("middle")
        self.sender = lab.namespace(name)
        rules = "\n".join(
            f"{packets} counter name seen\n{packets} {rule} counter name dropped drop" for packets in TEST_PACKETS
        )
        self.table = f"""
            table netdev weir {{
              counter probes {{}}
              counter seen {{}}
              counter dropped {{}}
              chain ingress {{
                type filter hook ingress device "to_{name}" priority 0;
                ether type 0x88b5 counter name probes drop
                {rules}
              }}
            }}"""

    def __enter__(self):
        self.middle.run("nft", "-f", "-", input=self.table)
        # The kernel patches a first hook into its receive path in its own time.
        with self.sender.raw_socket("data") as raw:
            wait_for(lambda: raw.send(bytes(12) + PROBE + bytes(46)) and self.count("probes"), "nftables to see packets")
        return self

    def __exit__(self, *_):
        self.middle.run("nft", "delete", "table", "netdev", "weir")

    def count(self, name: str) -> int:
        listing = json.loads(self.middle.run("nft", "-j", "list", "counters"))["nftables"]
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
        # dumpcap throws away what it has not yet fetched: until nothing more is written.
        size = -1
        while size != (size := self.path.stat().st_size):
            time.sleep(1.2)
        self.process.signal(signal.SIGINT)
        self.process.wait()
        dropped = re.search(r"Packets received/dropped on interface '?\w+'?: \d+/(\d+)", self.process.stderr)
        assert dropped and int(dropped.group(1)) == 0, self.process.stderr
        return [frame for frame in map(parse_udp, read_pcap(self.path)) if frame]
