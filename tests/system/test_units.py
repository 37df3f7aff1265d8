"""The system calls of the daemons are those their units allow: under systemd any other fails with EPERM."""

import re
import subprocess
from pathlib import Path

import pytest
from jetstream import SERVER as NATS_SERVER
from netlab import wait_for
from sources import BUILD
from topology import bridged_pair, memif_pair

POLICY = """
profile: "lab"
notice: "The address of the client is recorded."
admission { name: "all" effect: ALLOW limit { duration_ms: 10000 rate_bps: 1000000000 } }
export { name: "kept" effect: ALLOW address: "full" release_class: "operator_only" }
recipient { name: "us" role: "operator" purpose: "analysis" }
"""
DESTINATIONS = """
destination {{ name: "files" recipient: "us" purpose: "analysis"
  spool {{ directory: "{spool}" experiment: "weir" datatype: "weir1" }} }}
destination {{ name: "stream" recipient: "us" purpose: "analysis"
  jetstream {{ server: "nats://127.0.0.1:4222" replicas: 1 }} }}
destination {{ name: "tables" recipient: "us" purpose: "analysis"
  postgres {{ conninfo: "host=127.0.0.1 dbname=weir user=weir_export" }} }}
"""

# What DPDK asks for at its start and does without, and SQLite of root alone: refused here as systemd would.
REFUSED = {"weir-dataplane": {"iopl"}, "weir-control": {"fchown"}, "weir-export": set()}


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


def traced(program: str, trace: Path) -> list:
    refuse = [f"--inject={call}:error=EPERM" for call in REFUSED[program]]
    return ["strace", "-f", "-qq", "-I", "2", "-e", "signal=none", *refuse, "-o", trace]


def assert_allowed(program: str, trace: Path) -> None:
    calls = called(trace)
    assert {"execve", "read", "write"} <= calls, "strace saw nothing"
    unit = BUILD / f"deploy/{program}.service"
    assert calls - allowed(unit) == REFUSED[program], program
    assert "SystemCallErrorNumber=EPERM" in unit.read_text().splitlines()


@pytest.mark.parametrize("driver", ["af_packet", "af_xdp"])
def test_daemons_call_what_their_units_allow(lab, driver):
    traces = {name: lab.directory / f"{name}.trace" for name in ("weir-dataplane", "weir-control")}
    server, client = bridged_pair(lab, driver, wrapper=lambda program: traced(program, traces[program]))
    for ip in (4, 6):
        assert client.test(server, "both", rate="1M", duration="1s", ip=ip)["down"]["sent"] > 0
    assert server.info()["server"]["clock"] is not None
    assert server.records()
    assert server.weir("policy", "reload").code == 0
    assert server.weir("audit", "verify").code == 0
    server.stop()
    for name, trace in traces.items():
        assert_allowed(name, trace)


def test_export_calls_what_its_unit_allows(lab):
    policy = lab.directory / "policy.textproto"
    policy.write_text(POLICY)
    server, client = memif_pair(lab, policy=policy)
    client.test(server, "down", rate="1M", duration="1s")
    spool, trace = lab.directory / "spool", lab.directory / "weir-export.trace"
    spool.mkdir()
    lab.start("nats", NATS_SERVER, "-a", "127.0.0.1", "-js", "-sd", lab.directory / "nats")
    server.wrapper = lambda program: traced(program, trace)
    export = server.start_export(DESTINATIONS.format(spool=spool))

    def settled() -> bool:
        status = server.weir("export", "status", "--json").json.get("destinations", [])
        found = {entry["destination"]["name"]: entry for entry in status}
        return all(int(found.get(name, {}).get("delivered", 0)) == 1 for name in ("files", "stream")) and bool(
            found.get("tables", {}).get("trouble")
        )

    wait_for(settled, "two deliveries and the trouble of the third")
    export.stop()
    assert_allowed("weir-export", trace)
