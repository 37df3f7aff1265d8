"""weir-impair between the nodes: every count exact, a delay measured."""

import json

from node import finished
from topology import impaired_pair


def impaired(lab, *impairments, **test) -> tuple[dict, dict]:
    """The downward result and what weir-impair says it did to it."""
    server, client, impair = impaired_pair(lab, *impairments)
    down = client.test(server, "down", **test)["down"]
    assert impair.stop() == 0, impair.stderr
    did = json.loads(impair.stdout.splitlines()[-1])["forward"]
    assert did["test_packets"] == down["sent"]
    return down, did


def test_drops(lab):
    down, did = impaired(lab, "--drop-every", "50", "--drop", "0,1,2")
    assert did["dropped"] > 10
    assert down["lost"] == did["dropped"]
    assert down["received"] == down["sent"] - did["dropped"]
    assert down["loss_events"] == did["dropped"] - 2  # The first three were one run.
    assert down["duplicated"] == down["reordered"] == down["late"] == 0


def test_duplicates(lab):
    down, did = impaired(lab, "--duplicate-every", "40")
    assert did["duplicated"] > 10
    assert down["duplicated"] == did["duplicated"]
    assert down["received"] == down["sent"]
    assert down["lost"] == down["reordered"] == down["late"] == 0


def test_reordering(lab):
    down, did = impaired(lab, "--swap-every", "30", "--swap-distance", "3")
    assert did["swapped"] > 10
    counted = {name: down[name] for name in ("received", "reordered", "lost", "duplicated", "late")}
    assert counted == {"received": down["sent"], "reordered": did["swapped"], "lost": 0, "duplicated": 0, "late": 0}


def test_all_at_once_on_ipv6(lab):
    down, did = impaired(lab, "--drop-every", "50", "--duplicate-every", "41", "--swap-every", "31", ip=6)
    assert down["lost"] == did["dropped"] > 10
    assert down["duplicated"] == did["duplicated"] > 10
    assert down["reordered"] == did["swapped"] > 10


def disturbed(delay: dict) -> bool:
    """Half of the packets were held up by more than the accuracy asked for: two busy CPUs."""
    return delay["p50_ns"] - delay["min_ns"] > 25_000


def test_five_milliseconds_of_delay_move_the_median_by_as_much(lab):
    """Two sessions at the same time, of which weir-impair delays one: whatever else holds packets
    up on this machine does it to both. An attempt is judged by its medians only if neither
    session was disturbed."""
    server, client, impair = impaired_pair(lab, "--delay-us", "5000", "--delay-dscp", "10")
    attempts = []
    for number in range(8):
        tests = [client.start_test(f"{number}-{name}", server, rate="2M", duration="1s", more=("--dscp", dscp))
                 for name, dscp in (("reference", 0), ("delayed", 10))]  # fmt: skip
        attempts.append([finished(test)["down"]["one_way_delay"] for test in tests])
        if not any(map(disturbed, attempts[-1])):
            break
    assert impair.stop() == 0, impair.stderr
    did = json.loads(impair.stdout.splitlines()[-1])["forward"]
    reference, delayed = attempts[-1]
    assert delayed["samples"] > 100 and did["delayed"] == sum(test["samples"] for _, test in attempts)
    # On a host that left no attempt its medians, what moved is the least delay of all.
    if any(map(disturbed, attempts[-1])):
        moved = min(test["min_ns"] for _, test in attempts) - min(test["min_ns"] for test, _ in attempts)
    else:
        moved = delayed["p50_ns"] - reference["p50_ns"]
    assert abs(moved - 5_000_000) <= 50_000, (attempts, did)
