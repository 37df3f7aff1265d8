"""A server that asks its clients for a certificate: who is served, under which name, and who is not."""

import pytest
from certificates import Authority, Certificate
from netlab import Lab
from node import OK, REFUSED, UNREACHABLE, Answer
from topology import linked, make_node

POLICY = """
profile: "lab"
notice: "For tests."
admission { name: "staff" effect: ALLOW match { identity: "certificate:alice" } limit { rate_bps: 1000000000 } }
export { name: "kept" effect: ALLOW address: "none" release_class: "operator_only" }
"""


class Pair:
    """A server that trusts the clients of one authority, and a client that changes who it is."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.authority = Authority(lab.directory, "authority")
        policy = lab.directory / "policy.textproto"
        policy.write_text(POLICY)
        own = self.authority.issue("server", address="127.0.0.1")
        socket = lab.directory / "link.sock"
        self.server = make_node(lab, "a", 1, f"memif:{socket},role=server", policy=policy,
                                api_tls=f'{own.fields} tls_client_ca: "{self.authority.certificate}"')  # fmt: skip
        self.client = make_node(lab, "b", 2, f"memif:{socket},role=client", client_tls=self.trusting(self.authority))
        linked(self.server.start(), self.client.start())

    @staticmethod
    def trusting(authority: Authority) -> str:
        return f'ca: "{authority.certificate}" '

    def client_is(self, shown: Certificate | None, trusts: Authority | None = None) -> None:
        self.client.client_tls = self.trusting(trusts or self.authority) + (shown.fields if shown else "")
        self.client.restart_control()

    def test(self, *more) -> Answer:
        return self.client.weir(*self.client.test_arguments(self.server, "down", "10M", "1s", 1000, 4, *more))

    def assert_never_met(self) -> None:
        """The refused client left nothing at the server, which serves the next one."""
        assert self.server.records() == []
        assert self.server.weir("sessions", "--json").json.get("sessions", []) == []
        self.client_is(self.authority.issue("alice"))
        assert self.test().code == OK


@pytest.fixture
def pair(lab):
    return Pair(lab)


def test_the_name_in_the_certificate_is_what_policy_matches(pair):
    pair.client_is(pair.authority.issue("alice"))
    answer = pair.test()
    assert answer.code == OK, answer.text
    (record_id,) = answer.json["record_ids"]
    record = pair.server.weir("records", "show", record_id, "--json").json
    record = record.get("record", record)
    assert record["admission_rule"] == "staff"
    (session,) = pair.server.weir("sessions", "--json").json["sessions"]
    assert session["session_id"] == answer.json["session_id"] and session["admission_rule"] == "staff"

    # Another name the same authority vouches for is known, and has no rule that admits it.
    pair.client_is(pair.authority.issue("bob"))
    answer = pair.test()
    assert answer.code == REFUSED, answer.text
    for named in ("default_deny", "certificate:bob", "tests@example.org"):
        assert named in answer.text
    assert len(pair.server.records()) == 1

    # A certificate may name a person: who was served is not stored, only the rule that did.
    pair.server.stop()
    for path in pair.server.directory.glob("weir.db*"):
        assert b"alice" not in path.read_bytes()


def test_without_a_certificate(pair):
    answer = pair.test()
    assert answer.code == UNREACHABLE, answer.text
    assert pair.server.address in answer.text and "client.tls_certificate" in answer.text
    # Nor does it tell such a client who it is.
    assert pair.client.weir("info", pair.server.address).code == UNREACHABLE
    pair.assert_never_met()


def test_signed_by_another_authority(pair):
    pair.client_is(Authority(pair.lab.directory, "others").issue("alice"))
    answer = pair.test()
    assert answer.code == UNREACHABLE, answer.text
    assert pair.server.address in answer.text and "client.tls_certificate" in answer.text
    pair.assert_never_met()


def test_expired(pair):
    pair.client_is(pair.authority.issue("alice", days=-1))
    answer = pair.test()
    assert answer.code == UNREACHABLE, answer.text
    assert pair.server.address in answer.text and "expired" in answer.text
    pair.assert_never_met()


def test_plaintext_to_a_server_that_speaks_tls(pair):
    answer = pair.test("--plaintext")
    assert answer.code == UNREACHABLE, answer.text
    assert pair.server.address in answer.text and "TLS" in answer.text
    pair.assert_never_met()


def test_a_server_the_client_has_no_reason_to_trust(pair):
    others = Authority(pair.lab.directory, "others")
    pair.client_is(pair.authority.issue("alice"), trusts=others)
    answer = pair.test()
    assert answer.code == UNREACHABLE, answer.text
    assert "certificate" in answer.text.lower()
    # Trust can be given for one test.
    answer = pair.test("--ca", pair.authority.certificate)
    assert answer.code == OK, answer.text
