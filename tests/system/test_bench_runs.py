"""`weir generate` and `weir sink` on a bench: two ends that do not speak to each other, counted exactly."""

import itertools
import json
import re

import pytest
from conftest import laboratory
from netlab import wait_for
from node import ABORTED, LOCAL, OK, REFUSED, USAGE, WEIR, numbers
from topology import linked, make_node

_keys = itertools.count()

NOT_A_LAB = """
profile: "mlab-2026"
notice: "The address is recorded and published."
admission { name: "all" effect: ALLOW }
export { name: "all" effect: ALLOW address: "netblock" release_class: "public" }
"""


@pytest.fixture(scope="module")
def bench():
    """Two nodes on shared memory, both wired to a bench."""
    with laboratory() as lab:
        socket = lab.directory / "bench.sock"
        left = make_node(lab, "a", 1, f"memif:{socket},role=server,bench=on").start()
        right = make_node(lab, "b", 2, f"memif:{socket},role=client,bench=on").start()
        yield linked(left, right)


@pytest.fixture(scope="module")
def ring():
    """One node whose port gives back what it is given."""
    with laboratory() as lab:
        yield make_node(lab, "ring", 1, "ring:,bench=on", budget_bps=10**15).start()


def start_sink(node, *arguments):
    """A sink that listens."""
    sink = node.lab.start("sink", WEIR, "--admin", node.admin, "sink", "--json", *arguments)

    def listens():
        if not sink.running():
            raise RuntimeError(f"the sink ended with {sink.popen.returncode}:\n{sink.stdout}{sink.stderr}")
        return any(s["direction"] == "UP" for session in active(node) for s in session["directions"])

    wait_for(listens, "the sink to listen")
    return sink


def active(node) -> list[dict]:
    return node.weir("sessions", "--active", "--json").json.get("sessions", [])


def generate(node, *arguments, expect: int = OK) -> dict:
    answer = node.weir("generate", "--json", *arguments)
    assert answer.code == expect, answer.text
    return answer.json


def finish(sink, expect: int = OK) -> dict:
    assert sink.wait() == expect, sink.stdout + sink.stderr
    return numbers(json.loads(sink.stdout))


def only_result(report: dict) -> dict:
    (trial,) = report["trials"]
    (result,) = trial["results"]
    return result


def assert_counted(sent: dict, received: dict, packets: int) -> None:
    assert sent["sent"] == received["sent"] == packets
    assert received["received"] + received["lost"] == packets
    assert received["duplicated"] == received["reordered"] == received["late"] == 0


@pytest.mark.parametrize("ip,streams", [(4, 1), (4, 7), (6, 3)])
def test_both_ends_count_the_same(bench, ip, streams):
    left, right = bench
    before = len(left.records()), len(right.records())
    common = ("--key", f"count-{next(_keys)}", "--streams", streams)
    sink = start_sink(right, "--from", left.ip[ip], *common)
    report = generate(left, "--to", right.ip[ip], "--rate", "150kpps", "--payload", 18, "--count", 100_000, *common)
    sunk = finish(sink)
    assert_counted(only_result(report), only_result(sunk), 100_000)
    assert only_result(sunk)["lost"] == 0  # Shared memory pushes back; it drops nothing.
    assert report["trials"][0]["end_reason"] == "packets"
    assert sunk["trials"][0]["end_reason"] == "sender_done"
    # One record at each end, of what that end knows.
    assert (len(left.records()), len(right.records())) == (before[0] + 1, before[1] + 1)
    for node, trial, ends, purpose in (
        (left, report["trials"][0], "ENDS_SENDER", "generate"),
        (right, sunk["trials"][0], "ENDS_RECEIVER", "sink"),
    ):
        record = node.records()[0]
        assert [record["record_id"]] == trial["record_ids"]
        assert record["result"]["ends"] == ends
        assert record["purpose"] == purpose and record["admission_rule"] == "bench"


def test_frame_sizes_in_turn(bench):
    left, right = bench
    common = ("--key", f"sweep-{next(_keys)}", "--frame", "64,512,1518")
    sink = start_sink(right, "--from", left.ip[4], *common)
    report = generate(left, "--to", right.ip[4], "--rate", "20kpps", "--count", 4_000, "--pause", "1s", *common)
    sunk = finish(sink)
    for frame, sent, received in zip((64, 512, 1518), report["trials"], sunk["trials"], strict=True):
        assert_counted(sent["results"][0], received["results"][0], 4_000)
        assert received["results"][0]["received_ip_bytes"] == received["results"][0]["received"] * (frame - 18)


def test_udp_port_of_the_sink_may_be_named(bench):
    left, right = bench
    common = ("--key", f"port-{next(_keys)}", "--streams", 2)
    sink = start_sink(right, "--from", left.ip[4], "--udp-port", 5001, *common)
    report = generate(left, "--to", f"{right.ip[4]}:5001", "--rate", "10kpps", "--count", 2_000, *common)
    assert_counted(only_result(report), only_result(finish(sink)), 2_000)


def test_another_key_is_another_run(bench):
    """Nothing of a run is counted by a sink of another key, which says that nothing came."""
    left, right = bench
    sink = start_sink(right, "--from", left.ip[4], "--key", "one", "--duration", "2s")
    result = only_result(generate(left, "--to", right.ip[4], "--key", "other", "--rate", "10kpps", "--count", 1_000))
    assert result["sent"] == 1_000
    sunk = finish(sink, expect=ABORTED)
    assert sunk["trials"][0]["end_reason"] == "no_packets"
    assert only_result(sunk)["received"] == only_result(sunk)["sent"] == 0


def test_maximum_rate_on_a_ring_loses_nothing(ring):
    common = ("--key", f"ring-{next(_keys)}", "--frame", 64)
    sink = start_sink(ring, *common)
    result = only_result(generate(ring, "--rate", "max", "--count", 500_000, *common))
    received = only_result(finish(sink))
    assert_counted(result, received, 500_000)
    assert received["lost"] == 0


def test_interrupted_run_is_recorded(bench):
    left, right = bench
    run = left.lab.start("generate", WEIR, "--admin", left.admin, "generate", "--json", "--to", right.ip[4],
                         "--rate", "1M", "--duration", "30s")  # fmt: skip
    left.wait_for_running()
    run.popen.terminate()
    assert run.wait() == ABORTED
    (trial,) = numbers(json.loads(run.stdout))["trials"]
    record = left.records()[0]
    assert trial["record_ids"] == [record["record_id"]]
    assert record["outcome"] == "ABORTED"


def test_link_that_goes_down_ends_the_run_and_the_result_says_so(lab):
    lab.veth(lab.namespace("a"), "data", lab.namespace("b"), "far")
    node = make_node(lab, "a", 1, "af_packet:data,bench=on", lab.namespace("a")).start()
    run = lab.start("generate", WEIR, "--admin", node.admin, "generate", "--json", "--to", "198.18.0.9",
                    "--to-mac", "02:00:00:00:00:09", "--rate", "1%", "--duration", "30s")  # fmt: skip
    node.wait_for_running()
    lab.namespace("b").run("ip", "link", "set", "far", "down")
    assert run.wait() == ABORTED, run.stderr
    (trial,) = numbers(json.loads(run.stdout))["trials"]
    assert trial["end_reason"] == "link_down"
    # One percent of a veth's 10 Gbit/s on the wire, at the IP layer.
    assert trial["granted"][0]["parameters"]["rate_bps"] == round(1e8 * 1500 / 1538)
    assert "link_down" in trial["results"][0]["limit_detail"]
    assert node.records()[0]["end_reason"] == "link_down"


@pytest.mark.parametrize(
    "arguments,code,named",
    [
        (("--frame", "63"), USAGE, ("--frame", "64 to")),
        (("--frame", "64,abc"), USAGE, ("--frame", "abc")),
        (("--frame", "1519"), REFUSED, ("mtu", "1500")),
        (("--streams", "0"), USAGE, ("--streams",)),
        (("--rate", "0"), USAGE, ("--rate",)),
        (("--rate", "101%"), USAGE, ("--rate", "100%")),
        (("--rate", "50%"), USAGE, ("line_share", "not known")),
        (("--rate", "200G"), REFUSED, ("link_rate", "--rate max")),
        (("--count", "1.5"), USAGE, ("--count",)),
        (("--count", "2", "--streams", "3"), REFUSED, ("packets", "request_form")),
        (("--port", "nosuch"), USAGE, ("nosuch",)),
        (("--to-mac", "02:00"), USAGE, ("peer_mac",)),
        (("--to-mac", "ff:ff:ff:ff:ff:ff"), LOCAL, ("destination_mac", "group address")),
        (("--duration", "2h"), REFUSED, ("bench", "duration_ns")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and value[0].startswith("--") else "",
)
def test_what_makes_no_sense_is_refused(bench, arguments, code, named):
    left, right = bench
    # What is given last counts.
    answer = left.weir("generate", "--to", right.ip[4], *arguments)
    assert answer.code == code, answer.text
    for text in named:
        assert text in answer.text


def test_peer_is_required_where_there_is_one(bench):
    answer = bench[0].weir("generate")
    assert answer.code == USAGE
    assert "peer_ip" in answer.text


def test_target_that_answers_no_arp_is_not_loaded(bench):
    """On-link, and nobody's: the run ends by itself and nothing was sent."""
    answer = bench[0].weir("generate", "--json", "--to", "198.18.0.77", "--rate", "1M")
    assert answer.code == ABORTED, answer.text
    (trial,) = answer.json["trials"]
    assert trial["end_reason"] == "neighbour_unreachable"
    assert only_result(answer.json)["sent"] == 0


def test_port_that_is_not_on_a_bench_is_refused(lab):
    node = make_node(lab, "plain", 1, "null:", budget_bps=10**9).start()
    answer = node.weir("generate", "--to", "198.18.0.2")
    assert answer.code == REFUSED
    assert "bench_port" in answer.text and "bench=on" in answer.text
    assert node.records() == []


def test_profile_that_is_not_a_lab_is_refused(lab):
    policy = lab.directory / "policy.textproto"
    policy.write_text(NOT_A_LAB)
    node = make_node(lab, "public", 1, "null:,bench=on", budget_bps=10**9, policy=policy).start()
    for command in ("generate", "sink"):
        answer = node.weir(command)
        assert answer.code == REFUSED
        assert "lab_only" in answer.text and "mlab-2026" in answer.text
    assert node.records() == []


def test_top_shows_what_runs(ring):
    run = ring.lab.start("generate", WEIR, "--admin", ring.admin, "generate", "--rate", "10kpps", "--duration", "30s")
    ring.wait_for_running()
    answer = ring.weir("top", "--once", "--interval", "500ms", "--json")
    assert answer.code == OK, answer.text
    (port,), (worker,), (session,) = (answer.json[name] for name in ("ports", "workers", "sessions"))
    assert port["tx_pps"] > 0 and port["link_up"]
    assert 0 < worker["busy"] <= 1 and worker["cycles_per_packet"] > 0
    assert session["state"] == "running"
    text = ring.weir("top")  # No terminal: once.
    assert text.code == OK
    for word in ("PORT", "WORKER", "CYC/PKT", session["session_id"], "DROPPED"):
        assert word in text.stdout
    run.popen.terminate()
    run.wait()


def test_calibration_is_measured_kept_and_used(lab):
    node = make_node(lab, "null", 1, "null:,bench=on", budget_bps=10**15).start()
    answer = node.weir("calibrate", "--duration", "300ms", "--json")
    assert answer.code == OK, answer.text
    assert [point["frame_bytes"] for point in answer.json["points"]] == [64, 1518]
    for point in answer.json["points"]:
        assert all(point[name] > 0 for name in ("generate_pps", "loop_pps", "sink_pps"))
    file = node.directory / "calibration.textproto"
    assert file.exists()
    shown = node.weir("calibrate", "--show", "--json")
    assert shown.json["points"] == answer.json["points"] and shown.json["cpu"]
    # A claim that this host can do next to nothing: any run is then the tester's own limit.
    file.write_text(re.sub(r"generate_pps: \S+", "generate_pps: 1000", file.read_text()))
    node.restart_control()
    result = only_result(generate(node, "--rate", "max", "--frame", 64, "--duration", "300ms"))
    assert "the tester, not the path, was the limit" in result["limit_detail"]
