"""Five causes, each forced, and what Weir says limited the rate."""

import signal
import threading
import time
from contextlib import contextmanager

from bridge import Arrivals, Dropper
from topology import bridged_pair, impaired_pair, memif_pair

POLICY = """
profile: "lab"
notice: "For tests."
admission { name: "slow_lane" effect: ALLOW limit { rate_bps: 10000000 } }
export { name: "all" effect: ALLOW address: "full" release_class: "operator_only" }
"""


def met(client, server, **test) -> dict:
    """The result of a test that kept its rate: of one that was kept from its CPUs, nothing else can
    be said to have limited it."""
    for _ in range(4):
        down = client.test(server, "down", **test)["down"]
        if down["achieved_ip_bps"] >= 0.99 * down["admitted_ip_bps"] and down.get("unsent", 0) < 0.05 * down["sent"]:
            break
    return down


def test_none(lab):
    server, client = memif_pair(lab)
    assert met(client, server)["limit"] == "LIMIT_NONE"


def test_policy_grants_less_than_was_asked(lab):
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY)
    server, client = memif_pair(lab, policy=policy)
    down = met(client, server, rate="50M")
    assert down["limit"] == "LIMIT_POLICY", down
    assert "slow_lane" in down["limit_detail"]
    assert down["admitted_ip_bps"] == 1e7


def test_path_drops(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Dropper(lab, "a", "numgen inc mod 5 == 0"):
        down = client.test(server, "down")["down"]
    assert down["limit"] == "LIMIT_PATH", down


def test_sending_port_refuses(lab):
    """weir-impair takes 32 packets a millisecond: the shared-memory ring before it fills up."""
    server, client, _ = impaired_pair(lab, "--slow", "--poll-us", "1000")
    down = client.test(server, "down", rate="1G")["down"]
    assert down["limit"] == "LIMIT_NIC", down
    assert down["unsent"] > 0 and down["sender_port_rejected"] > 0


def test_sending_worker_has_no_time_left(lab):
    """A system call for every few small packets: the kernel port's worker cannot keep up."""
    server, client = bridged_pair(lab, "af_packet")
    down = client.test(server, "down", rate="1G", payload=18)["down"]
    assert down["limit"] == "LIMIT_SENDER_CPU", down


@contextmanager
def starved(process):
    """The process is stopped half of the time, for less than the peer lease each time."""
    over = threading.Event()

    def run():
        while not over.is_set():
            process.signal(signal.SIGSTOP)
            time.sleep(0.2)
            process.signal(signal.SIGCONT)
            time.sleep(0.2)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_receiving_worker_starves(lab):
    server, client = bridged_pair(lab, "af_packet")
    with Dropper(lab, "a", load_only=True) as sent, Arrivals(lab, "b") as receiver, starved(client.dataplane):
        # Its ring holds 8192 packets, a tenth of a second's.
        down = client.test(server, "down", rate="60M", payload=60, duration="1500ms")["down"]
        seen, arrived = sent.seen, receiver.arrived
    assert seen == down["sent"]
    assert down["receiver_port_missed"] > 0
    assert down["limit"] == "LIMIT_RECEIVER", down
    # Exactly: what the kernel lost on the way to the port, and what the port had no room for.
    assert down["lost"] == (seen - arrived) + down["receiver_port_missed"]
    assert down["received"] == down["sent"] - down["lost"]
