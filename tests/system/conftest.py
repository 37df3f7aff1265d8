"""Fixtures of the system suite: a laboratory a test or a module, with two nodes in it."""

import os
import signal

import pytest
from netlab import Lab, enter_private_network, remove_leftovers
from topology import bridged_pair, memif_pair


def pytest_configure():
    # What is measured goes before whatever else the machine does.
    os.nice(-15)
    # The suite has a network of its own: its loopback is where the nodes' APIs are.
    enter_private_network()
    # A killed run cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    remove_leftovers()


@pytest.fixture
def lab():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture(scope="module")
def module_lab():
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows what the programs said when a test fails."""
    report = (yield).get_result()
    if call.when != "call" or not report.failed:
        return
    for name in ("lab", "module_lab"):
        for process in item.funcargs[name].processes if name in item.funcargs else ():
            state = "running" if process.running() else f"exit code {process.popen.returncode}"
            report.sections.append((f"{process.name} ({state})", process.stderr[-2500:]))


@pytest.fixture(scope="module")
def memif(module_lab):
    """A pair on shared memory that the tests of a module share."""
    return memif_pair(module_lab)


@pytest.fixture(scope="module", params=["af_xdp", "af_packet"])
def bridged(request, module_lab):
    """A pair with a bridge between, for each driver, that the tests of a module share."""
    return bridged_pair(module_lab, request.param)
