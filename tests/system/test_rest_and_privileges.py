"""A server at rest costs next to nothing, and holds no privilege it does not need."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from sources import BUILD


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s*(.*)$", path.read_text(), re.MULTILINE))


def test_both_daemons_together_use_less_than_5_percent_of_a_core_at_rest(memif):
    server, client = memif
    client.test(server, "both", duration="1s")  # At rest again, not only before the first test.
    time.sleep(1)
    pids = (server.dataplane.pid, server.control.pid)
    before, started = sum(map(cpu_seconds, pids)), time.monotonic()
    time.sleep(5)
    used = sum(map(cpu_seconds, pids)) - before
    assert used / (time.monotonic() - started) < 0.05


def test_running_dataplane_has_no_privilege(memif):
    server, _ = memif
    threads = list(Path(f"/proc/{server.dataplane.pid}/task").iterdir())
    assert len(threads) > 1
    for thread in threads:
        fields = status(thread / "status")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(fields[name], 16) == 0, (thread.name, name)
        assert fields["NoNewPrivs"] == "1"
        assert "0" not in fields["Uid"].split() + fields["Gid"].split()
        assert "0" not in fields["Groups"].split()


def test_segment_is_sealed_and_control_cannot_write_it(memif):
    server, _ = memif
    maps = Path(f"/proc/{server.control.pid}/maps").read_text()
    segments = [line for line in maps.splitlines() if "memfd:" in line]
    assert segments
    assert all(line.split()[1].startswith("r--") for line in segments)


@pytest.mark.parametrize("unit,most", [("weir-control", 1.5), ("weir-dataplane", 4.0), ("weir-export", 1.5)])
def test_unit_exposure(unit, most):
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", BUILD / f"deploy/{unit}.service"]
    report = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report.stdout)
    assert exposure, report.stdout + report.stderr
    assert float(exposure.group(1)) <= most
