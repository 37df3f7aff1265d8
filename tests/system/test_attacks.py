"""Nobody can have load sent to someone who did not ask for it (DESIGN 5, address proof).

The attacker is on the server's own link, holds a valid grant and can send any frame; what
reaches the victim is seen at the victim's interface.
"""

import os
import socket
import threading
import time

import pytest
from api import BEACON, CHALLENGE, Api, granted_flow, measurement
from frames import build_udp
from netlab import wait_for
from topology import make_node
from watch import Watch

PEER_LEASE_S, SLACK_S = 0.25, 0.25
VICTIM, ATTACKER, UDP_PORT = "198.18.0.77", "198.18.0.66", 7007


class Scene:
    """A server, an attacker and a victim on one bridge. The victim is an ordinary host."""

    def __init__(self, lab):
        middle = lab.namespace("middle")
        middle.run("ip", "link", "add", "name", "bridge", "type", "bridge", "mcast_snooping", "0")
        middle.run("ip", "link", "set", "bridge", "up")
        for name in ("a", "attacker", "victim"):
            interface = "data" if name == "a" else "eth0"
            lab.veth(lab.namespace(name), interface, middle, f"to_{name}")
            middle.run("ip", "link", "set", f"to_{name}", "master", "bridge")
        for name, address in (("victim", VICTIM), ("attacker", ATTACKER)):
            lab.namespace(name).run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.lab = lab
        self.server = make_node(lab, "a", 1, "af_packet:data", lab.namespace("a")).start()
        self.attacker = lab.namespace("attacker")
        self.victim = lab.namespace("victim")
        self.raw = self.attacker.raw_socket("eth0")
        # What is for the victim goes to the victim, whoever claims to be it.
        self.victim_mac = self.victim.mac("eth0")
        mac = ":".join(f"{byte:02x}" for byte in self.victim_mac)
        middle.run("bridge", "fdb", "replace", mac, "dev", "to_victim", "master", "static", "sticky")
        self.server_mac = lab.namespace("a").mac("data")

    def negotiate(self, api: Api, address: str):
        """A session whose load would go to `address`."""
        m = measurement()
        end = m.FlowEnd(direction="DOWN", ip=address, udp_port=UDP_PORT, slot=5, generation=9, cookie=(5 << 40) | 12345)
        reply = api.negotiate(client_ends=[end])
        assert reply.HasField("grant"), reply
        return reply.grant, granted_flow(reply.grant, end)

    def send(self, flow, payload: bytes) -> None:
        """As if from the flow's receiver, to the server's dataplane."""
        source_mac = self.victim_mac if flow.receiver[0] == VICTIM else self.attacker.mac("eth0")
        self.raw.send(build_udp(source_mac, self.server_mac, flow.receiver[0], flow.sender[0],
                                flow.receiver[1], flow.sender[1], payload))  # fmt: skip


@pytest.fixture
def scene(lab):
    return Scene(lab)


def run_to_the_end(api: Api, session_id: str) -> list[str]:
    """Runs the session; the states it went through."""
    states = []
    try:
        for reply in api.run(session_id):
            if reply.HasField("progress"):
                states.append(reply.progress.state)
            if reply.HasField("completed"):
                states.append(reply.completed.end_reason)
    except Exception as error:  # The server may also end the stream with a status.
        states.append(str(error))
    return states


def run_in_background(api: Api, grant) -> tuple[threading.Thread, list[str]]:
    """Runs the session; the list fills with the states it goes through."""
    states: list[str] = []
    runner = threading.Thread(target=lambda: states.extend(run_to_the_end(api, grant.session_id)))
    runner.start()
    return runner, states


def test_hello_from_a_spoofed_address(scene):
    with Api(scene.server) as api, Watch(scene.victim, "eth0") as victim:
        grant, flow = scene.negotiate(api, VICTIM)
        run_in_background(api, grant)
        for _ in range(20):
            scene.send(flow, flow.hello())
            time.sleep(0.05)
        time.sleep(1)
        assert not victim.load
        challenges = victim.signals(CHALLENGE)
        assert 1 <= len(challenges) <= 20  # The harness works, and nothing is amplified:
        assert all(len(seen.frame.payload) <= len(flow.hello()) for seen in challenges)


def test_proof_with_a_wrong_key(scene):
    with Api(scene.server) as api, Watch(scene.attacker, "eth0") as watch:
        grant, flow = scene.negotiate(api, ATTACKER)
        run_in_background(api, grant)
        scene.send(flow, flow.hello())
        challenge = wait_for(lambda: watch.signals(CHALLENGE), "a challenge")[0].frame.payload
        for _ in range(10):
            scene.send(flow, flow.proof(challenge, key=os.urandom(32)))
        # Nor is the challenge its own proof.
        scene.send(flow, flow.proof(challenge)[:24] + challenge[24:40])
        time.sleep(1)
        assert not watch.load


def test_echo_server_as_victim(scene):
    with scene.victim.entered():
        echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        echo.bind((VICTIM, UDP_PORT))
    echoed = []

    def serve():
        while True:
            try:
                data, peer = echo.recvfrom(2048)
            except OSError:
                return
            echo.sendto(data, peer)
            echoed.append(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with Api(scene.server) as api, Watch(scene.victim, "eth0") as victim:
        grant, flow = scene.negotiate(api, VICTIM)
        run_in_background(api, grant)
        for _ in range(20):
            scene.send(flow, flow.hello())
            time.sleep(0.05)
        time.sleep(1)
        assert echoed  # It did send the challenges back.
        assert not victim.load
    echo.close()


def prove(scene, api: Api, watch: Watch, grant, flow) -> tuple[threading.Thread, list[str]]:
    """Does everything right up to the proof; the session runs on in a thread."""
    runner, states = run_in_background(api, grant)
    scene.send(flow, flow.hello())
    challenge = wait_for(lambda: watch.signals(CHALLENGE), "a challenge")[0].frame.payload
    scene.send(flow, flow.proof(challenge))
    return runner, states


def test_a_proven_receiver_without_feedback_gets_no_load(scene):
    with Api(scene.server) as api, Watch(scene.attacker, "eth0") as watch:
        grant, flow = scene.negotiate(api, ATTACKER)
        runner, states = prove(scene, api, watch, grant, flow)
        runner.join(30)
        assert watch.signals(BEACON)  # It was armed,
        assert not watch.load
        assert {"feedback_lost", "peer_silent"} & set(states), states
    assert [record["outcome"] for record in scene.server.records()] == ["ABORTED"]


def test_a_receiver_that_does_everything_right_gets_load_until_it_falls_silent(scene):
    """The control of these experiments: only what was wrong above kept the load away."""
    with Api(scene.server) as api, Watch(scene.attacker, "eth0") as watch:
        grant, flow = scene.negotiate(api, ATTACKER)
        runner, states = prove(scene, api, watch, grant, flow)
        for counter in range(1, 51):
            beacon = wait_for(lambda: watch.signals(BEACON), "a beacon")[-1].frame.payload
            scene.send(flow, flow.feedback(counter, beacon, len(watch.load)))
            time.sleep(0.02)
        silent = time.time()
        last = watch.wait_for_silence(1.0)
        runner.join(30)
        assert len(watch.load) > 100
        assert last - silent <= PEER_LEASE_S + SLACK_S
        assert "running" in states
        assert {"feedback_lost", "peer_silent"} & set(states), states
