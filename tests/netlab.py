"""Network namespaces, veth pairs and processes for tests; all gone when the Lab is closed.

Names begin with wt<pid>-, so what a killed run left is found and removed by the next one.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command, check: bool = True, **options) -> str:
    """Runs a short command; its output. Raises with that output if it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **options)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} exited with {result.returncode}:\n{result.stdout}")
    return result.stdout


def wait_for(condition, what: str, timeout_s: float = 20.0, interval_s: float = 0.02):
    """The first true value of condition(). The deadline is generous: the machine is shared."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up waiting for {what} after {timeout_s} s")
        time.sleep(interval_s)


def enter_private_network() -> None:
    """This process, and what it starts, has a network of its own: a loopback and nothing else."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace; are we root?")
    run("ip", "link", "set", "lo", "up")


class Namespace:
    """A network namespace, loopback up."""

    def __init__(self, name: str):
        self.name = name
        run("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")
        # Nothing but what the test sends is to be seen: no router solicitations, no MLD.
        self.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")

    def run(self, *command, **options) -> str:
        return run("ip", "netns", "exec", self.name, *command, **options)

    @contextmanager
    def entered(self):
        """This thread is in the namespace; a socket opened meanwhile stays in it."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
            try:
                yield
            finally:
                _libc.setns(home.fileno(), CLONE_NEWNET)

    def raw_socket(self, interface: str, timeout_s: float = 5.0) -> socket.socket:
        """Sends and receives whole frames on an interface."""
        with self.entered():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
            raw.bind((interface, 3))  # ETH_P_ALL
        raw.settimeout(timeout_s)
        return raw

    def mac(self, interface: str) -> bytes:
        text = re.search(r"link/ether (\S+)", self.run("ip", "link", "show", interface)).group(1)
        return bytes.fromhex(text.replace(":", ""))


class Process:
    """A started program with its output in files. Killed by the Lab if it still runs."""

    def __init__(self, name: str, number: int, command: list, directory: Path, namespace: Namespace | None, **options):
        self.name = name
        self.command = [str(word) for word in command]
        if namespace:
            self.command[:0] = ["ip", "netns", "exec", namespace.name]
        self.stdout_path = directory / f"{number}-{name}.out"
        self.stderr_path = directory / f"{number}-{name}.err"
        with self.stdout_path.open("xb") as stdout, self.stderr_path.open("xb") as stderr:
            self.popen = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                preexec_fn=lambda: _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
                **options,
            )

    @property
    def pid(self) -> int:
        """Of the program itself: `ip netns exec` has become it."""
        return self.popen.pid

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, timeout_s: float = 30.0) -> int:
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} did not end within {timeout_s} s; it said:\n{self.stderr[-3000:]}") from None

    def wait_for_output(self, text: str, timeout_s: float = 20.0) -> None:
        def found():
            if not self.running() and text not in self.stdout + self.stderr:
                raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.stdout}{self.stderr}")
            return text in self.stdout + self.stderr

        wait_for(found, f"{self.name} to say '{text}'", timeout_s)

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; SIGKILL if that does not help. The exit code."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.returncode

    def kill(self) -> None:
        if self.running():
            self.popen.kill()
            self.popen.send_signal(signal.SIGCONT)
        self.popen.wait()


class Lab:
    def __init__(self):
        self.prefix = f"wt{os.getpid()}-"
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.prefix}"))
        self.directory.chmod(0o755)  # The daemons run as other users.
        self.namespaces: dict[str, Namespace] = {}
        self.processes: list[Process] = []

    def namespace(self, name: str) -> Namespace:
        if name not in self.namespaces:
            self.namespaces[name] = Namespace(self.prefix + name)
        return self.namespaces[name]

    def veth(self, first: Namespace, first_name: str, second: Namespace, second_name: str, queues: int = 1) -> None:
        """A pair between two namespaces, both ends up."""
        count = ("numtxqueues", queues, "numrxqueues", queues)
        run("ip", "link", "add", "name", first_name, "netns", first.name, *count, "type", "veth",
            "peer", "name", second_name, "netns", second.name, *count)
        for namespace, name in ((first, first_name), (second, second_name)):
            namespace.run("ip", "link", "set", name, "up")

    def start(self, name: str, *command, namespace: Namespace | None = None, **options) -> Process:
        process = Process(name, len(self.processes), list(command), self.directory, namespace, **options)
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.running():
                process.popen.send_signal(signal.SIGCONT)
            process.stop(timeout_s=10)
        for namespace in self.namespaces.values():
            remove_namespace(namespace.name)
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)


def remove_namespace(name: str) -> None:
    for pid in run("ip", "netns", "pids", name, check=False).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            pass
    run("ip", "netns", "delete", name, check=False)


def remove_leftovers() -> None:
    """What runs that were killed could not remove themselves."""
    for name in re.findall(r"^(wt(\d+)-\S+)", run("ip", "netns", "list"), re.MULTILINE):
        if not Path(f"/proc/{name[1]}").exists():
            remove_namespace(name[0])
