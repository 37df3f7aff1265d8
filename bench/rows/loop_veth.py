"""Generator to sink over a veth pair, that is through the kernel, beside programs on its sockets."""

from collections.abc import Callable

from harness.pair import PROGRAMS, Laboratory, run_test, sink_packets_per_second, veth_pair
from harness.row import Bar, Outcome, Row, Settings, alternate, ratio_outcome
from harness.veth import kernel_addresses, veth_laboratory
from peers.iperf import iperf_packets_per_second
from peers.nuttcp import nuttcp_packets_per_second

DRIVERS = ("af_xdp", "af_xdp")


def weir_loops(lab: Laboratory, settings: Settings, payload: int) -> float:
    with veth_pair(lab, settings.cpus, DRIVERS) as nodes:
        return sink_packets_per_second(run_test(*nodes, "max", settings.seconds, payload))


def loop_row(name: str, about: str, payload: int, peer: str, program: str, send: Callable, bar: Bar | None) -> Row:
    def peer_loops(lab: Laboratory, settings: Settings) -> float:
        with kernel_addresses(lab):
            return send(lab, settings.cpus.worker, settings.cpus.second, payload, settings.seconds)

    def measure(settings: Settings) -> Outcome:
        with veth_laboratory() as lab:
            weir, other = alternate(
                settings, lambda: weir_loops(lab, settings, payload), lambda: peer_loops(lab, settings)
            )
        return ratio_outcome(weir, other, bar)

    return Row(
        name, about, unit="packets/s", peer=peer, measure=measure, bars=str(bar or ""), quick_rounds=1,
        programs=PROGRAMS, packages=(program,), root=True,
    )  # fmt: skip


LOOP_VETH = (
    loop_row(
        "loop_veth_64", "64 B packets from generator to sink over a veth pair (AF_XDP)", 18,
        "iperf3 -u -l 18", "iperf3", iperf_packets_per_second, Bar(">=", 2),
    ),
    loop_row(
        "loop_veth_64_nuttcp", "the same beside nuttcp", 18,
        "nuttcp -u -l 18", "nuttcp", nuttcp_packets_per_second, None,
    ),
)  # fmt: skip
