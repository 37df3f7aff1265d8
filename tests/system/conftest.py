"""Fixtures of the system suite: a laboratory a test or a module, with two nodes in it."""

import os
import signal
from contextlib import contextmanager

import pytest
from netlab import Lab, enter_private_network, remove_leftovers
from topology import bridged_pair, memif_pair


# Their packets have rates and times to keep, which a build beside them would disturb.
RATES = (
    "test_bench_runs", "test_concurrency", "test_ground_truth", "test_impairments", "test_limits", "test_long_life",
    "test_measurement", "test_multi_queue", "test_rest_and_privileges", "test_rfc2544", "test_saturation",
)  # fmt: skip


def pytest_configure(config):
    config.addinivalue_line("markers", "rates: nothing else should run beside it")
    # What is measured goes before whatever else the machine does.
    os.nice(-15)
    # The suite has a network of its own: its loopback is where the nodes' APIs are.
    enter_private_network()
    # A killed run cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    remove_leftovers()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in RATES:
            item.add_marker("rates")


@contextmanager
def laboratory():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
def lab():
    with laboratory() as lab:
        yield lab


@pytest.fixture(scope="module")
def memif():
    """A pair on shared memory that the tests of a module share."""
    with laboratory() as lab:
        yield memif_pair(lab)


@pytest.fixture(scope="module", params=["af_xdp", "af_packet"])
def bridged(request):
    """A pair with a bridge between, for each driver, that the tests of a module share."""
    with laboratory() as lab:
        yield bridged_pair(lab, request.param)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the programs said when a test fails."""
    report = (yield).get_result()
    if call.when != "call" or not report.failed:
        return
    labs = [item.funcargs["lab"]] if "lab" in item.funcargs else []
    labs += [item.funcargs[name][0].lab for name in ("memif", "bridged") if name in item.funcargs]
    for process in (process for lab in labs for process in lab.processes):
        state = "running" if process.running() else f"exit code {process.popen.returncode}"
        report.sections.append((f"{process.name} ({state})", process.stderr[-2500:]))
