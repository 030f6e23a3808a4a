"""A PostgreSQL server of the tests' own, on loopback, in a temporary folder.

``IOP4D_POSTGRESQL``: the folder of its programs; else where Debian puts them, and where
``make real-servers`` unpacks them. The server refuses to run as root: root's tests run it as
another account.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from iop4d.config.store import VARIABLE

_TOP = Path(__file__).resolve().parents[2]
_ACCOUNT = "nobody"
#: What is lost with the machine's power need not be kept: the tests kill processes alone.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200",
             "shared_buffers": "64MB", "unix_socket_directories": "", "jit": "off",
             "listen_addresses": "127.0.0.1", "max_locks_per_transaction": "2000",
             "autovacuum_naptime": "10min", "logging_collector": "off"}


def programs() -> Path | None:
    """The folder with postgres and initdb, or None where there is none."""
    given = os.environ.get("IOP4D_POSTGRESQL")
    found = [Path(given)] if given else [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *sorted(_TOP.glob(".real-servers/usr/lib/postgresql/*/bin"), reverse=True)]
    return next((folder for folder in found if (folder / "initdb").exists()), None)


def as_account() -> list[str]:
    """What runs a program that refuses to run as root, for root, as the servers' account."""
    if os.getuid() != 0:
        return []
    return ["setpriv", f"--reuid={_ACCOUNT}", "--regid=nogroup", "--clear-groups"]


def open_to_all(folder: Path) -> None:
    """Let the server's account come to a folder of pytest's."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.getuid() and not one.stat().st_mode & 0o001:
            one.chmod(one.stat().st_mode | 0o055)


def _is_open(folder: Path) -> bool:
    """Whether any account may come here."""
    return os.getuid() != 0 or all(one.stat().st_mode & 0o001 for one in (folder, *folder.parents))


class PostgresServer:
    """A server that runs until it is stopped; ``url`` signs in as its owner."""

    def __init__(self, folder: Path | None = None, *, durable: bool = False) -> None:
        found = programs()
        assert found is not None, "no PostgreSQL server is installed"
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="iop4d-postgres-"))
        self.folder.chmod(0o755)
        self._programs = found if _is_open(found) else self._copied(found)
        self._durable = durable
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"postgresql://iop4d@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._make()

    @property
    def url_of_sites(self) -> str:
        """What the environment says of the databases of sites: each has a schema of its own."""
        return f"{self.url}?options=-csearch_path%3D{{site}}"

    def _make(self) -> None:
        self._data = self.folder / "data"
        self._data.mkdir()
        if os.getuid() == 0:
            shutil.chown(self._data, _ACCOUNT)
        subprocess.run([*as_account(), str(self._programs / "initdb"), "-D", str(self._data), "-U",
                        "iop4d", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                       check=True, capture_output=True, env=self._environment(), cwd="/")

    def _copied(self, programs: Path) -> Path:
        """The programs where the other account may read them."""
        version = programs.parent.name
        top = programs.parents[4]  # of usr/lib/postgresql/VERSION/bin
        for part in (f"usr/lib/postgresql/{version}", f"usr/share/postgresql/{version}"):
            shutil.copytree(top / part, self.folder / "programs" / part, symlinks=True)
        return self.folder / "programs/usr/lib/postgresql" / version / "bin"

    def _environment(self) -> dict[str, str]:
        libraries = _TOP / ".real-servers/usr/lib"
        paths = [str(path) for path in (*libraries.glob("*-linux-gnu"), libraries)]
        return os.environ | {"LD_LIBRARY_PATH": ":".join(
            [*paths, os.environ.get("LD_LIBRARY_PATH", "")]).strip(":"), "HOME": "/"}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = _SETTINGS | ({"fsync": "on", "full_page_writes": "on"} if self._durable else {})
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*as_account(), str(self._programs / "postgres"), "-D", str(self._data), "-p",
                 str(self.port), *words], stdout=log, stderr=log, env=self._environment(),
                cwd="/", start_new_session=True)
        end = time.monotonic() + 60.0
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "the server did not answer within a minute"
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def runs(self) -> bool:
        """Whether it was started, and neither killed nor stopped since."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it at once with all its processes, as a crash does (SIGKILL)."""
        assert self._process is not None
        others = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for one in others:  # each is the leader of a session of its own
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait()
        psutil.wait_procs(others, timeout=10.0)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def follow(self) -> None:
        """Start one that was killed as a second server, which takes no writes, until ``lead``."""
        (self._data / "standby.signal").touch()
        self.start()

    def lead(self) -> None:
        """Have it take writes from now on."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def stop(self) -> None:
        """End it for good; it removes what it shares with its processes."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10.0)
            if self.runs:
                self.kill()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def on_server() -> Iterator[PostgresServer]:
    """A server that holds the databases of all sites of this process and of those that it starts,
    each in a schema of its own, unless their files name another."""
    server = PostgresServer()
    try:
        server.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, server.url_of_sites)
            yield server
    finally:
        server.stop()
