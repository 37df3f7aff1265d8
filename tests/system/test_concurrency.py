"""Sessions side by side, and the budget they share."""

import pytest
from netlab import wait_for
from node import CONTROL, REFUSED, finished
from topology import make_node


@pytest.fixture
def server_and_two_clients(lab):
    middle = lab.namespace("middle")
    middle.run("ip", "link", "add", "name", "bridge", "type", "bridge", "mcast_snooping", "0")
    middle.run("ip", "link", "set", "bridge", "up")
    nodes = []
    for number, name in enumerate("abc", start=1):
        lab.veth(lab.namespace(name), "data", middle, f"to_{name}")
        middle.run("ip", "link", "set", f"to_{name}", "master", "bridge")
        budget = 20_000_000 if name == "a" else 0
        nodes.append(make_node(lab, name, number, "af_packet:data", lab.namespace(name), budget_bps=budget).start())
    return nodes


def test_two_sessions_do_not_disturb_each_other_and_a_third_is_refused(server_and_two_clients):
    server, first, second = server_and_two_clients
    tests = [client.start_test("test", server, "down", rate="10M", duration="5s") for client in (first, second)]
    server.wait_for_running(2)
    third = first.weir(*first.test_arguments(server, "down", "10M", "1s", 1000, 4))
    assert third.code == REFUSED
    assert "link_budget" in third.text
    assert "tests@example.org" in third.text
    for test in tests:
        down = finished(test)["down"]
        assert down["lost"] == down["duplicated"] == down["reordered"] == down["late"] == 0
        assert down["received"] == down["sent"]
        # Each packet that was due in 5 s left, or is counted as one that did not.
        assert down["sent"] + down["unsent"] == pytest.approx(5 * 1e7 / (8 * (1000 + 28)), abs=2)
    # The budget is whole again.
    assert first.test(server, "down", rate="20M", duration="1s")["down"]["lost"] == 0


def test_a_second_controller_does_not_get_the_seat(memif):
    server, client = memif
    other = client.directory / "second.textproto"
    other.write_text(
        client.write_config().read_text()
        .replace(str(client.dataplane_socket), str(server.dataplane_socket))
        .replace("weir.db", "second.db").replace("admin.sock", "second.sock").replace(client.address, "127.0.0.1:4998")
    )  # fmt: skip
    control = client.lab.start("second-control", CONTROL, "--config", other, "--allow-plaintext")
    wait_for(lambda: "seat" in control.stderr or not control.running(), "the second controller to say why")
    assert "seat" in control.stderr, control.stderr
    assert server.info()["dataplane_connected"]
    assert client.test(server, "down", duration="1s")["down"]["lost"] == 0
    control.stop()
