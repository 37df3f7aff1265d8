"""Whatever is wrong, an error names the field, the rule and what to do; the exit code is the
documented one; nothing half-done stays behind."""

import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from api import Api, messages
from frames import build_udp
from netlab import run, wait_for
from node import ABORTED, CONTROL, DATAPLANE, LAB_POLICY, LOCAL, OK, REFUSED, UNREACHABLE, USAGE, VERSION, WEIR
from topology import bridged_pair, memif_pair

# Exit codes of the daemons.
BAD_USAGE, CANNOT_START, PORT_VANISHED = 2, 3, 4


def start_dataplane(lab, *arguments, huge: bool = False):
    socket_path = lab.directory / "dataplane.sock"
    return lab.start("dataplane", DATAPLANE, "--socket", socket_path, *(() if huge else ("--no-huge",)), *arguments)


@pytest.mark.parametrize(
    "port,named",
    [
        ("data", "NAME=DEVICE"),
        ("data=", "device"),
        ("data=eth0", "eth0"),
        ("data=nonsense:eth0", "nonsense"),
        ("da ta=null:", "da ta"),
        ("data=null:,ip4=198.18.0.300/24", "ip4"),
        ("data=null:,ip4=198.18.0.1", "ip4"),
        ("data=null:,ip6=2001:db8::zz/64", "ip6"),
        ("data=null:,vlan=4096", "vlan"),
        ("data=null:,mtu=12", "mtu"),
        ("data=null:,colour=red", "colour"),
        ("data=null:,queues=3-2", "queues"),
    ],
)
def test_malformed_port(lab, port, named):
    dataplane = start_dataplane(lab, "--port", port)
    assert dataplane.wait() == BAD_USAGE, dataplane.stderr
    assert named in dataplane.stderr
    assert "--port" in dataplane.stderr
    assert not (lab.directory / "dataplane.sock").exists()


def test_no_port_and_unknown_flag(lab):
    assert start_dataplane(lab).wait() == BAD_USAGE
    dataplane = start_dataplane(lab, "--port", "data=null:", "--colour", "red")
    assert dataplane.wait() == BAD_USAGE
    assert "--colour" in dataplane.stderr


@pytest.mark.parametrize("device", ["af_packet:nosuch0", "af_xdp:nosuch0", "pci:0000:ff:1f.7"])
def test_port_that_does_not_exist(lab, device):
    dataplane = start_dataplane(lab, "--port", f"data={device},ip4=198.18.0.1/24")
    assert dataplane.wait() == CANNOT_START, dataplane.stderr
    assert device.partition(":")[2] in dataplane.stderr
    assert not (lab.directory / "dataplane.sock").exists()


def test_missing_hugepages(lab):
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") as file:
        if int(file.read()):
            pytest.skip("this machine has hugepages reserved")
    dataplane = start_dataplane(lab, "--port", "data=null:,ip4=198.18.0.1/24", huge=True)
    assert dataplane.wait() == CANNOT_START, dataplane.stderr
    assert "--no-huge" in dataplane.stderr and "nr_hugepages" in dataplane.stderr


def test_port_that_vanishes(lab):
    server, client = bridged_pair(lab, "af_packet")
    test = client.start_test("test", server)
    server.wait_for_running()
    lab.namespace("a").run("ip", "link", "delete", "data")
    assert server.dataplane.wait() == PORT_VANISHED
    assert "data" in server.dataplane.stderr
    assert test.wait() == ABORTED
    record = wait_for(lambda: server.records(), "the session to be exported")[0]
    assert record["outcome"] == "ABORTED"


def test_more_workers_than_cpus(lab):
    dataplane = start_dataplane(lab, "--port", "data=null:,ip4=198.18.0.1/24", "--workers", "2", "--lcores", "0")
    assert dataplane.wait() == CANNOT_START, dataplane.stderr
    assert "--lcores" in dataplane.stderr and "2 workers" in dataplane.stderr and "lower --workers" in dataplane.stderr


def test_more_workers_than_queues(lab):
    """Two workers on one CPU each, and an interface that has one queue."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("two workers need two CPUs")
    here = lab.namespace("a")
    lab.veth(here, "data", lab.namespace("b"), "far")
    dataplane = lab.start("dataplane", DATAPLANE, "--socket", lab.directory / "dataplane.sock", "--no-huge",
                          "--workers", "2", "--port", "data=af_xdp:data,ip4=198.18.0.1/24", namespace=here)  # fmt: skip
    assert dataplane.wait() == CANNOT_START, dataplane.stderr
    assert "2 queue(s), one for each worker" in dataplane.stderr and "--workers 1" in dataplane.stderr


def test_link_that_goes_down_during_a_test(lab):
    """No load leaves on a guess: the test ends, is recorded at both ends, and says how it ended."""
    server, client = bridged_pair(lab, "af_packet")
    for _ in range(5):
        test = client.start_test("test", server, duration="4s")
        server.wait_for_running()
        lab.namespace("middle").run("ip", "link", "set", "to_a", "down")
        code = test.wait()
        lab.namespace("middle").run("ip", "link", "set", "to_a", "up")
        wait_for(lambda: server.info()["ports"][0]["link_up"], "the link")
        if code != OK:  # The kernel puts it off while packets come, sometimes until none do.
            break
    assert code == ABORTED, test.stdout + test.stderr
    assert server.dataplane.running() and client.dataplane.running()
    for node in (server, client):

        def aborted(node=node):
            return [record for record in node.records() if record["outcome"] == "ABORTED"]

        assert wait_for(aborted, f"{node.name}'s record")[0]["end_reason"] == "feedback_lost"
    assert client.test(server, "down", rate="1M", duration="500ms")["down"]["lost"] == 0


def start_control(lab, text: str, *arguments):
    config = lab.directory / "control.textproto"
    config.write_text(text)
    return lab.start("control", CONTROL, "--config", config, *arguments)


GOOD_CONFIG = f"""operator: "Weir tests"
contact: "tests@example.org"
policy_file: "{LAB_POLICY}"
"""


@pytest.mark.parametrize(
    "text,named",
    [
        (GOOD_CONFIG + 'colour: "red"\n', ("4:1", "colour")),
        (GOOD_CONFIG + "api {\n  listen: 4040\n}\n", ("5:11",)),
        (GOOD_CONFIG + 'store: "unfinished\n', ("4:",)),
        (GOOD_CONFIG.replace("operator", "# operator"), ("operator",)),
        (GOOD_CONFIG.replace("contact", "# contact"), ("contact",)),
        (GOOD_CONFIG.replace("policy_file", "# policy_file"), ("policy_file",)),
        (GOOD_CONFIG.replace("lab.textproto", "nosuch.textproto"), ("nosuch.textproto",)),
        (GOOD_CONFIG + 'api { listen: "somewhere" }\n', ("api.listen",)),
        (GOOD_CONFIG + 'api { listen: "[::]:4040" }\n', ("tls_certificate",)),
        (GOOD_CONFIG + f'api {{ tls_client_ca: "{LAB_POLICY}" }}\n', ("api.tls_certificate", "api.tls_client_ca")),
        (GOOD_CONFIG + f'client {{ tls_certificate: "{LAB_POLICY}" }}\n', ("client.tls_key",)),
        (GOOD_CONFIG + 'client { ca: "nosuch.pem" }\n', ("client.ca", "nosuch.pem")),
    ],
    ids=["unknown field", "wrong type", "unfinished string", "no operator", "no contact", "no policy", "missing policy",
         "bad address", "no certificate", "client CA alone", "certificate without key", "missing CA"],
)  # fmt: skip
def test_bad_configuration(lab, text, named):
    control = start_control(lab, text, "--check-config")
    assert control.wait() == BAD_USAGE, control.stderr
    for name in ("control.textproto", *named):
        assert name in control.stderr + control.stdout


def test_bad_policy_is_refused_with_line_and_column(lab):
    policy = lab.directory / "policy.textproto"
    policy.write_text('profile: "lab"\nadmission { name: "x" effect: ALLOW colour: 1 }\n')
    control = start_control(lab, GOOD_CONFIG.replace(str(LAB_POLICY), str(policy)), "--check-config")
    assert control.wait() == BAD_USAGE
    assert "policy.textproto" in control.stderr and "2:37" in control.stderr


def test_plaintext_is_refused_beyond_loopback(lab):
    text = GOOD_CONFIG + f'store: "{lab.directory}/weir.db"\napi {{ listen: "0.0.0.0:4040" }}\n'
    control = start_control(lab, text, "--allow-plaintext")
    assert control.wait() == BAD_USAGE
    assert "loopback" in control.stderr


def test_plaintext_is_refused_to_another_host(memif):
    _, client = memif
    answer = client.weir("test", "192.0.2.1:4040", "--plaintext", "--accept-notice", "--direction", "down")
    assert answer.code == USAGE, answer.text
    assert "remote.plaintext" in answer.text and "TLS" in answer.text


@pytest.mark.parametrize(
    "arguments,code,named",
    [
        (("--rate", "0"), USAGE, "rate"),
        (("--rate", "fast"), USAGE, "rate"),
        (("--duration", "0s"), USAGE, "duration"),
        (("--duration", "soon"), USAGE, "duration"),
        (("--payload", "17"), USAGE, "payload"),
        (("--payload", "huge"), USAGE, "payload"),
        (("--direction", "sideways"), USAGE, "direction"),
        (("--ip", "5"), USAGE, "ip"),
        (("--streams", "0"), USAGE, "streams"),
        (("--colour", "red"), USAGE, "colour"),
        (("--duration", "10h"), REFUSED, "duration"),
        (("--payload", "1473"), REFUSED, "payload"),
        (("--payload", "1453", "--ip", "6"), REFUSED, "payload"),
    ],
)
def test_bad_request(memif, arguments, code, named):
    server, client = memif
    stored = len(server.records())
    defaults = {"--direction": "down", "--rate": "1M", "--duration": "1s"}
    defaults.update(dict(zip(arguments[::2], arguments[1::2])))
    words = [word for pair in defaults.items() for word in pair]
    answer = client.weir("test", server.address, "--plaintext", "--accept-notice", *words)
    assert answer.code == code, answer.text
    assert named in answer.text
    assert len(server.records()) == stored
    assert not server.info().get("sessions_active") and not client.info().get("sessions_active")


def test_rate_above_the_link_is_refused(lab):
    server, client = bridged_pair(lab, "af_packet")  # A veth says 10 Gbit/s.
    answer = client.weir(*client.test_arguments(server, "down", "11G", "1s", 1472, 4))
    assert answer.code == REFUSED, answer.text
    assert "link_rate" in answer.text and "rate" in answer.text and "10" in answer.text


def test_server_that_is_not_there(memif):
    _, client = memif
    answer = client.weir("test", "127.0.0.1:9", "--plaintext", "--accept-notice", "--direction", "down")
    assert answer.code == UNREACHABLE, answer.text
    assert "127.0.0.1:9" in answer.text


def test_local_control_that_is_not_there(lab):
    missing = lab.directory / "nosuch.sock"
    command = lab.start("weir", WEIR, "--admin", missing, "info")
    assert command.wait() == UNREACHABLE
    assert str(missing) in command.stderr


def test_local_dataplane_that_is_not_there(lab):
    server, client = memif_pair(lab)
    client.dataplane.kill()
    wait_for(lambda: not client.info().get("dataplane_connected"), "control to notice")
    answer = client.weir(*client.test_arguments(server, "down", "1M", "1s", 1000, 4))
    assert answer.code == LOCAL, answer.text
    assert "dataplane" in answer.text


class OtherVersion:
    """A server that speaks version 2 and refuses version 1, as proto/README.md says it must."""

    def __init__(self):
        m = messages("measurement.v1.measurement")
        rejection = m.Rejection(stage="protocol", rule="protocol_version", field="protocol_version",
                                message="this server speaks version 2, not 1")  # fmt: skip
        answers = {"GetServerInfo": m.ServerInfo(protocol_version=2, software="weir 9"),
                   "Negotiate": m.NegotiateReply(rejection=rejection)}  # fmt: skip
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                lambda request, context, answer=answer: answer, response_serializer=lambda reply: reply.SerializeToString()
            )
            for name, answer in answers.items()
        }
        self.server = grpc.server(ThreadPoolExecutor(2))
        self.server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("weir.measurement.v1.Measurement", handlers),)
        )
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()


def test_server_of_another_version(memif):
    _, client = memif
    other = OtherVersion()
    answer = client.weir("test", f"127.0.0.1:{other.port}", "--plaintext", "--accept-notice", "--direction", "down")
    other.server.stop(0)
    assert answer.code == VERSION, answer.text
    assert "1" in answer.text and "2" in answer.text


def test_client_of_another_version(memif):
    server, _ = memif
    with Api(server) as api:
        reply = api.negotiate(protocol_version=2)
    assert reply.rejection.stage == "protocol"
    assert reply.rejection.contact == "tests@example.org"
    assert "1" in reply.rejection.message and "2" in reply.rejection.message


def test_controller_of_another_version(lab):
    dataplane = start_dataplane(lab, "--port", "data=null:,ip4=198.18.0.1/24")
    path = lab.directory / "dataplane.sock"
    wait_for(path.exists, "the socket")
    d = messages("dataplane.v1.dataplane")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.connect(str(path))
        control.settimeout(10)
        hello = d.Hello(protocol_version=99, layout_version=1, controller="test")
        control.send(d.Request(request_id=1, hello=hello).SerializeToString())
        reply = d.Message.FromString(control.recv(1 << 17)).response
        assert reply.status.code == d.UNIMPLEMENTED
        assert "99" in reply.status.message and "1" in reply.status.message
        assert control.recv(1 << 17) == b""  # And closed.
    assert dataplane.running()


GARBAGE = [b"", b"\0", b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\x0a\xff\xff\xff\xff\x0f"]


def throw_garbage(family: int, kind: int, address) -> None:
    for data in GARBAGE:
        with socket.socket(family, kind) as thrower:
            thrower.settimeout(5)
            thrower.connect(address)
            try:
                thrower.send(data)
                thrower.recv(65536)
            except OSError:
                pass


def test_garbage_on_every_socket(memif):
    server, client = memif
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as idle:
        idle.connect(str(server.dataplane_socket))  # One that says nothing takes nobody's place.
        throw_garbage(socket.AF_UNIX, socket.SOCK_SEQPACKET, str(server.dataplane_socket))
        throw_garbage(socket.AF_UNIX, socket.SOCK_STREAM, str(server.admin))
        throw_garbage(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", server.api_port))
    assert server.dataplane.running() and server.control.running()
    assert client.test(server, "down", duration="1s")["down"]["lost"] == 0


def test_garbage_on_the_wire(lab):
    server, client = bridged_pair(lab, "af_packet")
    middle = lab.namespace("middle")
    raw = middle.raw_socket("to_a")
    mac = lab.namespace("a").mac("data")
    test = client.start_test("test", server, duration="2s")
    for round_number in range(300):
        payload = b"\xff\xff\xff\x01" + bytes([round_number % 256]) + os.urandom(round_number % 90)
        raw.send(build_udp(b"\2\0\0\0\0\7", mac, "198.18.0.9", server.ip[4], 4000, 4000 + round_number, payload))
        raw.send(mac + b"\2\0\0\0\0\7" + struct.pack("!H", (0x0800, 0x86DD, 0x0806)[round_number % 3]) + os.urandom(60))
        time.sleep(0.005)
    assert test.wait() == 0, test.stdout + test.stderr
    assert server.dataplane.running() and client.dataplane.running()


def test_full_disk_for_the_store(lab):
    """A store on a small file system: no session is admitted that could not be recorded."""
    server, client = memif_pair(lab)
    server.control.stop()
    disk = server.directory / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk)
    try:
        server_store = disk / "weir.db"
        text = server.write_config().read_text().replace(str(server.store), str(server_store))
        config = server.directory / "full.textproto"
        config.write_text(text)
        server.control = lab.start("full-control", CONTROL, "--config", config, "--allow-plaintext")
        wait_for(lambda: server.info().get("dataplane_connected"), "control")
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        answer = client.weir(*client.test_arguments(server, "down", "1M", "1s", 1000, 4))
        assert answer.code == REFUSED, answer.text
        assert "store" in answer.text
        assert server.control.running()
        filler.unlink()
        request = client.test_arguments(server, "down", "1M", "1s", 1000, 4)
        wait_for(lambda: client.weir(*request).code == OK, "the store to notice that there is room again")
        assert len(server.records()) == 1
        server.control.stop()
    finally:
        server.control.kill()
        run("umount", disk)


def test_store_that_cannot_be_opened(lab):
    control = start_control(lab, GOOD_CONFIG + f'store: "{lab.directory}/nosuch/weir.db"\n')
    assert control.wait() == CANNOT_START, control.stderr
    assert "store" in control.stderr and "nosuch" in control.stderr


def test_socket_in_use(lab):
    server, _ = memif_pair(lab)
    second = lab.start("second", DATAPLANE, "--socket", server.dataplane_socket, "--no-huge", "--port", "x=null:")
    assert second.wait() == CANNOT_START, second.stderr
    assert str(server.dataplane_socket) in second.stderr
    assert server.info()["dataplane_connected"]
