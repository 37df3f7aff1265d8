"""What a test measures on a link that loses nothing."""

import pytest

ETHERNET = 18  # Header and FCS.


@pytest.mark.parametrize("direction", ["down", "up"])
def test_one_gigabit_arrives_whole_and_at_its_rate(memif, direction):
    server, client = memif
    # As long as quickstart's: 25 ms at either end are the half per cent.
    result = client.test(server, direction, rate="1G", payload=1472, duration="5s")[direction]
    assert result["lost"] == result["duplicated"] == result["reordered"] == 0
    assert result["sent"] == result["received"]
    assert result["achieved_ip_bps"] == pytest.approx(1e9, rel=0.005)
    assert result["achieved_ethernet_bps"] == pytest.approx(1e9 * 1518 / 1500, rel=0.005)


def test_achieved_rate_is_stamped_by_the_receiver(memif):
    server, client = memif
    result = client.test(server, "down", rate="20M", payload=972)["down"]
    span_ns = result["last_rx_unix_ns"] - result["first_rx_unix_ns"]
    assert result["achieved_ip_bps"] == pytest.approx((result["received"] - 1) * 8000 * 1e9 / span_ns, rel=1e-6)


@pytest.mark.parametrize("ip", [4, 6])
def test_both_directions_at_once(memif, ip):
    server, client = memif
    measured = client.test(server, "both", rate="50M", ip=ip)
    for direction in ("down", "up"):
        assert measured[direction]["lost"] == 0
        assert measured[direction]["received"] == measured[direction]["sent"] > 1000
    assert len(measured.json["record_ids"]) == 2


def test_streams_share_the_rate(memif):
    server, client = memif
    result = client.test(server, "down", rate="50M", more=("--streams", 4))["down"]
    assert result["lost"] == 0
    assert result["achieved_ip_bps"] == pytest.approx(5e7, rel=0.01)


def test_smallest_packets(memif):
    server, client = memif
    result = client.test(server, "up", rate="10M", payload=18)["up"]
    assert result["lost"] == 0
    assert result["received_ip_bytes"] == result["received"] * 46


def test_imix(memif):
    server, client = memif
    result = client.test(server, "down", rate="50M", payload="imix")["down"]
    assert result["lost"] == 0
    assert result["achieved_ip_bps"] == pytest.approx(5e7, rel=0.01)


def test_maximum_rate_says_what_limited_it(memif):
    server, client = memif
    result = client.test(server, "down", rate="max", payload=1472)["down"]
    assert result["received"] + result["lost"] == result["sent"]
    assert result["limit"] != "LIMIT_UNSPECIFIED"


def test_intervals_add_up(memif):
    server, client = memif
    result = client.test(server, "down", duration="3s")["down"]
    assert len(result["intervals"]) >= 3
    for name in ("sent", "received"):
        assert sum(int(interval.get(name, 0)) for interval in result["intervals"]) == result[name]


def test_delay_is_ordered_and_jitter_measured(memif):
    server, client = memif
    result = client.test(server, "down")["down"]
    delay = result["one_way_delay"]
    assert delay["samples"] == result["received"]
    assert delay["min_ns"] <= delay["p50_ns"] <= delay["p99_ns"] <= delay["p999_ns"] <= delay["max_ns"]
    assert 0 < delay["min_ns"] < 1_000_000_000  # One host, one clock.
    assert result["jitter_ns"] > 0
