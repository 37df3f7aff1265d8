"""Contact details: sealed where they are typed, kept apart, opened by the researchers alone."""

import base64
import json

from api import Api, measurement
from node import OK, REFUSED, USAGE
from sources import ROOT
from topology import memif_pair

POLICY = """
profile: "lab"
notice: "The address of the client is recorded and published."
admission {{ name: "all" effect: ALLOW limit {{ duration_ms: 10000 rate_bps: 1000000000 }} }}
export {{ name: "kept" effect: ALLOW address: "full" release_class: "public" }}
{contact}
"""
CONTACT = 'contact {{ name: "call-me" experiment: "broadband" public_key: "{key}" max_bytes: 64 keep_days: 30 }}'
PERSON = "Zoe Quux, zoe.quux@example.org"
SEALED_EMPTY = b"\x05" * 48  # What sealing adds.


def write_policy(server, contact: str) -> None:
    server.policy.write_text(POLICY.format(contact=contact))


def every_byte(lab) -> bytes:
    """All that the two nodes have on disk, and what they logged."""
    files = b"".join(path.read_bytes() for path in lab.directory.rglob("*") if path.is_file())
    return files + "".join(process.stdout + process.stderr for process in lab.processes).encode()


def refusal(server, client, details: bytes) -> str:
    """What the server says to a client of another make that sends these with its request."""
    end = measurement().FlowEnd(direction="DOWN", ip=client.ip[4], udp_port=7000, slot=5, generation=9, cookie=5 << 40 | 9)
    with Api(server) as api:
        reply = api.negotiate(experiment="broadband", client_ends=[end], sealed_contact=SEALED_EMPTY + details)
    assert reply.HasField("rejection"), reply
    refused = reply.rejection
    assert (refused.stage, refused.rule, refused.field) == ("classify", "contact", "sealed_contact"), refused
    return refused.message


def test_contact_details_reach_the_researcher_and_nobody_else(lab, tmp_path):
    key = tmp_path / "broadband.key"
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY.format(contact=""))
    server, client = memif_pair(lab, policy=policy)
    made = client.weir("contacts", "keygen", "--out", key, "--json", admin=False)
    assert made.code == OK, made.text
    again = client.weir("contacts", "keygen", "--out", key, admin=False)
    assert again.code == USAGE and "never overwritten" in again.text
    assert key.stat().st_mode & 0o777 == 0o600
    broadband = ("--experiment", "broadband")
    leave = (*broadband, "--contact", PERSON)

    # Off: neither the client's command nor a client that sends it anyhow gets it in.
    assert "takes no contact details; leave them out" in refusal(server, client, b"x" * 20)
    off = client.weir(*client.test_arguments(server, "down", "20M", "1s", 1000, 4, *leave))
    assert off.code == REFUSED and "takes no contact details" in off.text, off.text
    assert not (server.directory / "contacts.db").exists()

    write_policy(server, CONTACT.format(key=made.json["public_key"]))
    assert server.weir("policy", "reload").code == OK
    notice = client.weir("info", server.address, "--plaintext", "--json").json["notice"]
    assert made.json["digest"] in notice and "30 days" in notice
    other = client.weir(*client.test_arguments(server, "down", "20M", "1s", 1000, 4, "--contact", PERSON))
    assert other.code == REFUSED, other.text
    long = client.weir(*client.test_arguments(server, "down", "20M", "1s", 1000, 4, *broadband, "--contact", "x" * 65))
    assert long.code == USAGE and "at most 64" in long.text, long.text
    # Nor does the server rely on the client's command for what fits.
    assert "65 bytes before sealing; at most 64" in refusal(server, client, b"x" * 65)
    assert "not sealed to the experiment's key, or empty; leave it out" in refusal(server, client, b"")
    assert not server.weir("contacts", "list", "--json").json.get("contacts")
    assert not server.weir("sessions", "--json").json.get("sessions")

    left = client.test(server, "both", duration="1s", more=leave).json["session_id"]
    silent = client.test(server, "down", duration="1s", more=broadband).json["session_id"]
    listed = server.weir("contacts", "list", "--json").json["contacts"]
    assert [one["session_id"] for one in listed] == [left]
    assert listed[0]["experiment"] == "broadband" and listed[0]["sealed_bytes"] == len(PERSON) + 48
    assert not listed[0].get("sealed") and silent not in server.weir("contacts", "list").text

    # The operator's export, the researcher's key.
    exported = server.weir("contacts", "export", "--experiment", "broadband")
    assert exported.code == OK and PERSON not in exported.text
    sealed = tmp_path / "sealed.json"
    sealed.write_text(exported.stdout)
    opened = client.weir("contacts", "open", "--key", key, sealed, "--json", admin=False)
    assert opened.code == OK, opened.text
    assert opened.json == {"contacts": [{"session_id": left, "experiment": "broadband", "contact": PERSON}], "not_opened": 0}
    wrong = tmp_path / "wrong.key"
    assert client.weir("contacts", "keygen", "--out", wrong, admin=False).code == OK
    assert client.weir("contacts", "open", "--key", wrong, sealed, admin=False).code == REFUSED
    events = [entry["event"] for entry in server.weir("audit", "list", "--json").json["entries"]]
    assert {"contact_kept", "contacts_listed", "contacts_read"} <= set(events)

    # Nobody's disk or log has a word of it, nor the key.
    everything = every_byte(lab)
    secret = base64.b64decode(key.read_text().split()[1])
    assert left.encode() in everything
    for words in (b"Zoe", b"quux", b"zoe.", secret, base64.b64encode(secret)):
        assert words not in everything

    # An erasure takes the details, too.
    assert server.weir("records", "erase-request", left, "--proof", "a letter").code == OK
    assert not server.weir("contacts", "list", "--json").json.get("contacts")
    blob = base64.b64decode(json.loads(exported.stdout)["contacts"][0]["sealed"])
    assert blob not in (server.directory / "contacts.db").read_bytes()


def test_no_shipped_profile_takes_contact_details():
    for profile in ("lab", "seed-2009", "mlab-2026"):
        text = (ROOT / f"deploy/policies/{profile}.textproto").read_text()
        rules = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        assert not any(line.lstrip().startswith("contact {") for line in rules), profile
