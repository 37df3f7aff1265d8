"""What is stored of a session, and nothing else."""

import json
import sqlite3

import pytest
from api import messages
from topology import memif_pair

POLICY = """
profile: "lab"
notice: "The address of the client is recorded and published."
admission {{ name: "all" effect: ALLOW limit {{ duration_ms: 10000 rate_bps: 1000000000 streams: 4 }} }}
export {{ name: "kept" effect: ALLOW address: "{mode}" release_class: "public" }}
"""


def field_names(descriptor, prefix: str = "") -> set[str]:
    """Every path the record schema names."""
    names = set()
    for field in descriptor.fields:
        names.add(prefix + field.name)
        if field.message_type and not field.message_type.full_name.startswith("google."):
            names |= field_names(field.message_type, prefix + field.name + ".")
    return names


def used_names(value, prefix: str = "") -> set[str]:
    if isinstance(value, list):
        return set().union(*(used_names(item, prefix) for item in value))
    if not isinstance(value, dict):
        return set()
    return {prefix + name for name in value}.union(*(used_names(item, f"{prefix}{name}.") for name, item in value.items()))


@pytest.mark.parametrize(
    "mode,kept",
    [("full", {4: "198.18.0.2", 6: "2001:db8:18::2"}),
     ("netblock", {4: "198.18.0.0/24", 6: "2001:db8:18::/48"}),
     ("none", {4: "", 6: ""})],
)  # fmt: skip
def test_one_record_a_direction_with_the_address_as_the_policy_says(lab, mode, kept):
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY.format(mode=mode))
    server, client = memif_pair(lab, policy=policy)
    schema = field_names(messages("record.v1.record").Record.DESCRIPTOR)
    for ip in (4, 6):
        measured = client.test(server, "both", duration="1s", ip=ip)
        session = measured.json["session_id"]
        assert measured.json["record_ids"] == [f"{session}-down", f"{session}-up"]
        for record_id in measured.json["record_ids"]:
            record = server.weir("records", "show", record_id, "--json").json
            record = record.get("record", record)
            assert used_names(record) <= schema
            assert record["client"].get("value", "") == kept[ip]
            assert record["client"]["mode"] == f"ADDRESS_{mode.upper()}"
            assert record["admission_rule"] == "all" and record["export_rule"] == "kept"
            assert record["policy_digest"] == measured.json["policy_digest"]
            assert record["outcome"] == "COMPLETED"
            assert int(record["result"]["received"]) > 0
            assert record["result"]["intervals"]
    assert len(server.records()) == 4
    server.stop()
    # Whatever the mode hides is nowhere in the file either.
    content = b"".join(path.read_bytes() for path in server.directory.glob("weir.db*"))
    for ip in (4, 6):
        if mode != "full":
            assert client.ip[ip].encode() not in content


def test_store_can_be_read_by_sqlite(lab):
    server, client = memif_pair(lab)
    client.test(server, "down", duration="1s")
    ids = [record["record_id"] for record in server.records()]
    server.stop()
    with sqlite3.connect(f"file:{server.store}?mode=ro", uri=True) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        stored = {str(row) for table in tables for row in store.execute(f'SELECT * FROM "{table}"')}
    assert all(any(record_id in row for row in stored) for record_id in ids)


def test_a_refusal_leaves_an_audit_row_and_no_record(lab):
    server, client = memif_pair(lab)
    refused = client.weir(*client.test_arguments(server, "down", "1M", "10h", 1000, 4))
    assert refused.code == 3, refused.text
    assert server.records() == []
    server.stop()
    with sqlite3.connect(f"file:{server.store}?mode=ro", uri=True) as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = json.dumps([str(row) for table in tables for row in store.execute(f'SELECT * FROM "{table}"')])
    assert "duration" in rows
