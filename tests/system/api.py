"""The public API and the packets of proto/README.md, spoken by a second implementation: what
an attacker would write. Only the contracts are used."""

import hashlib
import importlib
import ipaddress
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache

import grpc
from node import Node
from sources import ROOT

HELLO, CHALLENGE, PROOF, BEACON, FEEDBACK = 1, 2, 3, 4, 5
PROTOCOL_VERSION = 1


@lru_cache(maxsize=None)
def messages(name: str):
    """A generated module: "measurement.v1.measurement"."""
    if not sys.path[0].startswith(tempfile.gettempdir() + "/weir-proto-"):
        directory = tempfile.TemporaryDirectory(prefix="weir-proto-")
        messages.directory = directory  # Removed when the interpreter ends.
        protos = [str(path) for path in (ROOT / "proto").rglob("*.proto")]
        subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={directory.name}", *protos], check=True)
        sys.path.insert(0, directory.name)
    return importlib.import_module(name + "_pb2")


def measurement():
    return messages("measurement.v1.measurement")


class Api:
    """A client of weir.measurement.v1.Measurement on a node's loopback, as a context."""

    def __init__(self, node: Node):
        self.channel = grpc.insecure_channel(node.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def unary(self, method: str, request, reply_type, timeout_s: float = 20):
        call = self.channel.unary_unary(
            f"/weir.measurement.v1.Measurement/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=reply_type.FromString,
        )
        return call(request, timeout=timeout_s)

    def server_info(self):
        m = measurement()
        return self.unary("GetServerInfo", m.GetServerInfoRequest(protocol_version=PROTOCOL_VERSION), m.ServerInfo)

    def negotiate(self, **fields):
        """A request for 20 Mbit/s down, with `fields` set or overridden; NegotiateReply."""
        m, record = measurement(), messages("record.v1.record")
        parameters = record.TestParameters(
            rate_bps=20_000_000, duration_ns=3_000_000_000, streams=1, ip_version=4,
            payload=[record.PayloadSize(udp_payload_bytes=1000, weight=1)],
        )  # fmt: skip
        request = m.NegotiateRequest(
            protocol_version=PROTOCOL_VERSION,
            accepted_notice_digest=self.server_info().notice_digest,
            directions=[m.DirectionRequest(direction=record.DOWN, parameters=parameters)],
        )
        request.MergeFrom(m.NegotiateRequest(**fields))
        return self.unary("Negotiate", request, m.NegotiateReply)

    def run(self, session_id: str):
        """Calls Run and says no more than Start; the server's replies until it ends the stream."""
        m = measurement()
        over = threading.Event()
        call = self.channel.stream_stream(
            "/weir.measurement.v1.Measurement/Run",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=m.RunReply.FromString,
        )

        def requests():
            yield m.RunRequest(start=m.Start(session_id=session_id))
            over.wait()  # An end of the requests would be the end of the session.

        try:
            yield from call(requests(), timeout=30)
        finally:
            over.set()


@dataclass(frozen=True)
class Flow:
    """One granted flow as its receiver sees it: load comes from `sender` to `receiver`."""

    key: bytes
    sender: tuple[str, int]
    receiver: tuple[str, int]
    sender_slot: int
    sender_generation: int

    def _header(self, kind: int) -> bytes:
        slot = self.sender_slot.to_bytes(3, "big")
        return b"\xff\xff\xff\x01" + bytes([kind]) + slot + struct.pack("!I", self.sender_generation)

    def hello(self) -> bytes:
        return self._header(HELLO) + bytes(36)

    def proof(self, challenge: bytes, key: bytes | None = None) -> bytes:
        """The answer to a CHALLENGE's payload, under the session's key or another."""
        time, mac = challenge[16:24], challenge[24:40]
        data = b"weir-pr1" + struct.pack("!II", self.sender_slot, self.sender_generation) + time + mac
        return self._header(PROOF) + bytes(4) + time + mac16(data, key or self.key)

    def feedback(self, counter: int, beacon: bytes, received: int) -> bytes:
        """The answer to a BEACON's payload: renews the peer lease."""
        body = self._header(FEEDBACK) + bytes(4) + struct.pack("!Q", counter) + beacon[16:24]
        body += struct.pack("!QQ", received, received)
        return body + mac16(body, self.key)


def mac16(data: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16, key=key).digest()


def granted_flow(grant, client_end) -> Flow:
    server = grant.server_ends[0]
    return Flow(
        key=grant.session_key,
        sender=(str(ipaddress.ip_address(server.ip)), server.udp_port),
        receiver=(client_end.ip, client_end.udp_port),
        sender_slot=server.slot,
        sender_generation=server.generation,
    )
