"""A port that has been up for long measures as it did at first."""

import struct
import time

import pytest
from frames import ARP
from netlab import wait_for

# More than any port's pool has buffers: each that the slow path frees brings the next one round.
FRAMES = 20_000
BROADCAST = b"\xff" * 6


def gratuitous_arp() -> bytes:
    mac, ip = bytes.fromhex("020000000077"), bytes([198, 18, 0, 77])
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, ip, bytes(6), ip)
    return (BROADCAST + mac + struct.pack("!H", ARP) + body).ljust(60, b"\0")


def received(namespace) -> int:
    """Packets that the interface has handed to whoever reads it."""
    return int(namespace.run("cat", "/sys/class/net/data/statistics/rx_packets"))


@pytest.mark.parametrize("direction", ["down", "up"])
def test_after_every_buffer_was_used_once(lab, bridged, direction):
    server, client = bridged
    sender, port = (server, "to_a") if direction == "down" else (client, "to_b")
    middle = server.lab.namespace("middle")
    before = received(sender.network)
    with middle.raw_socket(port) as raw:
        for _ in range(FRAMES // 50):
            for _ in range(50):
                raw.send(gratuitous_arp())
            time.sleep(0.005)  # Not so fast that the slow path leaves some to the worker.
    wait_for(lambda: received(sender.network) - before >= FRAMES, "the frames to arrive")
    result = client.test(server, direction, rate="20M", duration="1s")[direction]
    assert result["lost"] == 0
    assert result["received"] == result["sent"] > 1000
