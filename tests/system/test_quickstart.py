"""deploy/quickstart as a newcomer runs it, and what is left on the machine afterwards: nothing."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from netlab import run, wait_for
from sources import ROOT

QUICKSTART = ROOT / "deploy/quickstart"
STATE = Path("/var/lib/weir-quickstart")
HUGEPAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


def traces() -> set[str]:
    """What a Weir server puts on a machine, each thing in words."""
    found = {f"hugepages: {HUGEPAGES.read_text().strip()}"} if HUGEPAGES.exists() else set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:  # Other suites run at the same time, with daemons of their own.
            if str(STATE).encode() in (directory / "cmdline").read_bytes():
                found.add(f"process {directory.name}")
        except (FileNotFoundError, ProcessLookupError):
            pass
    links = run("ip", "-details", "link", "show")
    found |= {f"link {name}" for name in re.findall(r"^\d+: (\S+):", links, re.MULTILINE)}
    found |= {f"promiscuous {flag}" for flag in re.findall(r"promiscuity [1-9]", links)}
    found |= {f"namespace {name}" for name in run("ip", "netns", "list").split()}
    found |= {f"XDP program {line}" for line in run("bpftool", "prog", "list").splitlines() if ": xdp" in line}
    found |= {f"file {path}" for path in (*Path("/dev/hugepages").glob("*"), *Path("/run/weir").glob("nic/*"))}
    return found | ({f"directory {STATE}"} if STATE.exists() else set())


@pytest.fixture
def untouched():
    """Afterwards nothing is on the machine that was not there before."""
    before = traces()
    yield
    if STATE.exists():
        run(QUICKSTART, "--stop")
    assert not traces() - before


def quickstart(*options, timeout_s: float = 120) -> str:
    # A pipe, not a terminal, and nothing to read from.
    result = subprocess.run([QUICKSTART, "--duration", "2s", *options], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s)  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:]
    return result.stdout


@pytest.mark.parametrize(
    "options",
    [(), ("--link", "veth", "--driver", "af_xdp"), ("--link", "veth", "--driver", "af_packet")],
    ids=["memif", "af_xdp", "af_packet"],
)
def test_measures_both_ways_and_leaves_nothing_behind(untouched, options):
    output = quickstart(*options)
    assert len(re.findall(r"\blost +0\b", output)) >= 2, output
    assert len(set(re.findall(r"[0-9a-f-]{36}-(?:down|up)", output))) == 2, output


def test_keep_leaves_both_servers_until_they_are_stopped(untouched):
    output = quickstart("--keep")
    told = re.search(r"a node, as its operator: +(.+)", output).group(1)
    assert "Weir quickstart" in run(*told.split())
    again = subprocess.run([QUICKSTART], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert again.returncode == 1 and "--stop" in again.stderr
    run(*re.search(r"stop them: +(.+)", output).group(1).split())
    assert not STATE.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_interrupted(untouched, number):
    process = subprocess.Popen([QUICKSTART, "--duration", "30s"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    wait_for((STATE / "b/admin.sock").exists, "the servers", timeout_s=60)
    time.sleep(2)
    os.killpg(process.pid, number)  # As a terminal does.
    assert process.wait(30) != 0


def test_bad_options():
    for options in (("--link", "wire"), ("--driver", "e1000"), ("--colour",), ("--rate",)):
        result = subprocess.run([QUICKSTART, *options], capture_output=True, text=True)
        assert result.returncode == 1
        assert options[0] in result.stderr
