"""How exactly a paced flow keeps its rate over ten seconds, by the clock of the kernel that receives
it: (N - 1) x bits / (t_last - t_first)."""

from harness.capture import Capture
from harness.pair import PROGRAMS, run_test, veth_pair
from harness.row import Bar, Check, Outcome, Row, Settings, quantile
from harness.veth import veth_laboratory

# AF_XDP would take the packets before the kernel's packet sockets see them: not where they arrive.
DRIVERS = ("af_xdp", "af_packet")
PAYLOAD = 1472
BITS = (PAYLOAD + 28) * 8
RATES = {"1M": 1e6, "100M": 1e8, "1G": 1e9}
TOLERANCE = 1e-4


def achieved(lab, nodes, rate: str, seconds: float) -> float:
    """Achieved over requested, from the packets the kernel of node b received."""
    due = int(RATES[rate] * seconds / BITS) + 1
    with Capture(lab.namespace("b"), "data", PAYLOAD, packets=due + due // 10 + 64) as capture:
        run_test(*nodes, rate, seconds, PAYLOAD)
        times = capture.arrivals().ns
    return (len(times) - 1) * BITS * 1e9 / (times[-1] - times[0]) / RATES[rate]


def measure(settings: Settings) -> Outcome:
    found: dict[str, list[float]] = {rate: [] for rate in RATES}
    with veth_laboratory() as lab, veth_pair(lab, settings.cpus, DRIVERS) as nodes:
        for turn in range(settings.rounds):
            for rate in RATES:
                settings.progress(f"round {turn + 1} of {settings.rounds}: {rate}bit/s for {settings.seconds:g} s")
                found[rate].append(achieved(lab, nodes, rate, settings.seconds))
    middle = {rate: quantile(values, 0.5) for rate, values in found.items()}
    worst = max(middle, key=lambda rate: abs(middle[rate] - 1))
    checks = [Check(f"off by, of the worst rate ({worst}bit/s)", abs(middle[worst] - 1), Bar("<=", TOLERANCE))]
    checks += [Check(f"achieved over requested at {rate}bit/s", value) for rate, value in middle.items()]
    return Outcome(
        weir=found[worst], peer=[1.0] * settings.rounds, checks=checks, ratio=middle[worst],
        details={"achieved_over_requested": found},
    )  # fmt: skip


PACING_RATE = (
    Row(
        "pacing_rate", "achieved rate of 1 Mbit/s, 100 Mbit/s and 1 Gbit/s, stamped by the receiving kernel",
        unit="achieved/requested", peer="the requested rate", measure=measure, bars="within 0.01 %",
        rounds=5, seconds=10, quick_rounds=1, quick_seconds=1, programs=PROGRAMS, root=True,
    ),
)  # fmt: skip
