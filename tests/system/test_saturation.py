"""As fast as shared memory takes it, on both of its ends: whatever the rate, each packet is counted once.

`tests/run --suite system -k saturation --seconds 60` is the long form."""

import os

import pytest
from topology import memif_pair

SECONDS = int(os.environ.get("WEIR_SATURATION_SECONDS", 0))


def saturated(client, server, direction: str, seconds: int, payload: int, streams: int) -> list[dict]:
    """The results of a test at maximum rate, each of which counted its packets exactly."""
    arguments = client.test_arguments(server, direction, "max", f"{seconds}s", payload, 4, "--streams", streams)
    answer = client.weir(*arguments, timeout_s=60 + seconds)
    assert answer.code == 0, answer.text
    results = answer.json["results"]
    for result in results:
        counts = {
            name: result.get(name, 0)
            for name in ("sent", "received", "lost", "duplicated", "reordered", "late", "receiver_port_missed")
        }
        print(result["direction"], streams, "stream(s),", payload, "bytes:", counts)
        # Loss is the receiver's own: the gaps in what it saw. `sent` is the sender's.
        assert counts["sent"] == counts["received"] + counts["lost"]
        assert counts["duplicated"] == counts["reordered"] == counts["late"] == 0
        # Shared memory pushes back, and drops nothing by itself.
        assert counts["lost"] == counts["receiver_port_missed"] == 0
        assert result["received_ip_bytes"] == counts["received"] * (payload + 28)
    return results


@pytest.mark.parametrize(
    "direction,seconds,payload,streams", [("down", 5, 18, 1), ("both", 2, 18, 3), ("down", 2, 1472, 1)]
)
def test_each_packet_is_counted_once(memif, direction, seconds, payload, streams):
    server, client = memif
    results = saturated(client, server, direction, SECONDS or seconds, payload, streams)
    # It was a load: at least what one core makes in a hundredth of the time.
    assert all(result["sent"] > 100_000 for result in results)
    # And no more than was admitted.
    for node in (client, server):
        assert node.weir("notices", "--json").json == {"notices": []}
