"""Two nodes and what is between them."""

import itertools

from netlab import Lab, Namespace, Process, wait_for
from node import Node, worker_cpus
from sources import BUILD

_ports = itertools.count(4100)


def make_node(lab: Lab, name: str, number: int, device: str, network: Namespace | None = None, **options) -> Node:
    """A node that is not started; number 1 and 2 are neighbours on the data link."""
    if device.startswith("memif:"):
        options.setdefault("budget_bps", 100_000_000_000)  # Shared memory has no rate of its own.
    return Node(
        lab=lab,
        name=name,
        device=device,
        ip4=f"198.18.0.{number}/24",
        ip6=f"2001:db8:18::{number}/64",
        cpu=options.pop("cpu", worker_cpus()[(number - 1) % 2]),
        network=network,
        api_port=next(_ports),
        **options,
    )


def memif_pair(lab: Lab, **options) -> tuple[Node, Node]:
    """A server and a client on shared memory; `options` are the server's."""
    socket = lab.directory / "link.sock"
    server = make_node(lab, "a", 1, f"memif:{socket},role=server", **options)
    client = make_node(lab, "b", 2, f"memif:{socket},role=client")
    return linked(server.start(), client.start())


def linked(*nodes: Node) -> tuple[Node, ...]:
    """The same nodes, once shared memory connects them."""
    for node in nodes:
        wait_for(lambda node=node: any(port["link_up"] for port in node.info().get("ports", [])), f"{node.name}'s link")
    return nodes


def bridged_pair(lab: Lab, driver: str, **options) -> tuple[Node, Node]:
    """A server and a client, each on a veth, and a bridge between them in a middle namespace
    whose ports are called to_a and to_b."""
    middle = lab.namespace("middle")
    middle.run("ip", "link", "add", "name", "bridge", "type", "bridge", "mcast_snooping", "0")
    middle.run("ip", "link", "set", "bridge", "up")
    nodes = []
    for number, name in ((1, "a"), (2, "b")):
        lab.veth(lab.namespace(name), "data", middle, f"to_{name}")
        middle.run("ip", "link", "set", f"to_{name}", "master", "bridge")
        more = options if name == "a" else {}
        nodes.append(make_node(lab, name, number, f"{driver}:data", lab.namespace(name), **more).start())
    return nodes[0], nodes[1]


def impaired_pair(lab: Lab, *impairments: str, **options) -> tuple[Node, Node, Process]:
    """A server and a client with weir-impair between: "forward" is from server to client. `options` are both nodes'."""
    server_link, client_link = lab.directory / "server.sock", lab.directory / "client.sock"
    server = make_node(lab, "a", 1, f"memif:{server_link},role=server", **options).start()
    client = make_node(lab, "b", 2, f"memif:{client_link},role=server", **options).start()
    impair = lab.start("impair", BUILD / "tests/impair/weir-impair", f"memif:{server_link}", f"memif:{client_link}",
                       "--realtime", *impairments)  # fmt: skip
    impair.wait_for_output("ready")
    linked(server, client)
    return server, client, impair
