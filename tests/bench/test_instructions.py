"""What a packet costs in instructions, which valgrind counts the same whatever else the machine does."""

import json
import re
import subprocess

import pytest
from sources import BUILD, ROOT

PROGRAM = BUILD / "bench/bench-instructions"
KEPT = json.loads((ROOT / "bench/instructions.json").read_text())
GROWTH = 1.10


def instructions_a_packet(function: str, scratch) -> float:
    packets = json.loads(subprocess.run([PROGRAM], capture_output=True, check=True).stdout)["packets"]
    command = ["valgrind", "--tool=callgrind", f"--toggle-collect={function}"]
    command += [f"--callgrind-out-file={scratch}/callgrind.out", PROGRAM]
    counted = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return int(re.search(r"I\s+refs:\s+([\d,]+)", counted.stderr).group(1).replace(",", "")) / packets


@pytest.mark.parametrize("function", sorted(KEPT))
def test_a_packet_takes_no_more_instructions_than_were_kept(function, tmp_path):
    counted = instructions_a_packet(function, tmp_path)
    assert counted > 1, "nothing was counted: is the function's name right?"
    assert counted <= KEPT[function] * GROWTH, (
        f"{function}: {counted:.1f} instructions a packet, {KEPT[function]} are kept in bench/instructions.json. "
        "Find what made it slower; raise the figure only with the reason in the commit."
    )
