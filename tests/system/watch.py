"""Sees the packets of an interface as they pass, with the kernel's own time stamps."""

import socket
import struct
import threading
import time
from dataclasses import dataclass

from frames import UdpFrame, parse_udp
from netlab import Namespace, wait_for

SO_TIMESTAMPNS = 35


@dataclass(frozen=True)
class Seen:
    at: float  # Seconds since the Unix epoch.
    frame: UdpFrame


class Watch:
    """A thread that keeps every UDP frame of an interface, as a context."""

    def __init__(self, namespace: Namespace, interface: str):
        self.raw = namespace.raw_socket(interface, timeout_s=0.05)
        self.raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.seen: list[Seen] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        self.raw.close()

    def _run(self) -> None:
        while not self.stopped.is_set():
            try:
                data, ancillary, _, _ = self.raw.recvmsg(2048, 64)
            except TimeoutError:
                continue
            frame = parse_udp(data)
            if frame:
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
                self.seen.append(Seen(seconds + nanoseconds * 1e-9, frame))

    @property
    def load(self) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.frame.is_test_packet]

    def signals(self, kind: int) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.frame.is_signal and seen.frame.signal_type == kind]

    def wait_for_load(self, packets: int = 100) -> None:
        wait_for(lambda: len(self.load) >= packets, f"{packets} test packets")

    def wait_for_silence(self, seconds: float, timeout_s: float = 15) -> float:
        """Until no test packet came for so long; the time of the last one."""
        wait_for(lambda: time.time() - self.load[-1].at > seconds, "the load to end", timeout_s)
        return self.load[-1].at
