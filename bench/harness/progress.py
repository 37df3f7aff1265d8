"""What is going on, on standard error: one line that changes on a terminal, else a line each time."""

import sys


class Progress:
    def __init__(self, rows: int):
        self.rows = rows
        self.at = 0
        self.name = ""
        self.terminal = sys.stderr.isatty()

    def begin(self, name: str) -> None:
        self.at += 1
        self.name = name

    def show(self, what: str) -> None:
        line = f"[{self.at}/{self.rows}] {self.name}: {what}"
        if self.terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def say(self, message: str) -> None:
        """Something that stays."""
        self.clear()
        print(message, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
