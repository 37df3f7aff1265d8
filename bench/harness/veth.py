"""The veth pair that rows on the kernel's path share: end "data" in the namespaces a and b."""

from contextlib import contextmanager

from harness.pair import IP, Laboratory


@contextmanager
def veth_laboratory():
    """The kernel has the addresses that Weir's ports have too: only one of them runs at a time."""
    with Laboratory() as lab:
        a, b = lab.namespace("a"), lab.namespace("b")
        lab.veth(a, "data", b, "data")
        yield lab


@contextmanager
def kernel_addresses(lab: Laboratory):
    """For peers, which use the kernel's own stack; Weir's ports answer ARP by themselves."""
    for name in "ab":
        lab.namespace(name).run("ip", "address", "add", f"{IP[name]}/24", "dev", "data")
    try:
        yield
    finally:
        for name in "ab":
            lab.namespace(name).run("ip", "address", "flush", "dev", "data")
