"""Work at idle priority beside the suites."""

import subprocess
import threading

from sources import ROOT


class Background:
    """Work that takes what the suites running meanwhile leave of the CPUs, one piece after another, and stands still
    where it is told to. A context: afterwards nothing of it runs any more."""

    LIMIT_S = 900  # What has not ended by then, when all else has, hangs.

    def __init__(self):
        self.lock = threading.Lock()
        self.process = None
        self.held = False
        self.over = False
        self.thread = None

    def start(self, work) -> None:
        """Calls `work`, which calls `run`."""
        self.thread = threading.Thread(target=work)
        self.thread.start()

    def run(self, command: list[str], environment: dict, output) -> int:
        """As subprocess.call, at idle priority."""
        with self.lock:
            if self.over:
                return 1
            self.process = subprocess.Popen(
                ["chrt", "--idle", "0", *command], cwd=ROOT, env=environment, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            if self.held:
                self._signal("STOP")
        code = self.process.wait()
        with self.lock:
            self.process = None
        return code

    def hold(self, held: bool) -> None:
        with self.lock:
            self.held = held
            self._signal("STOP" if held else "CONT")

    def wait(self) -> bool:
        """True once all is done; gives up after a time."""
        self.thread.join(self.LIMIT_S)
        return not self.thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.lock:
            self.over = True
            self._signal("KILL")
        if self.thread:
            self.thread.join()

    def _signal(self, name: str) -> None:
        # By session: ninja gives each compiler a process group of its own. Twice, for what was just being started.
        for _ in range(2 if self.process else 0):
            subprocess.run(["pkill", "--signal", name, "--session", str(self.process.pid)])
