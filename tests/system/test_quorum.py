"""A cluster that lost its quorum takes nothing: what is measured meanwhile stays, as much as there is room for."""

from jetstream import CLIENT_PORTS, Cluster
from netlab import wait_for
from node import OK, REFUSED
from topology import memif_pair

HIGH_WATER_MARK = 2 << 20
TWO_DAYS_S = 2 * 86_400
POLICY = """
profile: "lab"
notice: "The address of the client is recorded and published."
admission { name: "all" effect: ALLOW limit { duration_ms: 10000 rate_bps: 1000000000 } }
export { name: "kept" effect: ALLOW address: "full" release_class: "public" keep_days: 1 }
recipient { name: "archive" role: "public" purpose: "publication" }
"""
# As much as a client may say of itself, so that the store is soon full.
METADATA = [word for i in range(50) for word in ("--metadata", f"about-{i}=" + "x" * 500)]


def status(server) -> dict:
    return server.weir("export", "status", "--json").json["destinations"][0]


def wait_for_delivered(server, count: int) -> None:
    def delivered():
        answer = server.weir("export", "status", "--json")
        return answer.code == OK and [int(one.get("delivered", 0)) for one in answer.json.get("destinations", [])] == [count]

    wait_for(delivered, f"{count} records to be delivered", timeout_s=120, interval_s=0.2)


def test_sessions_are_shed_at_the_mark_and_admitted_again_when_there_is_room(lab):
    cluster = Cluster(lab)
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY)
    server, client = memif_pair(lab, policy=policy, more_config=f"store_max_bytes: {HIGH_WATER_MARK}\n")
    servers = " ".join(f'server: "nats://127.0.0.1:{port}"' for port in CLIENT_PORTS)
    server.start_export(
        'destination { name: "archive" recipient: "archive" purpose: "publication"\n'
        f"  jetstream {{ {servers} }} }}\n"
    )

    def ask():
        return client.weir(*client.test_arguments(server, "both", "1M", "100ms", 200, 4, *METADATA))

    def refusal() -> str:
        answer = ask()
        assert answer.code == REFUSED, answer.text
        rejection = answer.json["rejection"]
        assert (rejection["stage"], rejection["rule"]) == ("store", "store_full"), rejection
        assert rejection["contact"] == "tests@example.org"
        return rejection["message"]

    ids = ask().json["record_ids"]
    wait_for_delivered(server, 2)

    for port in CLIENT_PORTS[:2]:
        cluster.kill(port)
    while (answer := ask()).code == OK:
        ids += answer.json["record_ids"]
        assert len(ids) < 200, "the mark is never reached"
    assert 4 <= len(ids)
    # The client is told why, and what there is to do; what was measured is kept.
    assert refusal() == "the store of results is full, so a test could not be recorded; try later, or tell the operator"
    wait_for(lambda: "NATS server" in status(server).get("trouble", ""), "weir-export to say what is wrong")
    assert int(status(server)["delivered"]) == 2
    assert sorted(record["record_id"] for record in server.records()) == sorted(ids)

    for port in CLIENT_PORTS[:2]:
        cluster.start(port)
    wait_for_delivered(server, len(ids))
    assert cluster.subjects("WEIR") == {f"rec.{record_id}": 1 for record_id in ids}
    # Delivery deletes nothing, so there is no more room yet.
    refusal()

    # Two days later, by the clock that days are counted with, their day is over and everybody has them.
    server.wrapper = lambda program: ["unshare", "--time", "--boottime", TWO_DAYS_S]
    server.restart_control()
    wait_for(lambda: not server.records(), "the records to be deleted")
    ids += client.test(server, "both", rate="1M", duration="100ms", payload=200).json["record_ids"]
    wait_for_delivered(server, 2)
    assert cluster.subjects("WEIR") == {f"rec.{record_id}": 1 for record_id in ids}
    assert not int(status(server).get("dead", 0))
