"""PgBouncer before PostgreSQL: by sessions a daemon works, and one that shares them is refused."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iop4d.config.store import VARIABLE
from iop4d.model.errors import Iop4dError
from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Observer, Service
from iop4d.store.postgresql import Postgresql
from tests.support.postgresql import PostgresServer, as_account, open_to_all
from tests.support.real_servers import await_answer, environment, free_port, program
from tests.support.sites import drop, make_site, take_night

pytestmark = [pytest.mark.realserver, pytest.mark.timeout(300),
              pytest.mark.filterwarnings("ignore:.*psycopg.Connection:ResourceWarning")]

PLAN = NightPlan(seed=5, fields=("S50716+714",), frames=2, exptime_s=60.0, n_bias=3, n_flat=3)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    made.start()
    yield made
    made.stop()


@contextmanager
def pooled(server: PostgresServer, mode: str, folder: Path) -> Iterator[str]:
    """The address of a server's database through a pooler of a mode."""
    where, port = program("pgbouncer"), free_port()
    folder.chmod(0o777)
    (folder / "users").write_text('"iop4d" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {folder}/users\npool_mode = {mode}\n")
    with (folder / "log").open("wb") as log:  # it refuses to run as root
        process = subprocess.Popen(
            [*as_account(), str(where), str(folder / "ini")], stdout=log,
            stderr=log, env=environment(), start_new_session=True)
    try:
        await_answer(process, port, folder / "log")
        yield f"postgresql://iop4d@127.0.0.1:{port}/postgres"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that another account may enter."""
    folder = tmp_path_factory.mktemp("pooler")
    open_to_all(folder)
    return folder


def started(url: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a daemon says that must not work through a pooler."""
    monkeypatch.setenv(VARIABLE, url)
    (place / "site").mkdir()
    (place / "site/iop4d.toml").write_text("")
    ran = subprocess.run([sys.executable, "-m", "iop4d", "run", "--site", str(place / "site")],
                         capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def test_a_pooler_that_shares_sessions_is_refused(
        server: PostgresServer, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pooled(server, "transaction", place) as url:
        assert "set its pool_mode = session" in started(url, place, monkeypatch)


def test_the_locks_of_shared_sessions_are_refused_whatever_the_statements(
        server: PostgresServer, place: Path) -> None:
    """A newer pooler keeps prepared statements apart, and locks it does not."""
    with pooled(server, "transaction", place) as url:
        kind = Postgresql(url, lambda: None, read_only=False, busy_s=1.0)
        kind.db.connection().prepare_threshold = None
        with pytest.raises(Iop4dError, match="shares the server's sessions"):
            kind.claim()
        kind.db.close()


@pytest.mark.parametrize(("mode", "more", "said"), [
    ("statement", "", "transaction blocks not allowed in statement pooling mode"),
    ("session", "?options=-csearch_path%3Dt090", "unsupported startup parameter: options")])
def test_what_a_pooler_does_not_let_through_ends_a_start(
        mode: str, more: str, said: str, server: PostgresServer, place: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    with pooled(server, mode, place) as url:
        text = started(url + more, place, monkeypatch)
    assert "the database server refuses: " in text
    assert said in text


def test_a_pooler_that_keeps_sessions_apart_serves_a_night(
        server: PostgresServer, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pooled(server, "session", place) as url:
        monkeypatch.setenv(VARIABLE, url)
        site = make_site(place / "site", PLAN)
        service, observer = Service(site, "run"), Observer(site)
        try:
            for path in take_night(PLAN, place / "night"):
                drop(path, site / "raw" / PLAN.night)
            assert observer.wait(8, seconds=120, service=service), service.log()
            second = Postgresql(url, lambda: None, read_only=False, busy_s=1.0)
            with pytest.raises(Iop4dError, match="another daemon works on this database"):
                second.claim()
        finally:
            service.stop()
        second.claim()
        second.unclaim()
        second.db.close()
        del observer
        gc.collect()  # its connection, while what the driver says of it is not an error
