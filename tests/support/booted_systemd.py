"""A systemd that booted, in namespaces of its own, on top of this machine's files.

It is process 1 of its own processes, mounts, control groups and host name; only the network is
shared, so that the servers of a test are reached. What it writes stays in memory. That needs root,
overlayfs and a version 2 hierarchy of control groups; elsewhere a test is skipped, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

#: The account of the services, and its interpreters: of the machine, and in its home.
ACCOUNT = "observer"
PYTHON, PYTHON_OF_HOME = "/opt/env/bin/python3", "/home/observer/env/bin/python3"
_REPOSITORY = Path(__file__).parents[2]
_SYSTEMD = Path("/lib/systemd/systemd")
_PATIENCE = 120.0  # seconds: a machine that does much besides is slow


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One that booted. ``pid``: of its process 1, seen from here."""

    pid: int

    def path(self, path: str) -> Path:
        """A path of the machine, as it is reached from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def run(self, *words: str, account: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command on the machine, as root or as an account that has signed in."""
        if account:
            words = ("runuser", "--login", account, "--command", shlex.join(words))
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--cgroup", "--ipc",
             "--uts", "--wd=/", "--", *words], check=False, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=_PATIENCE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"})

    def ask(self, *words: str, account: str = "") -> str:
        """What a command says that has to succeed."""
        ran = self.run(*words, account=account)
        assert ran.returncode == 0, f"{shlex.join(words)}: {ran.stdout}{ran.stderr}{self.log()}"
        return ran.stdout

    def properties(self, unit: str, *, account: str = "") -> dict[str, str]:
        """What systemd knows of a unit; with an account, its own service manager."""
        words = ("--user", ) if account else ()
        said = self.run("systemctl", *words, "show", unit, account=account).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def log(self, *words: str) -> str:
        """The end of the journal, or what is chosen of it."""
        return self.run("journalctl", "--no-pager", "--output=cat",
                        *(words or ("--lines=60",))).stdout

    def wait(self, what: Callable[[], object], *, seconds: float = _PATIENCE) -> None:
        """Wait until something is so."""
        ends = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < ends, f"it did not come: {self.log()}"
            time.sleep(0.1)

    def wait_for_status(self, words: str, *, unit: str = "iop4d", account: str = "") -> None:
        """Wait until a service runs whose status line holds some words."""
        self.wait(lambda: (found := self.properties(unit, account=account))
                  and found.get("SubState") == "running" and words in found["StatusText"])


@contextmanager
def booted_systemd() -> Iterator[Machine]:
    """A machine that booted, until the end; skips the test where there can be none."""
    hierarchy = _hierarchy()
    scratch = Path(tempfile.mkdtemp(prefix="iop4d-boot-"))
    group = hierarchy / scratch.name
    log = scratch / "log"
    try:
        group.mkdir()
        (scratch / "system").mkdir()
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(group), "unshare",
                 "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child",
                 "--propagation", "private", "sh", str(Path(__file__).with_name("boot_systemd.sh")),
                 str(scratch / "system"), str(_REPOSITORY), sys.base_prefix,
                 sysconfig.get_path("purelib")], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            yield Machine(pid=_booted(process, log))
        finally:
            process.kill()
            process.wait()
    finally:
        _remove(group)
        shutil.rmtree(scratch)


def _booted(process: subprocess.Popen[bytes], log: Path) -> int:
    """The process 1 of a machine, once its services run; skips where it cannot come so far."""
    ends = time.monotonic() + _PATIENCE
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while time.monotonic() < ends:
        if process.poll() is not None:
            why = log.read_text(errors="replace")[-500:].strip()
            pytest.skip(f"a systemd cannot boot here: {why}")
        pids = children.read_text().split()
        if pids and Path(f"/proc/{pids[0]}/root/run/systemd/private").exists():
            machine = Machine(pid=int(pids[0]))
            if machine.run("systemctl", "is-active", "multi-user.target").returncode == 0:
                return machine.pid
        time.sleep(0.05)
    raise AssertionError(f"systemd did not boot: {log.read_text(errors='replace')[-3000:]}")


def _hierarchy() -> Path:
    """Our place in the version 2 hierarchy of control groups; skips what cannot run here."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    top = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    ours = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines()
                 if line.startswith("0::")), "")
    programs = [name for name in ("unshare", "nsenter", "runuser", "useradd", "journalctl")
                if shutil.which(name) is None]
    missing = ("only root can boot a systemd" if os.geteuid() else
               f"{_SYSTEMD} is not here" if not _SYSTEMD.is_file() else
               f"{', '.join(programs)}: not here" if programs else
               "there is no version 2 hierarchy of control groups" if top is None else "")
    if top is None or missing:
        pytest.skip(missing)
    return top / ours.strip("/")


def _remove(group: Path) -> None:
    """Remove a control group and those below it, once their processes are gone."""
    ends = time.monotonic() + _PATIENCE
    while group.is_dir():
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        assert time.monotonic() < ends, f"processes are left in {group}"
        time.sleep(0.05)
