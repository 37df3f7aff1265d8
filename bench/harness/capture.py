"""When the kernel received each packet: a packet socket's ring that is large enough for a whole run
and read only afterwards, so that watching costs the run a copy of 60 bytes a packet and no more."""

import ctypes
import mmap
import socket
import struct
from dataclasses import dataclass

from harness.error import BenchError
from netlab import Namespace

# linux/if_packet.h, asm-generic/socket.h
SOL_PACKET, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, TPACKET_V2 = 263, 5, 6, 10, 1
SO_ATTACH_FILTER, SO_TIMESTAMPNS = 26, 35
ETH_P_IP = 0x0800
FRAME, BLOCK = 128, 1 << 20
SNAP = 56  # Ethernet, IPv4, UDP and the first bytes behind; what fits into FRAME.
# Words of struct tpacket2_hdr.
STATUS, SECONDS, NANOSECONDS, WORDS = 0, 4, 5, FRAME // 4


@dataclass(frozen=True)
class Arrivals:
    """Times in ns of CLOCK_REALTIME, stamped when the kernel took the packet from the device."""

    ns: list[int]

    @property
    def gaps_ns(self) -> list[int]:
        return [after - before for before, after in zip(self.ns, self.ns[1:])]


def udp_of_payload(payload: int) -> bytes:
    """A socket filter: IPv4, UDP, this many bytes behind UDP, not a signal of Weir's."""
    load_half, load_byte, load_word, equal, accept = 0x28, 0x30, 0x20, 0x15, 0x06
    program = [
        (load_half, 0, 0, 12), (equal, 0, 8, ETH_P_IP),
        (load_byte, 0, 0, 14 + 9), (equal, 0, 6, socket.IPPROTO_UDP),
        (load_half, 0, 0, 14 + 20 + 4), (equal, 0, 4, 8 + payload),
        (load_word, 0, 0, 14 + 20 + 8), (0x54, 0, 0, 0xFFFFFF00), (equal, 1, 0, 0xFFFFFF00),
        (accept, 0, 0, SNAP), (accept, 0, 0, 0),
    ]  # fmt: skip
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


class Capture:
    """From entry to arrivals(), at most `packets` of one payload size on an interface."""

    def __init__(self, namespace: Namespace, interface: str, payload: int, packets: int):
        self.packets = packets
        blocks = -(-packets * FRAME // BLOCK)
        with namespace.entered():
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            program = ctypes.create_string_buffer(udp_of_payload(payload))
            instructions = (len(program) - 1) // 8
            attached = struct.pack("HP", instructions, ctypes.addressof(program))
            self.raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, attached)
            self.raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.raw.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
            ring = struct.pack("IIII", BLOCK, blocks, FRAME, blocks * BLOCK // FRAME)
            self.raw.setsockopt(SOL_PACKET, PACKET_RX_RING, ring)
            self.ring = mmap.mmap(self.raw.fileno(), blocks * BLOCK)
            self.slots = blocks * BLOCK // FRAME
            self.raw.bind((interface, ETH_P_IP))
        except OSError as error:
            self.raw.close()
            raise BenchError(f"cannot watch {interface}: {error}") from error

    def __enter__(self) -> "Capture":
        return self

    def __exit__(self, *_) -> None:
        self.ring.close()
        self.raw.close()

    def arrivals(self) -> Arrivals:
        """All so far. A packet that found no room is an error."""
        seen, dropped = struct.unpack("II", self.raw.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            raise BenchError(f"the capture had room for {self.slots} packets and missed {dropped}")
        with memoryview(self.ring) as view, view.cast("I") as words:
            count = next((n for n in range(seen, 0, -1) if words[(n - 1) * WORDS + STATUS]), 0)
            end = count * WORDS
            seconds, rest = words[SECONDS:end:WORDS].tolist(), words[NANOSECONDS:end:WORDS].tolist()
        if count < 2:
            raise BenchError("the kernel received no packets of the test")
        return Arrivals([s * 1_000_000_000 + ns for s, ns in zip(seconds, rest)])
