"""Two workers on the queues of one port: whichever queue a packet comes in on, it is counted once."""

import json

import pytest
from conftest import laboratory
from node import worker_cpus
from topology import bridged_pair, impaired_pair, linked, make_node

# Two CPUs, or twice the same one.
CPUS = ",".join(map(str, sorted(set(worker_cpus()))))
TWO_WORKERS = {"cpu": CPUS, "dataplane_options": ["--workers", "2"]}

pytestmark = pytest.mark.skipif("," not in CPUS, reason="two workers need two CPUs")


@pytest.fixture(scope="module")
def pair():
    with laboratory() as lab:
        socket = lab.directory / "link.sock"
        server = make_node(lab, "a", 1, f"memif:{socket},role=server", **TWO_WORKERS)
        client = make_node(lab, "b", 2, f"memif:{socket},role=client", **TWO_WORKERS)
        yield linked(server.start(), client.start())


def packets_of_workers(node, direction: str) -> list[int]:
    """Since the dataplane was started."""
    answer = node.weir("top", "--once", "--interval", "100ms", "--json")
    assert answer.code == 0, answer.text
    return [worker.get(f"{direction}_packets", 0) for worker in answer.json["workers"]]


def assert_exact(result: dict) -> None:
    assert result["sent"] == result["received"] + result["lost"]
    assert result["lost"] == result["duplicated"] == result["reordered"] == result["late"] == 0


def test_both_workers_send_and_receive_and_nothing_is_lost(pair):
    server, client = pair
    measured = client.test(server, "both", rate="60M", duration="1s", more=("--streams", 4))
    for direction in ("down", "up"):
        assert_exact(measured[direction])
    for node in pair:
        assert all(packets_of_workers(node, "tx")) and all(packets_of_workers(node, "rx"))


def test_placement_and_what_shares_out_the_queues_is_said(pair):
    for node in pair:
        said = node.dataplane.stderr
        assert "worker 0: port data, lcore 1" in said and "worker 1: port data, lcore 2" in said
        assert "3 RX queue(s) for 2 workers, shared out by the device's own choice: it has no RSS" in said


@pytest.mark.parametrize("streams", [1, 3])
def test_packets_of_a_flow_on_all_queues_are_counted_once(lab, streams):
    """Every third packet changes queue and so worker; every 50th is dropped on the way."""
    server, client, impair = impaired_pair(
        lab, "--workers", "2", "--spread", "2", "--drop-every", "50", **TWO_WORKERS
    )
    down = client.test(server, "down", duration="3s", more=("--streams", streams))["down"]
    assert impair.stop() == 0, impair.stderr
    did = json.loads(impair.stdout.splitlines()[-1])["forward"]
    assert did["test_packets"] == down["sent"]
    assert down["lost"] == did["dropped"] > 10
    assert down["received"] == down["sent"] - did["dropped"]
    assert down["duplicated"] == down["reordered"] == down["late"] == 0
    assert all(count > 100 for count in packets_of_workers(client, "rx"))
    # Shared memory takes no rules, and the node says so once.
    assert client.dataplane.stderr.count("steers no flows") == 1


def test_kernel_port_with_two_workers(lab):
    """The kernel's fanout puts each flow on one of three sockets."""
    server, client = bridged_pair(lab, "af_packet")
    for node in (server, client):
        node.stop()
        node.cpu, node.dataplane_options = TWO_WORKERS["cpu"], TWO_WORKERS["dataplane_options"]
        node.start_dataplane()
        node.start_control()
    measured = client.test(server, "both", duration="1s", more=("--streams", 8))
    for direction in ("down", "up"):
        result = measured[direction]
        assert result["sent"] == result["received"] + result["lost"]
        assert result["lost"] >= result["receiver_port_missed"]
        assert result["duplicated"] == result["reordered"] == result["late"] == 0
