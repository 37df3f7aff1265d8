"""What a flow slot takes, as the kernel counts it."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import program
from harness.row import Bar, Check, Outcome, Row, Settings

PROGRAM = "bench/bench-memory"
BAR = Bar("<=", 512)


def measure(settings: Settings) -> Outcome:
    settings.progress("fills 65,536 slots twice")
    ended = subprocess.run([program(PROGRAM)], capture_output=True, text=True, timeout=60)
    if ended.returncode != 0:
        raise BenchError(f"bench-memory failed: {ended.stderr.strip()[-300:]}")
    found = json.loads(ended.stdout)
    size = float(found.pop("bytes_per_slot"))
    return Outcome([size], [], [Check("bytes a slot", size, BAR)], details={"parts": found})


MEMORY = (
    Row(
        "memory", "a flow slot: the block it sends or receives in, and shared; histogram and window apart", unit="bytes/slot",
        peer="", measure=measure, bars=str(BAR), rounds=1, quick_rounds=1, programs=(PROGRAM,),
    ),
)  # fmt: skip
