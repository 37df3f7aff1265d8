"""DESIGN section 7: whatever dies, load stops and every session is stored exactly once."""

import signal
import socket
import time

from netlab import wait_for
from node import ABORTED, CONTROL
from topology import bridged_pair, linked, make_node, memif_pair
from watch import Watch

LEASE_S = 2.0  # The control lease.
PEER_LEASE_S = 0.25
PORT_VANISHED = 4  # weir-dataplane's exit code.
SLACK_S = 0.25  # For two shared cores; the time stamps are the kernel's.


def sole_record(node) -> dict:
    records = node.records()
    assert len(records) == 1, records
    return records[0]


def test_control_killed_in_the_middle_of_a_test(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Watch(lab.namespace("middle"), "to_b") as watch:
        test = client.start_test("test", server)
        watch.wait_for_load()
        server.control.kill()
        killed = time.time()
        last = watch.wait_for_silence(1.0)
        assert last - killed <= LEASE_S + SLACK_S
    assert test.wait() == ABORTED
    server.start_control()
    record = wait_for(lambda: server.records(), "the session to be exported")[0]
    assert record["outcome"] == "ABORTED"
    assert record["end_reason"]
    # Exported once, however often control starts.
    server.control.stop()
    server.start_control()
    assert sole_record(server)["record_id"] == record["record_id"]
    # The node is whole again.
    client.test(server, "down", duration="1s")


def test_control_stopped_in_the_middle_of_a_test(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Watch(lab.namespace("middle"), "to_b") as watch:
        client.start_test("test", server)
        watch.wait_for_load()
        server.control.signal(signal.SIGSTOP)
        stopped = time.time()
        last = watch.wait_for_silence(1.0)
        assert last - stopped <= LEASE_S + SLACK_S
    # The seat is free for another control, which has a store and sockets of its own.
    sleeper = server.control
    config = server.directory / "other.textproto"
    config.write_text(
        server.write_config().read_text()
        .replace("weir.db", "other.db").replace("admin.sock", "other.sock").replace(server.address, "127.0.0.1:4999")
    )  # fmt: skip
    other = lab.start("other-control", CONTROL, "--config", config, "--allow-plaintext")

    def seated():
        answer = server.weir("--admin", server.directory / "other.sock", "info", "--json", admin=False)
        return answer.code == 0 and answer.json.get("dataplane_connected")

    wait_for(seated, "another control to get the seat")
    sleeper.signal(signal.SIGCONT)
    time.sleep(1)
    assert sleeper.running() and other.running()
    assert seated()


def test_dataplane_killed_in_the_middle_of_a_test(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Watch(lab.namespace("middle"), "to_b") as watch:
        test = client.start_test("test", server)
        watch.wait_for_load(1000)
        server.dataplane.kill()
        assert test.wait() == ABORTED
    record = wait_for(lambda: server.records(), "the session to be exported")[0]
    assert record["outcome"] == "ABORTED"
    assert int(record["result"]["sent"]) > 0  # From the last snapshot.
    # Control finds the next dataplane by itself.
    server.start_dataplane()
    wait_for(lambda: server.info().get("dataplane_connected"), "control to find the new dataplane")
    client.test(server, "down", duration="1s")


def test_client_killed_in_the_middle_of_a_test(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Watch(lab.namespace("middle"), "to_a") as watch:
        test = client.start_test("test", server)
        watch.wait_for_load()
        for process in (client.dataplane, client.control, test):
            process.signal(signal.SIGKILL)
        killed = time.time()
        last = watch.wait_for_silence(1.0)
        assert last - killed <= PEER_LEASE_S + SLACK_S
        record = wait_for(lambda: server.records(), "the session to be exported", timeout_s=5)[0]
    assert record["outcome"] == "ABORTED"


def test_memif_client_killed_at_full_load(lab):
    """Its rings go with it while the server reads and writes them. The server serves the next client."""
    server, client = memif_pair(lab)
    for _ in range(3):
        test = client.start_test("test", server, rate="max", direction="both")
        server.wait_for_running()
        time.sleep(0.3)
        client.dataplane.kill()
        assert test.wait() == ABORTED
        client.start_dataplane()
        linked(server, client)
    assert server.dataplane.running()
    client.test(server, "down", duration="1s")


def test_memif_client_that_was_turned_away_tries_again(lab):
    """As by a server that listens, but has not started its device yet."""
    path = lab.directory / "link.sock"
    server = make_node(lab, "a", 1, f"memif:{path},role=server")
    client = make_node(lab, "b", 2, f"memif:{path},role=client")
    client.directory.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as early:
        early.bind(str(path))
        early.listen()
        client.start_dataplane()
        early.accept()[0].close()
    path.unlink()
    server.start()
    client.start_control()
    linked(server, client)
    client.test(server, "down", duration="1s")


def test_memif_server_killed_at_full_load(lab):
    """A client can not connect again: it says so, and leaves."""
    server, client = memif_pair(lab)
    test = client.start_test("test", server, rate="max", direction="both")
    client.wait_for_running()
    time.sleep(0.3)
    server.dataplane.kill()
    assert client.dataplane.wait() == PORT_VANISHED, client.dataplane.stderr
    assert test.wait() == ABORTED


def test_first_signal_drains_control_second_ends_it(lab):
    server, client = memif_pair(lab)
    test = client.start_test("test", server, duration="5s")
    server.wait_for_running()
    server.control.signal(signal.SIGTERM)
    wait_for(lambda: server.info().get("draining"), "control to drain")
    refused = client.weir(*client.test_arguments(server, "down", "1M", "1s", 1000, 4))
    assert refused.code in (3, 4), refused.text  # No new session.
    assert test.wait() == 0, test.stdout + test.stderr  # The running one finishes.
    assert server.control.wait() == 0

    client.start_test("endless", server.start_control() and server, duration="20s")
    server.wait_for_running()
    server.control.signal(signal.SIGTERM)
    wait_for(lambda: server.info().get("draining"), "control to drain")
    server.control.signal(signal.SIGTERM)
    assert server.control.wait() == 1
