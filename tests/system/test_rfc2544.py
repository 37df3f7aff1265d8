"""`weir rfc2544` through devices whose limits are known: a token bucket, and a forwarder that drops what it is told to."""

import itertools
import json
import signal

import pytest
from conftest import laboratory
from netlab import Lab, Namespace, wait_for
from node import ABORTED, OK, USAGE, WEIR, Node, numbers, worker_cpus
from sources import BUILD
from topology import make_node

_states = itertools.count()

FRAME = 128
# Slow enough for any machine. What the kernel counts of a frame has no FCS.
SHAPED_BPS, BUCKET_BYTES, QUEUE_BYTES = 400_000, 2_000, 8_000
SHAPED_FPS = SHAPED_BPS / 8 / (FRAME - 4)
BUFFER_FRAMES = (BUCKET_BYTES + QUEUE_BYTES) / (FRAME - 4)
TRIAL_MS = 600
LINE = "1M"
LINE_FPS = 1_000_000 / 8 / (FRAME + 20)
QUICK = ("--settle", "0s", "--residual", "200ms", "--learning", "200ms", "--ramp-up", "0s")


def two_ports(lab: Lab, dut_name: str) -> Node:
    """A node whose ports "data" and "back" are wired to `out` and `in` in a namespace for the device under test."""
    dut, home = lab.namespace(dut_name), lab.namespace(f"{dut_name}-tester")
    lab.veth(home, "data", dut, "out")
    lab.veth(home, "back", dut, "in")
    node = make_node(
        lab, "tester", 1, "af_packet:data,bench=on", home, cpu=",".join(map(str, sorted(set(worker_cpus())))),
        dataplane_options=["--port", "back=af_packet:back,ip4=198.18.0.2/24,ip6=2001:db8:18::2/64,bench=on"],
    )  # fmt: skip
    return node.start()


def arguments_of(*more) -> tuple:
    return ("rfc2544", "--out", "data", "--in", "back", "--line-rate", LINE, "--json", *QUICK, *more)


def rfc2544(node: Node, *more, expect: int = OK) -> dict:
    state = node.lab.directory / f"state-{next(_states)}.json"
    answer = node.weir(*arguments_of("--state", state, *more))
    assert answer.code == expect, answer.text
    return answer.json


def shape(dut: Namespace) -> None:
    """The device under test is a bridge that sends no more than its token bucket lets it."""
    dut.run("ip", "link", "add", "name", "bridge", "type", "bridge", "mcast_snooping", "0")
    dut.run("ip", "link", "set", "bridge", "up")
    for port in ("out", "in"):
        dut.run("ip", "link", "set", port, "master", "bridge")
    dut.run("tc", "qdisc", "add", "dev", "in", "root", "tbf", "rate", f"{SHAPED_BPS}bit",
            "burst", BUCKET_BYTES, "limit", QUEUE_BYTES)  # fmt: skip


@pytest.fixture(scope="module")
def dropped():
    """Behind weir-impair, which drops each tenth test packet."""
    with laboratory() as lab:
        node = two_ports(lab, "dropper")
        impair = lab.start("impair", BUILD / "tests/impair/weir-impair", "af_packet:out", "af_packet:in", "--realtime",
                           "--drop-every", "10", namespace=lab.namespace("dropper"))  # fmt: skip
        impair.wait_for_output("ready")
        yield node


def test_rate_and_buffer_of_a_shaper(lab):
    shaped = two_ports(lab, "shaper")
    shape(lab.namespace("shaper"))
    report = rfc2544(shaped, "--tests", "throughput,latency,back-to-back", "--frame", FRAME, "--trial", f"{TRIAL_MS}ms",
                     "--latency-trial", "500ms", "--latency-trials", 1, "--resolution", "10%", "--bursts", 1,
                     "--longest-burst", "400ms", "--burst-resolution", "20%")  # fmt: skip
    assert report["complete"]
    (result,) = report["results"]
    assert result["line_fps"] == pytest.approx(LINE_FPS)
    # In a trial the bucket passes its rate and swallows what it holds; a tenth of the line is the resolution.
    most = SHAPED_FPS + BUFFER_FRAMES * 1000 / TRIAL_MS
    assert 0 < result["throughput_fps"] < 1.05 * most
    (search,) = result["throughput"]
    assert search["failed_load"] == pytest.approx(search["load"] + 0.1)
    # Unless the host was too busy to offer more, and the result says so.
    assert search["tester_limited"] or result["throughput_fps"] > 0.5 * SHAPED_FPS - LINE_FPS / 10
    # The bucket holds back what comes faster than it sends: the burst that just fits fills it.
    burst = result["back_to_back"]
    assert not burst["whole"]
    fits = BUFFER_FRAMES / (1 - SHAPED_FPS / LINE_FPS)
    assert burst["tester_limited"] or 0.5 * fits < burst["mean_frames"] < 1.1 * fits
    # Every frame of the latency trial was measured, on one clock.
    latency = result["latency"]
    assert latency["trials"] == 1 and latency["load"] == pytest.approx(search["load"])
    assert 0 < latency["min_ns"] <= latency["p50_ns"] <= latency["p99_ns"] <= latency["max_ns"]
    for trial in report["trials"]:
        assert trial["sent"] == trial["received"] + trial["lost"]
        assert trial["reordered"] == trial["duplicated"] == 0
    # Each trial is two sessions, recorded like any other.
    records = {record["record_id"]: record for record in shaped.records()}
    sender, sink = (records[name] for name in report["trials"][-1]["record_ids"])
    assert (sender["result"]["ends"], sink["result"]["ends"]) == ("ENDS_SENDER", "ENDS_RECEIVER")
    assert sender["purpose"] == sink["purpose"] == "rfc2544"
    assert sink["result"]["received"] == report["trials"][-1]["received"]


def dropped_until(frames: int) -> int:
    return frames // 10


def test_loss_is_exactly_what_was_dropped(dropped):
    report = rfc2544(dropped, "--tests", "throughput,loss", "--frame", 64, "--trial", "100ms", "--resolution", "50%")
    passed = 0
    for trial in report["trials"]:
        lost = dropped_until(passed + trial["sent"]) - dropped_until(passed)
        passed += trial["sent"]
        assert trial["lost"] == lost and trial["received"] == trial["sent"] - lost
        assert trial["frame_loss_rate"] == pytest.approx(100 * lost / trial["sent"])
    (result,) = report["results"]
    assert result["throughput_load"] == 0  # A tenth is lost at any load.
    # The curve goes down to its last step.
    (curve,) = result["frame_loss"]
    assert [point["load"] for point in curve["points"]] == pytest.approx([step / 10 for step in range(10, 0, -1)])


def test_interrupted_run_is_continued(dropped):
    state, page = (dropped.lab.directory / name for name in ("resumed.json", "resumed.html"))
    begun = dropped.lab.start(
        "rfc2544", WEIR, "--admin", dropped.admin,
        *map(str, arguments_of("--state", state, "--tests", "throughput", "--frame", "64,1518", "--trial", "500ms",
                               "--resolution", "25%", "--loss", "20%")),
    )  # fmt: skip
    kept = lambda: len(json.loads(state.read_text())["trials"]) if state.exists() else 0  # noqa: E731
    wait_for(lambda: kept() >= 1, "a trial to be kept")
    begun.signal(signal.SIGINT)
    assert begun.wait() == ABORTED, begun.stderr
    assert f"--resume {state}" in begun.stderr
    before = numbers(json.loads(state.read_text()))
    assert not before["complete"]
    other = dropped.weir("rfc2544", "--resume", state, "--trial", "1s")
    assert other.code == USAGE and "--trial: " in other.text
    answer = dropped.weir("rfc2544", "--resume", state, "--json", "--html", page)
    assert answer.code == OK, answer.text
    report = answer.json
    assert report["complete"] and report["trials"][: len(before["trials"])] == before["trials"]
    assert [result["throughput_load"] for result in report["results"]] == [1, 1]
    assert "<svg" in page.read_text()


def test_device_that_forwards_nothing(lab):
    """Nothing is between the two ports, and the tester need not ask for a next hop."""
    node = two_ports(lab, "nothing")
    answer = node.weir(*arguments_of("--state", lab.directory / "deaf.json", "--to-mac", "02:00:00:00:00:99"))
    assert answer.code == ABORTED
    assert "learning phase" in answer.text and '"data"' in answer.text
    assert [record["end_reason"] for record in node.records()].count("no_packets") == 1


def test_tester_that_is_too_slow_says_so(lab):
    """No host sends 64-byte frames at a tenth of a Tbit/s and more through one worker: the limit is not the DUT's."""
    node = make_node(lab, "ring", 1, "ring:,bench=on", budget_bps=10**15).start()
    common = ("rfc2544", "--out", "data", "--in", "data", "--json", "--frame", 64)
    unknown = node.weir(*common)
    assert unknown.code == USAGE and "--line-rate: required" in unknown.text
    answer = node.weir(*common, *QUICK, "--line-rate", "1T", "--tests", "throughput", "--trial", "100ms",
                       "--resolution", "50%", "--state", lab.directory / "ring.json")  # fmt: skip
    assert answer.code == OK, answer.text
    (search,) = answer.json["results"][0]["throughput"]
    assert search["load"] == 0 and search["tester_limited"]
    assert "did not leave" in search["tester_limit"]
