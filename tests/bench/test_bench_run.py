"""bench/run as a person or a script uses it. What is measured is never judged here."""

import json
import os
import re
import subprocess

import pytest
from sources import BUILD, ROOT

REQUIRED = ("name", "unit", "weir", "peer", "peer_value", "ratio", "rounds")
# In the issue that set the bars.
PROMISED = (
    "generate_null_64", "generate_null_1472", "fill_loop", "sink_track", "sink_flows", "sink_impaired", "flows_65536",
    "loop_memif_64", "loop_memif_1472", "loop_veth_64", "pacing_rate", "pacing_gap", "counters", "memory", "store_append",
    "policy_encode", "admission", "admission_memory",
)  # fmt: skip


def bench(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [ROOT / "bench/run", *map(str, arguments)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def test_list_names_every_row_with_its_peer_and_bar():
    listed = bench("--list")
    assert listed.returncode == 0
    names = re.findall(r"^(\w+)", listed.stdout, re.MULTILINE)
    assert set(PROMISED) <= set(names)
    assert len(names) == len(set(names))
    assert "dpdk-testpmd txonly; bar >= 1.6" in listed.stdout
    assert "bar <= 512" in listed.stdout


def test_list_of_chosen_rows():
    listed = bench("--list", "--only", "fill_loop", "--only", "memory")
    assert re.findall(r"^(\w+)", listed.stdout, re.MULTILINE) == ["fill_loop", "memory"]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("--only", "fill"), "invalid choice: 'fill'"),
        (("--rounds", "0"), "--rounds"),
        (("--rounds", "two"), "--rounds"),
        (("--seconds", "-1"), "--seconds"),
        (("--seconds", "nan"), "--seconds"),
        (("--cpu", "100000"), "--cpu 100000"),
        (("--disk", "/nowhere"), "there is no directory /nowhere"),
        (("--json", "/nowhere/rows.json"), "there is no directory /nowhere"),
        (("--verbose",), "--verbose"),
    ],
)
def test_bad_usage_is_told_and_measures_nothing(arguments, says):
    refused = bench(*arguments)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def test_without_a_build_it_says_how_to_get_one(tmp_path):
    refused = bench("--only", "fill_loop", WEIR_BUILD=str(tmp_path))
    assert refused.returncode == 3
    assert "ninja -C build" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_row_whose_program_is_not_built_does_not_stop_the_others(tmp_path):
    (tmp_path / "bench").mkdir()
    (tmp_path / "build.ninja").touch()
    (tmp_path / "bench/bench-fill").symlink_to(BUILD / "bench/bench-fill")
    rows = tmp_path / "rows.json"
    ended = bench("--only", "memory", "--only", "fill_loop", "--rounds", 1, "--seconds", "0.01", "--json", rows,
                  WEIR_BUILD=str(tmp_path))  # fmt: skip
    assert ended.returncode == 1
    assert "memory was not measured: build/bench/bench-memory is not built" in ended.stderr
    assert [row["name"] for row in json.loads(rows.read_text())["rows"]] == ["fill_loop"]


def test_table_json_and_page_of_the_cheapest_row(tmp_path):
    rows = tmp_path / "rows.json"
    ended = bench("--only", "fill_loop", "--rounds", 2, "--seconds", "0.01", "--json", rows)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(rows.read_text())
    assert list(document) == ["rows"]
    (row,) = document["rows"]
    assert list(row)[: len(REQUIRED)] == list(REQUIRED)
    assert (row["name"], row["unit"], row["peer"], row["rounds"]) == ("fill_loop", "cycles/packet", "Store16Bytes", 2)
    assert row["weir_min"] <= row["weir"] <= row["weir_max"]
    assert row["peer_min"] <= row["peer_value"] <= row["peer_max"]
    assert row["ratio"] == pytest.approx(row["weir"] / row["peer_value"])
    assert row["checks"][0]["value"] == row["ratio"]
    assert row["checks"][0]["bar"] == "<= 1.5"
    assert row["met"] == (row["ratio"] <= 1.5)
    assert "fill_loop" in ended.stdout
    assert "round 2 of 2" in ended.stderr
