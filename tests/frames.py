"""Ethernet frames with UDP: built and taken apart with struct alone."""

import ipaddress
import struct
from dataclasses import dataclass

IPV4, IPV6, VLAN, ARP = 0x0800, 0x86DD, 0x8100, 0x0806
UDP = 17
SIGNAL = b"\xff\xff\xff"  # The slot that names no flow: proto/README.md section 5.2.
TEST_PACKET_BYTES = 18


def ones_sum(data: bytes) -> int:
    """Ones' complement sum of 16-bit words (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data: bytes) -> int:
    return ~ones_sum(data) & 0xFFFF


@dataclass(frozen=True)
class UdpFrame:
    """One parsed frame."""

    source_mac: bytes
    destination_mac: bytes
    source: str
    destination: str
    source_port: int
    destination_port: int
    payload: bytes
    ip_length: int  # IP layer bytes.
    version: int
    checksums_valid: bool  # UDP's (not zero), and the IPv4 header's.
    dont_fragment: bool
    identification: int

    @property
    def is_signal(self) -> bool:
        return self.payload[:3] == SIGNAL

    @property
    def is_test_packet(self) -> bool:
        return len(self.payload) >= TEST_PACKET_BYTES and not self.is_signal

    @property
    def signal_type(self) -> int:
        return self.payload[4]

    @property
    def sequence(self) -> int:
        return struct.unpack_from("!I", self.payload, 8)[0]


def parse_udp(frame: bytes) -> UdpFrame | None:
    """None if the frame is not UDP over IPv4 or IPv6, or is cut short."""
    if len(frame) < 14:
        return None
    at, kind = 14, struct.unpack_from("!H", frame, 12)[0]
    if kind == VLAN:
        at, kind = 18, struct.unpack_from("!H", frame, 16)[0]
    packet = frame[at:]
    flags = identification = 0
    if kind == IPV4 and len(packet) >= 28 and packet[9] == UDP:
        header = (packet[0] & 15) * 4
        length, identification, flags = struct.unpack_from("!HHH", packet, 2)
        source, destination = packet[12:16], packet[16:20]
        valid = ones_sum(packet[:header]) == 0xFFFF
    elif kind == IPV6 and len(packet) >= 48 and packet[6] == UDP:
        header = 40
        length = 40 + struct.unpack_from("!H", packet, 4)[0]
        source, destination = packet[8:24], packet[24:40]
        valid = True
    else:
        return None
    if length > len(packet):
        return None
    segment = packet[header:length]
    ports = struct.unpack_from("!HHHH", segment)
    pseudo = source + destination + struct.pack("!II", len(segment), UDP)
    return UdpFrame(
        source_mac=frame[6:12],
        destination_mac=frame[0:6],
        source=str(ipaddress.ip_address(source)),
        destination=str(ipaddress.ip_address(destination)),
        source_port=ports[0],
        destination_port=ports[1],
        payload=segment[8:],
        ip_length=length,
        version=4 if kind == IPV4 else 6,
        checksums_valid=valid and ports[3] != 0 and ones_sum(pseudo + segment) == 0xFFFF,
        dont_fragment=bool(flags & 0x4000),
        identification=identification,
    )


def build_udp(source_mac, destination_mac, source: str, destination: str, source_port: int, destination_port: int,
              payload: bytes, dscp: int = 0) -> bytes:
    """A frame with right checksums."""
    from_ip, to_ip = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    length = 8 + len(payload)
    segment = struct.pack("!HHHH", source_port, destination_port, length, 0) + payload
    pseudo = from_ip.packed + to_ip.packed + struct.pack("!II", length, UDP)
    value = checksum(pseudo + segment) or 0xFFFF
    segment = segment[:6] + struct.pack("!H", value) + segment[8:]
    if from_ip.version == 4:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, dscp << 2, 20 + length, 0, 0x4000, 64, UDP, 0, from_ip.packed, to_ip.packed)
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        kind = IPV4
    else:
        header = struct.pack("!IHBB16s16s", 6 << 28 | dscp << 22, length, UDP, 64, from_ip.packed, to_ip.packed)
        kind = IPV6
    return destination_mac + source_mac + struct.pack("!H", kind) + header + segment


def read_pcap(path) -> list[bytes]:
    """The frames of a pcap or pcapng file as dumpcap writes it, in order."""
    with open(path, "rb") as file:
        data = file.read()
    frames = []
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        at = 0
        while at + 12 <= len(data):
            kind, length = struct.unpack_from("<II", data, at)
            if at + length > len(data):
                break  # A block cut short by the end of the capture.
            if kind == 6:  # Enhanced packet block.
                captured = struct.unpack_from("<I", data, at + 20)[0]
                frames.append(data[at + 28:at + 28 + captured])
            at += length
        return frames
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames
