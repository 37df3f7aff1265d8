"""Generator to sink across two processes over shared memory, counted by the sink: what a packet
costs from its making to its counting when nothing is between."""

from harness.pair import PROGRAMS, Laboratory, memif_pair, run_test, sink_packets_per_second
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome
from peers.testpmd import Testpmd
from rows.generate import ETHERNET_IP_UDP

# As dataplane/port/device.cc makes them.
LOG2_RING, BUFFER = 12, 2048
UPPER_QUARTILE = 0.75  # memif has a fast and a slow mode: bench/README.md.


def memif(role: str, socket) -> str:
    return f"net_memif0,role={role},id=0,socket={socket},socket-abstract=no,rsize={LOG2_RING},bsize={BUFFER}"


def weir_loops(settings: Settings, payload: int) -> float:
    with Laboratory() as lab:
        sender, receiver = memif_pair(lab, settings.cpus)
        return sink_packets_per_second(run_test(sender, receiver, "max", settings.seconds, payload))


def testpmd_loops(settings: Settings, payload: int) -> float:
    cpus, frame = settings.cpus, payload + ETHERNET_IP_UDP
    with Laboratory() as lab:
        socket = lab.directory / "link.sock"
        with Testpmd("txonly", memif("server", socket), cpus.worker, cpus, frame=frame):
            with Testpmd("rxonly", memif("client", socket), cpus.second, cpus) as sink:
                return sink.packets_per_second("RX", settings.seconds, warm_up_s=0.5)


def loop_row(name: str, about: str, payload: int) -> Row:
    bar = Bar(">=", 0.9)

    def measure(settings: Settings) -> Outcome:
        weir, peer = alternate(
            settings, lambda: weir_loops(settings, payload), lambda: testpmd_loops(settings, payload)
        )
        return ratio_outcome(weir, peer, bar, share=UPPER_QUARTILE)

    return Row(
        name, about, unit="packets/s", peer="dpdk-testpmd txonly to rxonly", measure=measure, bars=f"{bar} (75th percentiles)",
        rounds=20, seconds=2, quick_rounds=1, quick_seconds=0.5, programs=PROGRAMS, packages=("dpdk-dev",), root=True,
    )  # fmt: skip


LOOP_MEMIF = (
    loop_row("loop_memif_64", "64 B packets from generator to sink over memif, two processes", 18),
    loop_row("loop_memif_1472", "the same with 1,514 B frames", 1472),
)
