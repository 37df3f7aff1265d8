"""What bench/run makes of the rounds: quantiles, intervals, bars, the page. No clock is involved."""

import re
import struct
import sys
from html.parser import HTMLParser

import pytest
from sources import ROOT

sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/system")]

from harness.capture import SNAP, udp_of_payload  # noqa: E402
from harness.page import write_page  # noqa: E402
from harness.report import as_json, table  # noqa: E402
from harness.row import Bar, Check, Outcome, Row, quantile, ratio_outcome  # noqa: E402
from harness.sweep import Plot, Series  # noqa: E402
from rows.counters import median_interval  # noqa: E402

QUIET = {"others_busy": 0.0, "stolen": 0.0}
ROW = Row("some_row", "about it", "packets/s", "peer & co", measure=lambda settings: None)


def test_quantiles_lie_between_their_neighbours():
    assert quantile([5], 0.75) == 5
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([1, 2, 3, 4, 5], 0.75) == 4
    assert quantile([10, 20], 0.75) == 17.5


@pytest.mark.parametrize("sign, value, met", [(">=", 1.6, True), (">=", 1.59, False), ("<=", 2, True), ("<=", 2.01, False)])
def test_a_bar_includes_its_limit(sign, value, met):
    assert Bar(sign, 1.6 if sign == ">=" else 2).met(value) is met


def test_ratio_is_of_the_sides_and_not_of_the_rounds():
    outcome = ratio_outcome([10, 20, 90], [10, 10, 5], Bar(">=", 1.6))
    assert outcome.ratio == 2
    assert as_json(ROW, outcome, QUIET)["met"] is True
    quartile = ratio_outcome([1, 2, 3, 4, 5], [2, 2, 2, 2, 2], None, share=0.75)
    assert quartile.ratio == 2
    assert as_json(ROW, quartile, QUIET)["met"] is None


def test_one_bar_of_several_that_is_not_met_is_the_rows():
    checks = [Check("first", 1, Bar("<=", 2)), Check("second", 3, Bar("<=", 2))]
    assert as_json(ROW, Outcome([1], [1], checks, 1.0), QUIET)["met"] is False


def test_interval_of_the_median_by_rank():
    assert median_interval([float(n) for n in range(1, 101)]) == (41.0, 60.0)
    low, high = median_interval([2.0, 1.0])
    assert (low, high) == (1.0, 2.0)


def run_filter(program: bytes, frame: bytes) -> int:
    """A classic BPF machine with the instructions the capture uses."""
    code = list(struct.iter_unpack("HBBI", program))
    at = accumulator = 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        if operation in (0x20, 0x28, 0x30):
            size = {0x20: 4, 0x28: 2, 0x30: 1}[operation]
            if operand + size > len(frame):
                return 0
            accumulator = int.from_bytes(frame[operand:operand + size], "big")
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x15:
            at += yes if accumulator == operand else no
        else:
            assert operation == 0x06
            return operand


def test_capture_takes_test_packets_of_its_size_and_nothing_else():
    from frames import build_udp

    def frame(payload: bytes, source: str = "198.18.0.1", destination: str = "198.18.0.2") -> bytes:
        return build_udp(bytes(6), bytes(6), source, destination, 1, 2, payload)

    program = udp_of_payload(32)
    assert run_filter(program, frame(bytes(32))) == SNAP
    assert run_filter(program, frame(bytes(33))) == 0
    assert run_filter(program, frame(b"\xff\xff\xff\x01" + bytes(28))) == 0, "a signal"
    assert run_filter(program, frame(bytes(32), "2001:db8::1", "2001:db8::2")) == 0, "IPv6"
    tcp = bytearray(frame(bytes(32)))
    tcp[23] = 6
    assert run_filter(program, bytes(tcp)) == 0, "TCP"


def documents() -> list[dict]:
    plain = as_json(ROW, ratio_outcome([1.5e6, 2e6], [1e6, 1e6], Bar(">=", 2)), {**QUIET, "others_busy": 0.5})
    alone = as_json(ROW, Outcome([320.0], [], [Check("bytes a slot", 320.0, Bar("<=", 512))]), QUIET)
    return [plain, alone]


def test_table_says_what_is_not_met_and_what_was_disturbed():
    lines = table(documents()).splitlines()
    assert "1.75 M (1.5 M - 2 M)" in lines[1]
    assert lines[1].startswith("some_row *") and lines[1].endswith("NOT MET")
    assert lines[2].endswith("met") and not lines[2].endswith("NOT MET")
    assert lines[3].startswith("*")


def test_page_is_self_contained_and_well_formed(tmp_path):
    class Nesting(HTMLParser):
        void = {"meta", "br"}

        def __init__(self):
            super().__init__()
            self.open, self.seen = [], []

        def handle_starttag(self, tag, attributes):
            self.seen.append(tag)
            assert not {"src", "href"} & {name for name, _ in attributes}
            if tag not in self.void:
                self.open.append(tag)

        def handle_startendtag(self, tag, attributes):
            self.seen.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    path = tmp_path / "page.html"
    plots = [Plot("<sizes>", "bytes", (64, 128, 256), "packets/s", [Series("Weir", [3e6, 2e6, 1e6]), Series("peer", [1e6] * 3)])]
    write_page(str(path), documents(), plots)
    text = path.read_text()
    parser = Nesting()
    parser.feed(text)
    assert parser.open == []
    assert parser.seen.count("polyline") == 2
    assert "prefers-color-scheme: dark" in text and "<script" not in text
    assert "&lt;sizes&gt;" in text and "peer &amp; co" in text
    assert not re.search(r"https?://", text)
