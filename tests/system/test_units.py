"""The system calls of the daemons are those their units allow: under systemd any other fails with EPERM."""

import re
import subprocess
from pathlib import Path

import pytest
from sources import BUILD
from topology import bridged_pair


# What DPDK asks for at its start and does without, and SQLite of root alone: refused here as systemd would.
REFUSED = {"weir-dataplane": {"iopl"}, "weir-control": {"fchown"}}


def filter_sets() -> dict[str, set[str]]:
    """The sets systemd knows, expanded."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    sets: dict[str, set[str]] = {}
    name = ""
    for line in text.stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = set()
        elif line.startswith("    ") and not line.strip().startswith("#") and name:
            sets[name].add(line.strip())
        elif line.startswith("#"):
            name = ""  # What no set holds.

    def expanded(of: str) -> set[str]:
        return set().union(*(expanded(entry) if entry.startswith("@") else {entry} for entry in sets[of]))

    return {name: expanded(name) for name in sets}


def allowed(unit: Path) -> set[str]:
    sets = filter_sets()
    calls = set(sets["@default"])
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE):
        named = set().union(*(sets.get(word, {word}) for word in line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def called(trace: Path) -> set[str]:
    """By what strace -f wrote: "PID name(...", "PID <... name resumed>"."""
    return set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]", trace.read_text(errors="replace"), re.MULTILINE))


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_daemons_call_what_their_units_allow(lab, driver):
    traces = {name: lab.directory / f"{name}.trace" for name in ("weir-dataplane", "weir-control")}

    def strace(program: str) -> list:
        refuse = [f"--inject={call}:error=EPERM" for call in REFUSED[program]]
        return ["strace", "-f", "-qq", "-I", "2", "-e", "signal=none", *refuse, "-o", traces[program]]

    server, client = bridged_pair(lab, driver, wrapper=strace)
    for ip in (4, 6):
        assert client.test(server, "both", rate="1M", duration="1s", ip=ip)["down"]["sent"] > 0
    assert server.info()["server"]["clock"] is not None
    assert server.records()
    assert server.weir("policy", "reload").code == 0
    assert server.weir("audit", "verify").code == 0
    server.stop()
    for name, trace in traces.items():
        calls = called(trace)
        assert {"execve", "read", "write"} <= calls, "strace saw nothing"
        unit = BUILD / f"deploy/{name}.service"
        assert calls - allowed(unit) == REFUSED[name], name
        assert "SystemCallErrorNumber=EPERM" in unit.read_text().splitlines()
