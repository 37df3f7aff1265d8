"""One Weir node: a weir-dataplane with its weir-control, and the `weir` command speaking to it."""

import ipaddress
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from netlab import Lab, Namespace, Process, wait_for
from sources import BUILD, ROOT

DATAPLANE = BUILD / "dataplane/weir-dataplane"
CONTROL = BUILD / "control/weir-control"
EXPORT = BUILD / "control/export/delivery/weir-export"
WEIR = BUILD / "control/cli/weir"
LAB_POLICY = ROOT / "deploy/policies/lab.textproto"

# weir's exit codes, as the README documents them.
OK, USAGE, REFUSED, UNREACHABLE, ABORTED, VERSION, LOCAL = 0, 2, 3, 4, 5, 6, 7


def numbers(value):
    """Protobuf's JSON renders 64-bit integers as strings; this undoes it."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def worker_cpus() -> tuple[int, int]:
    """A CPU for each of two nodes' workers: the last two, which may be the same one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-2:][0], allowed[-1]


@dataclass
class Answer:
    """What a run of `weir` said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        return numbers(json.loads(self.stdout))

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Node:
    lab: Lab
    name: str
    device: str  # "af_xdp:data", "memif:/path,role=server".
    ip4: str  # With prefix.
    ip6: str
    cpu: int
    network: Namespace | None  # Where the dataplane is; weir-control is where the tests are.
    api_port: int
    policy: Path = LAB_POLICY
    dataplane_options: list[str] = field(default_factory=list)
    budget_bps: int = 0  # 0: the link's rate.
    api_tls: str = ""  # Fields of the configuration's section `api`; none: plaintext.
    client_tls: str = ""  # Of its section `client`.
    more_config: str = ""  # Further fields of it.
    wrapper: Callable[[str], list] = lambda program: []  # What a daemon is started by.
    dataplane: Process | None = None
    control: Process | None = None

    @property
    def directory(self) -> Path:
        return self.lab.directory / self.name

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.api_port}"

    @property
    def admin(self) -> Path:
        return self.directory / "admin.sock"

    @property
    def store(self) -> Path:
        return self.directory / "weir.db"

    @property
    def dataplane_socket(self) -> Path:
        return self.directory / "dataplane.sock"

    @property
    def ip(self) -> dict[int, str]:
        """The port's addresses by IP version."""
        return {4: str(ipaddress.ip_interface(self.ip4).ip), 6: str(ipaddress.ip_interface(self.ip6).ip)}

    def start(self) -> "Node":
        self.directory.mkdir()
        self.start_dataplane()
        self.start_control()
        return self

    def start_dataplane(self) -> Process:
        self.dataplane_socket.unlink(missing_ok=True)
        self.dataplane = self.lab.start(
            f"{self.name}-dataplane", *self.wrapper("weir-dataplane"), DATAPLANE, "--socket", self.dataplane_socket, "--no-huge", "--flows", "1024",
            "--lcores", str(self.cpu), "--user", "nobody",
            "--port", f"data={self.device},ip4={self.ip4},ip6={self.ip6}", *self.dataplane_options,
            namespace=self.network,
        )  # fmt: skip
        self._wait_for_socket(self.dataplane, self.dataplane_socket)
        return self.dataplane

    def write_config(self) -> Path:
        path = self.directory / "control.textproto"
        budget = f'port {{ name: "data" budget_bps: {self.budget_bps} }}\n' if self.budget_bps else ""
        path.write_text(
            f'operator: "Weir tests"\ncontact: "tests@example.org"\nnode: "{self.name}"\n'
            f'policy_file: "{self.policy}"\nstore: "{self.store}"\n'
            f'dataplane_socket: "{self.dataplane_socket}"\nadmin_socket: "{self.admin}"\n'
            f'api {{ listen: "{self.address}" {self.api_tls} }}\nclient {{ {self.client_tls} }}\n{budget}{self.more_config}'
        )
        return path

    def start_control(self) -> Process:
        self.admin.unlink(missing_ok=True)
        plaintext = () if self.api_tls else ("--allow-plaintext",)
        command = [*self.wrapper("weir-control"), CONTROL, "--config", self.write_config(), *plaintext]
        self.control = self.lab.start(f"{self.name}-control", *command)
        self._wait_for_socket(self.control, self.admin)
        wait_for(lambda: self.info().get("dataplane_connected"), f"{self.name}'s control to reach its dataplane")
        return self.control

    def start_export(self, destinations: str) -> Process:
        """Its weir-export, with these destinations."""
        config = self.directory / "export.textproto"
        config.write_text(
            f'control_socket: "{self.directory / "export.sock"}"\n'
            f'state_directory: "{self.directory / "export"}"\n{destinations}'
        )
        return self.lab.start(f"{self.name}-export", *self.wrapper("weir-export"), EXPORT, "--config", config)

    def restart_control(self) -> None:
        """With the configuration as it now is."""
        self.control.stop()
        self.start_control()

    def _wait_for_socket(self, process: Process, path: Path) -> None:
        def ready():
            if not process.running():
                raise RuntimeError(f"{process.name} ended with {process.popen.returncode}:\n{process.stderr[-4000:]}")
            return path.exists()

        wait_for(ready, f"{path.name} of {self.name}")

    def stop(self) -> None:
        self.control.stop()
        self.dataplane.stop()

    def weir(self, *arguments, timeout_s: float = 60.0, admin: bool = True) -> Answer:
        command = [WEIR, *(("--admin", self.admin) if admin else ()), *arguments]
        result = subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)
        return Answer(result.returncode, result.stdout, result.stderr)

    def info(self) -> dict:
        answer = self.weir("info", "--json")
        return answer.json if answer.code == 0 else {}

    def records(self) -> list[dict]:
        """All stored records, newest first, without intervals."""
        answer = self.weir("records", "list", "--json")
        assert answer.code == 0, answer.text
        return answer.json.get("records", [])

    def wait_for_running(self, sessions: int = 1) -> None:
        """Until so many sessions of this node exchange packets."""

        def running():
            answer = self.weir("sessions", "--active", "--json")
            states = [session["state"] for session in answer.json.get("sessions", [])] if answer.code == 0 else []
            return states.count("running") >= sessions

        wait_for(running, f"{sessions} running sessions of {self.name}", interval_s=0.1)

    def test_arguments(self, server: "Node", direction: str, rate: str, duration: str, payload, ip: int, *more) -> list:
        plaintext = () if server.api_tls else ("--plaintext",)
        return [
            "test", server.address, *plaintext, "--accept-notice", "--json", "--direction", direction,
            "--rate", rate, "--duration", duration, "--payload", payload, "--ip", ip, *more,
        ]  # fmt: skip

    def test(self, server: "Node", direction: str = "down", rate: str = "20M", duration: str = "2s", payload=1000,
             ip: int = 4, more: tuple = (), expect: int = OK) -> "Measured":
        answer = self.weir(*self.test_arguments(server, direction, rate, duration, payload, ip, *more))
        assert answer.code == expect, f"weir exited with {answer.code}:\n{answer.text}"
        return Measured(answer)

    def start_test(self, name: str, server: "Node", direction: str = "down", rate: str = "20M",
                   duration: str = "20s", payload=1000, ip: int = 4, more: tuple = ()) -> Process:
        """A test in the background, for what happens to it."""
        arguments = self.test_arguments(server, direction, rate, duration, payload, ip, *more)
        return self.lab.start(name, WEIR, "--admin", self.admin, *arguments)


class Measured:
    """The JSON of `weir test`, its results by direction."""

    def __init__(self, answer: Answer):
        self.answer = answer
        self.json = answer.json

    def __getitem__(self, direction: str) -> dict:
        for result in self.json["results"]:
            if result["direction"] == direction.upper():
                return result
        raise KeyError(f"no direction {direction} in {self.json}")



def finished(process: Process) -> Measured:
    """What a test in the background measured."""
    assert process.wait() == 0, process.stdout + process.stderr
    return Measured(Answer(0, process.stdout, process.stderr))
