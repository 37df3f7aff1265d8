"""`weir test --port DEVICE` where no weir-control runs: a pair of its own for the length of the test."""

from pathlib import Path

from netlab import run, wait_for
from node import OK, Measured
from topology import make_node


def daemons() -> set[str]:
    """Of all weir processes those that are daemons, with what started them."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "comm").read_text().strip() in ("weir-dataplane", "weir-control"):
                found.add((directory / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def test_measures_and_leaves_nothing_behind(lab):
    """As the README has it; the interface is in this suite's own network, where the server's API is."""
    there = lab.namespace("a")
    run("ip", "link", "add", "name", "eth1", "type", "veth", "peer", "name", "data", "netns", there.name)
    run("ip", "link", "set", "eth1", "up")
    there.run("ip", "link", "set", "data", "up")
    server = make_node(lab, "a", 1, "af_packet:data", there).start()
    before = daemons()
    arguments = server.test_arguments(server, "both", "10M", "1s", 1000, 4)
    answer = server.weir(*arguments, "--port", "af_packet:eth1,ip4=198.18.0.2/24", admin=False)
    assert answer.code == OK, answer.text
    measured = Measured(answer)
    for direction in ("down", "up"):
        assert measured[direction]["lost"] == 0
        assert measured[direction]["received"] == measured[direction]["sent"] > 1000
    assert len(server.records()) == 2
    wait_for(lambda: daemons() <= before, "the pair to be gone")
    assert "promiscuity 0" in run("ip", "-details", "link", "show", "eth1")
