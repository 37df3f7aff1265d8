"""From a packet somebody saw to its session, and to nothing else."""

from bridge import Capture
from node import OK, REFUSED, USAGE
from topology import bridged_pair


def end(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def test_a_captured_packet_leads_to_its_session_and_contact_only(lab):
    server, client = bridged_pair(lab, "af_packet")
    found = {}
    for ip in (4, 6):
        capture = Capture(lab, lab.namespace("middle"), "to_b")
        session = client.test(server, "both", duration="1s", ip=ip, more=("--streams", 2)).json["session_id"]
        frames = capture.frames()
        (then,) = {listed["started_at"] for listed in client.weir("sessions", "--json").json["sessions"]
                   if listed["session_id"] == session}  # fmt: skip
        tuples = {(frame.source, frame.source_port, frame.destination, frame.destination_port)
                  for frame in frames if frame.is_test_packet}  # fmt: skip
        assert len(tuples) == 4  # Two streams each way.
        for source, source_port, destination, destination_port in tuples:
            packet = end(source, source_port), end(destination, destination_port), then
            # Of the client's own node, and of the server, which has another contact to tell but the same session.
            for where in ((), ("--server", server.address, "--plaintext")):
                answer = client.weir("lookup", *packet, *where, "--json")
                assert answer.code == OK, answer.text
                assert answer.json == {
                    "session_id": session, "node": "a" if where else "b",
                    "operator": "Weir tests", "contact": "tests@example.org",
                }  # fmt: skip
        found[ip] = packet
    source, destination, then = found[4]

    def asked(source=source, destination=destination, then=then) -> str:
        answer = server.weir("lookup", source, destination, then, "--json")
        assert answer.code == OK, answer.text
        return answer.json.get("session_id", "")

    assert asked()
    assert asked(source=destination, destination=source)
    ip, port = source.rsplit(":", 1)
    assert not asked(source=f"{ip}:{int(port) + 10}")
    assert not asked(source=f"198.18.0.9:{port}")
    assert not asked(then="2001-01-01T00:00:00Z")
    assert not asked(then=then.replace("20", "21", 1))
    assert "no session" in server.weir("lookup", "198.18.0.9:5", destination, then).stdout


def test_few_questions_are_answered(memif):
    server, client = memif
    question = ("lookup", "192.0.2.1:5", "192.0.2.2:6", "now", "--server", server.address, "--plaintext")
    codes = [client.weir(*question).code for _ in range(25)]
    # A minute may end in between: then up to twenty more are answered.
    assert codes.count(REFUSED) + codes.count(OK) == 25 and OK in codes
    while client.weir(*question).code == OK:
        pass
    assert "a minute" in client.weir(*question).text
    assert server.weir(*question[:4]).code == OK  # The operator's own are not counted.


def test_what_is_wrong_with_a_question_is_said(memif):
    server, _ = memif
    for argument, arguments in (
        ("SOURCE", ("192.0.2.1", "192.0.2.2:6", "now")),
        ("DESTINATION", ("192.0.2.1:5", "2001:db8::1:6", "now")),
        ("DESTINATION", ("192.0.2.1:5", "192.0.2.2:70000", "now")),
        ("TIME", ("192.0.2.1:5", "192.0.2.2:6", "yesterday")),
        ("source_ip", ("example.net:5", "192.0.2.2:6", "now")),
    ):
        answer = server.weir("lookup", *arguments)
        assert answer.code == USAGE and argument in answer.text, answer.text
