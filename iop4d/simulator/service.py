"""Start, watch and stop the real daemon and the real page as processes, for demo and checks."""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iop4d.config.store import place_of_url
from iop4d.ledger.engines.worker import die_with_parent
from iop4d.model.states import FrameState
from iop4d.store import frames
from iop4d.store.database import Database, is_there
from iop4d.store.lasting import Lasting
from iop4d.store.status import status
from iop4d.system.lock import is_locked

ENDED = (FrameState.DONE, FrameState.REJECTED, FrameState.FAILED, FrameState.QUARANTINED,
         FrameState.DUPLICATE, FrameState.SUPERSEDED)


class Service:
    """``iop4d run`` or ``iop4d web`` on a site, as a process that ends when this one does.

    ``module``: what is started as ``python -m module PID --site SITE WORDS``.
    """

    def __init__(self, site: Path, *words: str, environ: Mapping[str, str] | None = None,
                 module: str = "iop4d.simulator.service") -> None:
        self.site = site
        self.environ = dict(environ or {})  # what it gets besides our own; may be changed
        self._words, self._module = words, module
        self._log = site / "logs" / f"{words[0]}.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self._module, str(os.getpid()), "--site",
                 str(self.site), *self._words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **self.environ})

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill it as a power failure would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again."""
        self.process = self._start()

    def stop(self, seconds: float = 45.0) -> int:
        """Ask it to stop, as systemd does; its exit code."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")


class Observer:
    """Reads a site's database from outside, and waits for its server where that is away."""

    def __init__(self, site: Path) -> None:
        self._place = place_of_url("", site)
        self._lock = site / "iop4d.lock"
        self._lasting = Lasting(lambda: Database(self._place, read_only=True))

    def status(self) -> dict[str, Any]:
        """The site's state."""
        return self._lasting.read(
            lambda db: status(db, time.time(), locked=is_locked(self._lock), each=True))

    def ended(self) -> int:
        """How many frames have met their fate."""
        return self._lasting.read(lambda db: frames.count(db, ENDED))

    def quiet(self, frames: int) -> bool:
        """Whether so many frames have ended and nothing is left to do."""
        state = self.status()
        active = sum(entry["jobs"] for entry in state["queue"] if entry["state"] != "waiting")
        return self.ended() >= frames and active == 0

    def wait(self, frames: int, *, seconds: float, service: Service | None = None) -> bool:
        """Wait until all is quiet with so many frames ended; whether it came to that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if service is not None and not service.alive:
                return False
            if is_there(self._place) and self.quiet(frames):
                return True
            time.sleep(0.1)
        return False


if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    # By name, as a user calls it: the command line stands above the simulator.
    runpy.run_module("iop4d", run_name="__main__")
