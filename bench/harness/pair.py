"""Two Weir nodes with a weir-dataplane and a weir-control each, as the system tests make them, placed
on CPUs as the peers are: "a" sends on the measured CPU, "b" receives on the second one."""

import itertools
from contextlib import contextmanager

from harness.error import BenchError
from harness.machine import Cpus, affinity, cpu_list
from netlab import Lab, Namespace, Process, enter_private_network, remove_leftovers
from node import Node
from topology import linked

# weir-control and weir speak over a loopback of this program's own.
_entered: list[bool] = []
_ports = itertools.count(4400)
PROGRAMS = ("dataplane/weir-dataplane", "control/weir-control", "control/cli/weir")
SHARED_MEMORY_BPS = 400_000_000_000  # More than it carries, so that no admission limits it.
IP = {"a": "198.18.0.1", "b": "198.18.0.2"}


class Laboratory(Lab):
    """A Lab as a context; this program is in a network of its own from the first one on."""

    def __enter__(self) -> "Laboratory":
        if not _entered:
            enter_private_network()
            remove_leftovers()
            _entered.append(True)
        return self

    def __exit__(self, *_) -> None:
        self.close()


class PlacedNode(Node):
    """Its worker has a CPU, everything else of it the helpers' CPUs."""

    helpers: frozenset[int] = frozenset()

    def start(self) -> "PlacedNode":
        self.directory.mkdir(exist_ok=True)  # Of the round before.
        self.start_dataplane()
        self.start_control()
        return self

    def start_dataplane(self) -> Process:
        self.dataplane_options = ["--main-cpus", cpu_list(self.helpers), *self.dataplane_options]
        with affinity(self.helpers | {self.cpu}):
            return super().start_dataplane()


def place(lab: Lab, name: str, device: str, cpus: Cpus, network: Namespace | None = None, budget_bps: int = 0,
          options: tuple[str, ...] = ()) -> PlacedNode:
    """A node that is not started."""
    node = PlacedNode(
        lab=lab, name=name, device=device, ip4=f"{IP[name]}/24", ip6=f"2001:db8:18::{1 if name == 'a' else 2}/64",
        cpu=cpus.worker if name == "a" else cpus.second, network=network, api_port=next(_ports), budget_bps=budget_bps,
        dataplane_options=list(options),
    )  # fmt: skip
    node.helpers = cpus.helpers
    return node


def memif_pair(lab: Lab, cpus: Cpus, mtu: int = 0) -> tuple[PlacedNode, PlacedNode]:
    """On shared memory. Node a's driver copies what it sends, so b's memory it is: as testpmd's pair."""
    socket = lab.directory / "link.sock"
    more = f",mtu={mtu}" if mtu else ""
    a = place(lab, "a", f"memif:{socket},role=server{more}", cpus, budget_bps=SHARED_MEMORY_BPS)
    b = place(lab, "b", f"memif:{socket},role=client{more}", cpus, budget_bps=SHARED_MEMORY_BPS)
    return linked(a.start(), b.start())


@contextmanager
def veth_pair(lab: Lab, cpus: Cpus, drivers: tuple[str, str]):
    """On the ends "data" of a veth between the namespaces a and b, which must exist. Afterwards the ends are the
    kernel's again: a dataplane without privileges cannot take its XDP program back."""
    nodes = [place(lab, name, f"{driver}:data", cpus, lab.namespace(name)) for name, driver in zip("ab", drivers)]
    try:
        yield linked(*(node.start() for node in nodes))
    finally:
        for node in nodes:
            if node.control:
                node.control.stop()
            if node.dataplane:
                node.dataplane.stop()
        for name in "ab":
            lab.namespace(name).run("ip", "link", "set", "data", "xdp", "off")


def run_test(sender: Node, receiver: Node, rate: str, seconds: float, payload: int, streams: int = 1) -> dict:
    """The result of `weir test` from `sender` (the server) to `receiver` (the client)."""
    more = ("--streams", streams) if streams != 1 else ()
    arguments = receiver.test_arguments(sender, "down", rate, f"{seconds}s", payload, 4, *more)
    answer = receiver.weir(*arguments, timeout_s=60 + seconds)
    if answer.code != 0:
        raise BenchError(f"weir test ended with {answer.code}: {answer.text.strip()[-500:]}")
    result = answer.json["results"][0]
    if not result.get("received"):
        said = {name: result.get(name) for name in ("sent", "unsent", "lost", "late", "duplicated", "limit_detail")}
        raise BenchError(f"weir test received nothing: {answer.json.get('end_reason')}, {said}")
    return result


def sink_packets_per_second(result: dict) -> float:
    """What the sink itself counted, between its first and its last packet."""
    span_ns = result["last_rx_unix_ns"] - result["first_rx_unix_ns"]
    if span_ns <= 0:
        raise BenchError("weir test received a single packet")
    return (result["received"] - 1) * 1e9 / span_ns
