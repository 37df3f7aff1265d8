"""Google Benchmark programs, as rows run them."""

import json
import subprocess

from harness.error import BenchError
from harness.machine import affinity, program
from harness.row import Settings


def run_benchmark(executable: str, name: str, settings: Settings) -> dict:
    """What the one benchmark of that name found on the worker's CPU: its times, its rates and its own counters."""
    command = [program(executable), f"--benchmark_filter=^{name}(/manual_time)?$",
               f"--benchmark_min_time={settings.seconds}", "--benchmark_format=json"]  # fmt: skip
    with affinity({settings.cpus.worker}):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60 + 20 * settings.seconds)
    if ended.returncode != 0 or not ended.stdout.lstrip().startswith("{"):
        raise BenchError(f"build/{executable} has no benchmark {name}: {(ended.stderr.strip() or 'it said nothing')[-300:]}")
    found = json.loads(ended.stdout)["benchmarks"]
    if len(found) != 1 or "error_message" in found[0]:
        raise BenchError(f"{name} of build/{executable}: {found[0]['error_message'] if found else 'no figure'}")
    return found[0]
