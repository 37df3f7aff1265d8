"""What Prometheus sees of a node that measured, published, delivered and forgot."""

import re
import subprocess
import urllib.request

from netlab import wait_for
from node import OK, REFUSED
from topology import memif_pair

METRICS = "127.0.0.1:9991"
POLICY = """
profile: "lab"
notice: "The address of the client is recorded and published."
report_min_clients: 1
admission { name: "all" effect: ALLOW limit { duration_ms: 10000 rate_bps: 1000000000 } }
export { name: "kept" effect: ALLOW address: "full" release_class: "public" keep_days: 30 }
recipient { name: "archive" role: "public" purpose: "publication" }
"""
QUANTITIES = ("rate_bps", "loss_ratio", "delay_ns", "delay_variation_ns")


def scrape() -> str:
    with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=30) as answer:
        return answer.read().decode()


def value(text: str, series: str) -> float | None:
    """Of the series with exactly these labels, in any order."""
    name, _, labels = series.partition("{")
    wanted = set(re.findall(r'(\w+="[^"]*")', labels))
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and set(re.findall(r'(\w+="[^"]*")', found[2] or "")) == wanted:
            return float(found[3])
    return None


def test_what_a_node_did_is_in_its_metrics_and_in_its_report(lab):
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY)
    server, client = memif_pair(lab, policy=policy, more_config=f'metrics {{ listen: "{METRICS}" }}\n')
    session = client.test(server, "both", duration="1s").json["session_id"]
    spool = lab.directory / "spool"
    spool.mkdir()
    server.start_export(
        'destination { name: "mlab" recipient: "archive" purpose: "publication"\n'
        f'  spool {{ directory: "{spool}" experiment: "weir" datatype: "weir1" }} }}\n'
    )
    delivered = 'weir_deliveries_total{destination="mlab",kind="record",outcome="delivered"}'
    wait_for(lambda: value(scrape(), delivered) == 2, "both records to be delivered")
    assert server.weir("records", "anonymise", f"{session}-up").code == OK
    erased = 'weir_deliveries_total{destination="mlab",kind="erasure",outcome="delivered"}'
    wait_for(lambda: value(scrape(), erased) == 1, "the erasure to be delivered")
    wait_for(lambda: value(scrape(), 'weir_export_backlog_changes{destination="mlab"}') == 0, "no backlog")
    assert server.weir("policy", "reload").code == OK

    text = scrape()
    for series, expected in (
        ('weir_record_transitions_total{state="released"}', 2),
        ('weir_record_transitions_total{state="anonymised"}', 1),
        ('weir_record_transitions_total{state="deleted"}', 0),
        ('weir_export_dead_letters{destination="mlab"}', 0),
        ('weir_contacts_total{action="kept"}', 0),
        ('weir_policy_reloads_total{result="unchanged"}', 1),
        ("weir_store_records", 2),
        ("weir_retention_held_records", 0),
        ('weir_audit_rows_total{event="session_finished"}', 1),
        ('weir_unusual_activity_total{trigger="load_to_unproven"}', 0),
    ):
        assert value(text, series) == expected, f"{series}:\n{text}"
    assert 0 < value(text, "weir_store_bytes") < value(text, "weir_store_max_bytes")

    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr
    for labels in re.findall(r"\{(.*)\}", text):
        assert not any(address in labels for node in (server, client) for address in node.ip.values()), labels
        assert session not in labels

    report = server.weir("report", "--since", "1h", "--by", "time,prefix", "--html", lab.directory / "report.html", "--json").json
    assert report["records"] == 2 and report["min_clients"] == 1
    times, prefixes = report["tables"]
    down = next(group for group in times["groups"] if group["direction"] == "DOWN")
    assert 18e6 < down["rate_bps"]["p50"] < 21e6 and down["loss_ratio"]["p50"] == 0
    # The address of one of the two is gone.
    assert {(group["kind"], group["name"]) for group in prefixes["groups"]} == {("NAMED", "198.18.0.0/24"), ("UNKNOWN", "unknown")}
    assert "<svg" in (lab.directory / "report.html").read_text()
    # Anybody may ask for it, and gets the same.
    times = ("--since", report["since"], "--until", report["until"], "--by", "time,prefix")
    asked = client.weir("report", "--server", server.address, "--plaintext", *times, "--json")
    assert asked.code == OK, asked.text
    assert {**asked.json, "generated_at": ""} == {**report, "generated_at": ""}
    table = server.weir("report", "--since", "1h").stdout
    assert "2 released records" in table and max(map(len, table.splitlines())) <= 80

    # Of the same records, where nothing was said of how few clients may be shown: less than five.
    policy.write_text(POLICY.replace("report_min_clients: 1\n", ""))
    assert server.weir("policy", "reload").code == OK
    page = lab.directory / "few.html"
    few = server.weir("report", "--since", "1h", "--html", page, "--json")
    assert few.json["records"] == 2 and few.json["min_clients"] == 5
    for table in few.json["tables"]:
        assert {group["kind"] for group in table["groups"]} <= {"OTHER", "UNKNOWN"}
        assert sum(group["records"] for group in table["groups"]) == 2
        assert all("p50" not in group[quantity] for group in table["groups"] for quantity in QUANTITIES), table
    for shown in (few.stdout, page.read_text(), server.weir("report", "--since", "1h").stdout):
        assert "198.18.0" not in shown and not re.search(r"\d (.?bit/s|[mun]?s)\b", shown), shown


def test_what_is_never_released_is_in_no_report(memif):
    server, client = memif
    client.test(server, "down", duration="1s")
    # Class operator_only: nobody's to publish.
    assert server.weir("report", "--json").json["records"] == 0
    assert "no tests" in server.weir("report").stdout
    assert server.weir("report", "--since", "soon").code == 2
    assert server.weir("report", "--since", "1h", "--until", "2h").code == 2


def test_few_reports_are_made_for_strangers(memif):
    server, client = memif
    question = ("report", "--server", server.address, "--plaintext")
    codes = [client.weir(*question).code for _ in range(5)]
    # A minute may end in between: then up to three more are made.
    assert codes[0] == OK and set(codes) <= {OK, REFUSED}
    while client.weir(*question).code == OK:
        pass
    assert "a minute" in client.weir(*question).text
    assert server.weir("report").code == OK  # The operator's own are not counted.
