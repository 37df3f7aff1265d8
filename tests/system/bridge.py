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


class Hook:
    """nftables where packets enter an interface, as a context. `peer` and `peer_interface`: where
    what is sent enters there. `counters` names what `rules` count."""

    def __init__(self, at: Namespace, interface: str, peer: Namespace, peer_interface: str, rules: str,
                 counters: tuple[str, ...], sets: str = ""):
        self.at = at
        self.peer, self.peer_interface = peer, peer_interface
        declared = "\n".join(f"counter {name} {{}}" for name in ("probes", *counters))
        self.table = f"""
            table netdev weir {{
              {declared}
              {sets}
              chain ingress {{
                type filter hook ingress device "{interface}" priority 0;
                ether type 0x88b5 counter name probes drop
                {rules}
              }}
            }}"""

    def __enter__(self):
        self.at.run("nft", "-f", "-", input=self.table)
        # The kernel patches a first hook into its receive path in its own time.
        with self.peer.raw_socket(self.peer_interface) as raw:
            wait_for(lambda: raw.send(bytes(12) + PROBE + bytes(46)) and self.count("probes"), "nftables to see packets")
        return self

    def __exit__(self, *_):
        self.at.run("nft", "delete", "table", "netdev", "weir")

    def count(self, name: str) -> int:
        listing = json.loads(self.at.run("nft", "-j", "list", "counters"))["nftables"]
        return next(item["counter"]["packets"] for item in listing if item.get("counter", {}).get("name") == name)


class Dropper(Hook):
    """Where what node `name` sends enters the bridge: test packets are dropped by `rule` and counted.

    `load_only`: from a sender's first test packet on its signals are dropped too, so that whatever
    the receiving port misses is a test packet. The receiver then answers with the last nonce it
    got, which the sender takes for 3 s (proto/README.md section 5.4): enough for a short test."""

    def __init__(self, lab: Lab, name: str, rule: str = "", load_only: bool = False):
        rules = [f"{packets} counter name seen" for packets in TEST_PACKETS]
        if rule:
            rules += [f"{packets} {rule} counter name dropped drop" for packets in TEST_PACKETS]
        if load_only:
            rules += [f"{packets} update @loading {{ ether saddr }} accept" for packets in TEST_PACKETS]
            rules += ["ether saddr @loading drop"]
        super().__init__(lab.namespace("middle"), f"to_{name}", lab.namespace(name), "data", "\n".join(rules),
                         ("seen", "dropped"), "set loading { type ether_addr; flags dynamic; }" if load_only else "")

    @property
    def seen(self) -> int:
        return self.count("seen")

    @property
    def dropped(self) -> int:
        return self.count("dropped")


class Arrivals(Hook):
    """Where packets enter node `name`'s interface: counts the test packets that its kernel had for
    the dataplane's AF_PACKET sockets, whether these had room or not."""

    def __init__(self, lab: Lab, name: str):
        rules = "\n".join(f"{packets} counter name arrived" for packets in TEST_PACKETS)
        super().__init__(lab.namespace(name), "data", lab.namespace("middle"), f"to_{name}", rules, ("arrived",))

    @property
    def arrived(self) -> int:
        return self.count("arrived")


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
