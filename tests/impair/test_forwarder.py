"""weir-impair between two raw sockets: what comes out, and in which order, is exact."""

import json
import struct
import time

import pytest
from frames import build_udp, parse_udp
from netlab import Lab, remove_leftovers
from sources import BUILD

COUNT = 60


@pytest.fixture
def lab():
    remove_leftovers()
    lab = Lab()
    try:
        middle = lab.namespace("middle")
        for name in ("left", "right"):
            lab.veth(lab.namespace(name), "eth0", middle, name)
        yield lab
    finally:
        lab.close()


def make_test_packet(sequence: int, source: str = "198.18.0.1", destination: str = "198.18.0.2",
                     dscp: int = 0) -> bytes:
    payload = struct.pack("!QII", 1, sequence, 0) + bytes(20)
    return build_udp(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", source, destination, 4000, 4001, payload, dscp)


def signal_packet(number: int) -> bytes:
    payload = b"\xff\xff\xff\1\5" + struct.pack("!I", number) + bytes(30)
    return build_udp(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", "198.18.0.1", "198.18.0.2", 4000, 4001, payload)


def receive(raw, count: int) -> list:
    """`count` UDP frames, and the proof that no more come."""
    frames = []
    while len(frames) < count:
        frames.append(parse_udp(raw.recv(2048)))
    raw.settimeout(0.3)
    with pytest.raises(TimeoutError):
        raw.recv(2048)
    return frames


class Forwarder:
    def __init__(self, lab: Lab, *options: str):
        self.left = lab.namespace("left").raw_socket("eth0")
        self.right = lab.namespace("right").raw_socket("eth0")
        self.process = lab.start("impair", BUILD / "tests/impair/weir-impair", "af_packet:left", "af_packet:right",
                                 *options, namespace=lab.namespace("middle"))
        self.process.wait_for_output("ready")

    def counts(self) -> dict:
        assert self.process.stop() == 0, self.process.stderr
        return json.loads(self.process.stdout.splitlines()[-1])


def sequences(lab: Lab, expected: int, *options: str, packet=make_test_packet) -> tuple[list[int], dict]:
    forwarder = Forwarder(lab, *options)
    for sequence in range(COUNT):
        forwarder.left.send(packet(sequence))
    frames = receive(forwarder.right, expected)
    assert all(frame.checksums_valid for frame in frames)
    return [frame.sequence for frame in frames], forwarder.counts()


def test_forwards_both_ways_untouched(lab):
    forwarder = Forwarder(lab)
    forwarder.left.send(make_test_packet(7))
    assert forwarder.right.recv(2048) == make_test_packet(7)
    forwarder.right.send(make_test_packet(8))
    received = forwarder.left.recv(2048)
    while received == make_test_packet(7):  # Our own packet, seen leaving.
        received = forwarder.left.recv(2048)
    assert received == make_test_packet(8)
    counts = forwarder.counts()
    assert counts["forward"]["forwarded"] == 1 and counts["reverse"]["forwarded"] == 1


@pytest.mark.parametrize("source,destination", [("198.18.0.1", "198.18.0.2"), ("2001:db8::1", "2001:db8::2")])
def test_drops_every_nth_and_the_listed(lab, source, destination):
    arrived, counts = sequences(lab, COUNT - 7, "--drop-every", "10", "--drop", "3",
                                packet=lambda number: make_test_packet(number, source, destination))
    assert arrived == [n for n in range(COUNT) if n % 10 != 9 and n != 3]
    assert counts["forward"]["dropped"] == 7
    assert counts["forward"]["test_packets"] == COUNT


def test_duplicates(lab):
    arrived, counts = sequences(lab, COUNT + 2, "--duplicate", "0,30")
    assert arrived == sorted([*range(COUNT), 0, 30])
    assert counts["forward"]["duplicated"] == 2


def test_swaps_by_distance(lab):
    arrived, counts = sequences(lab, COUNT, "--swap", "4", "--swap-distance", "3")
    assert arrived == [0, 1, 2, 3, 5, 6, 7, 4, *range(8, COUNT)]
    assert counts["forward"]["swapped"] == 1


def test_signals_pass_untouched(lab):
    forwarder = Forwarder(lab, "--drop-every", "1")
    forwarder.left.send(make_test_packet(0))
    for number in range(5):
        forwarder.left.send(signal_packet(number))
    assert all(frame.is_signal for frame in receive(forwarder.right, 5))
    assert forwarder.counts()["forward"]["dropped"] == 1


def test_delays(lab):
    forwarder = Forwarder(lab, "--delay-us", "50000", "--realtime")
    sent = time.monotonic()
    forwarder.left.send(make_test_packet(0))
    forwarder.right.recv(2048)
    assert 0.05 <= time.monotonic() - sent < 0.5


@pytest.mark.parametrize("source,destination", [("198.18.0.1", "198.18.0.2"), ("2001:db8::1", "2001:db8::2")])
def test_delays_one_dscp_and_says_for_how_long(lab, source, destination):
    forwarder = Forwarder(lab, "--delay-us", "300000", "--delay-dscp", "10", "--realtime")
    for sequence, dscp in enumerate((10, 0, 46)):
        forwarder.left.send(make_test_packet(sequence, source, destination, dscp))
    assert [frame.sequence for frame in receive(forwarder.right, 3)] == [1, 2, 0]
    counts = forwarder.counts()["forward"]
    assert counts["delayed"] == 1 and counts["held_p50_ns"] >= 300_000_000


def test_a_port_that_is_none(lab):
    process = lab.start("wrong", BUILD / "tests/impair/weir-impair", "eth0", "eth1")
    assert process.wait() == 1
    assert "eth0" in process.stderr
