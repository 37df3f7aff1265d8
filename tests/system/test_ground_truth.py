"""Weir's counts against nftables' and a capture's, with a bridge between the nodes."""

import pytest
from bridge import Capture, Dropper

VERSIONS = pytest.mark.parametrize("ip", [4, 6])


@VERSIONS
def test_loss_equals_what_nftables_dropped(bridged, ip):
    server, client = bridged
    with Dropper(client.lab, "a", "numgen inc mod 100 == 42", load_only=True) as dropper:
        down = client.test(server, "down", duration="1500ms", ip=ip)["down"]
        dropped, seen = dropper.dropped, dropper.seen
    assert seen == down["sent"]
    assert dropped > 10
    assert down["lost"] == dropped + down["receiver_port_missed"]
    assert down["received"] + down["lost"] == down["sent"]
    assert down["duplicated"] == down["reordered"] == down["late"] == 0


@VERSIONS
def test_loss_of_the_last_packets_is_counted(bridged, ip):
    """What was sent after the last packet that arrived is in the final sequence alone."""
    server, client = bridged
    keep = 1000
    with Dropper(client.lab, "b", f"numgen inc mod 1000000 >= {keep}") as dropper:
        up = client.test(server, "up", rate="10M", ip=ip)["up"]
        dropped = dropper.dropped
    assert up["received"] == keep
    assert up["lost"] == dropped == up["sent"] - keep


@VERSIONS
def test_capture_has_valid_checksums_and_the_same_count(bridged, ip):
    server, client = bridged
    capture = Capture(client.lab, client.lab.namespace("middle"), "to_b")
    down = client.test(server, "down", payload=1472 if ip == 4 else 1452, ip=ip)["down"]
    frames = capture.frames()
    assert all(frame.checksums_valid for frame in frames)
    load = [frame for frame in frames if frame.is_test_packet]
    assert len(load) == down["sent"] == down["received"]
    assert [frame.sequence for frame in load] == list(range(down["sent"]))
    assert {frame.version for frame in load} == {ip}
    assert {frame.ip_length for frame in load} == {1500}
    assert {frame.source for frame in load} == {server.ip[ip]}
    if ip == 4:
        assert all(frame.dont_fragment and frame.identification == 0 for frame in load)
