"""A site's database is copied to a server and back, and holds the same."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config import Site
from iop4d.config.load import load_site
from iop4d.config.store import FilePlace, ServerPlace, Store
from iop4d.model.errors import Iop4dError
from iop4d.operations import backup
from iop4d.operations.restore import restore
from iop4d.store import catalogue, catalogue_csv, events
from iop4d.store.copying import copy, counts
from iop4d.store.database import Database
from iop4d.store.lasting import Lasting
from iop4d.store.schema import Event, Frame, Meta, Result, ResultChange
from iop4d.system.lock import SiteLock
from iop4d.web.app import create_app
from tests.support.on_postgresql import IS_ON
from tests.support.postgresql import PostgresServer, programs
from tests.support.real_servers import is_required
from tests.support.rows import rows
from tests.web import observatory

pytestmark = [pytest.mark.sqlite,
              pytest.mark.skipif(programs() is None and not is_required(),
                                 reason="no PostgreSQL server is installed")]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    assert not IS_ON
    made = PostgresServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """With rows of every kind of column: texts, numbers, truths, JSON, NULL."""
    (tmp_path / "iop4d.toml").write_text("")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(catalogue_csv.builtin("blazars")))
        for number in range(1, 2501):
            tx.create(Frame, archive="a", path=f"/raw/{number}", name=f"n\0{number}", size=1,
                      mtime_ns=1 << 62, state="done", completed_at=0.1 * number, seen_at=1.0,
                      changed_at=1.0, subframe=number % 2 == 0, info={"sky": 1.5})
        # What was written before NUL, halves of letters and NaN were left out of JSON.
        tx.execute("UPDATE frame SET info = ? WHERE id = 7",
                   '{"sky":NaN,"doubts":["a\\u0000b","\\udcff","\\ud83d\\ude00"],"size":1e999}')
        tx.create(Result, key="k", source="BL Lac", telescope="T", instrument="I",
                  night="2026-01-01", mode="photometry", band="R", jd_mid=2460000.1,
                  exptime_s=1.0, mag=0.1 + 0.2, provisional=True, created_at=1.0, changed_at=1.0)
        events.emit(tx, "frame", 1.0, id=1)
    database.close()
    return tmp_path


def test_there_and_back_every_row_is_the_same(site: Path, server: PostgresServer) -> None:
    url = f"{server.url}?options=-csearch_path%3Dthere"
    run = CliRunner()
    there = run.invoke(cli, ["store", "copy", "sqlite:///iop4d.db", url, "--site", str(site)])
    assert there.exit_code == 0, there.output
    assert "copied" in there.output
    again = run.invoke(cli, ["store", "copy", "sqlite:///iop4d.db", url, "--site", str(site)])
    assert again.exit_code == 1
    assert "is not empty" in str(again.exception)
    back = run.invoke(cli, ["store", "copy", url, "sqlite:///back.db", "--site", str(site)])
    assert back.exit_code == 0, back.output
    one, other = Database(site / "iop4d.db"), Database(site / "back.db")
    with one.read() as first, other.read() as second:
        assert dict(counts(first)) == dict(counts(second))
    for table in (Frame, Result, ResultChange):
        was = [row.__data__ for row in rows(one, table)]
        for row in was:
            if "name" in row:
                row["name"] = row["name"].replace("\0", "\N{REPLACEMENT CHARACTER}")
            if row["id"] == 7:
                row["info"] = {"sky": None, "size": None, "doubts": [
                    "a\N{REPLACEMENT CHARACTER}b", "\N{REPLACEMENT CHARACTER}",
                    "\N{GRINNING FACE}"]}
        assert [row.__data__ for row in rows(other, table)] == was
    with other.write() as tx:
        assert tx.create(Frame, archive="a", path="/raw/x", name="x", size=1, mtime_ns=1,
                         state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0).id == 2501
    one.close()
    other.close()


def test_new_rows_of_a_copied_server_have_keys_of_their_own(site: Path,
                                                           server: PostgresServer) -> None:
    url = f"{server.url}?options=-csearch_path%3Dkeys"
    assert CliRunner().invoke(cli, ["store", "copy", "sqlite:///iop4d.db", url, "--site",
                                     str(site)]).exit_code == 0
    (site / "iop4d.toml").write_text(f'[store]\nurl = "{url}"\n')
    shown = CliRunner().invoke(cli, ["store", "show", "--site", str(site)])
    assert "2500  frame" in shown.output
    database = Database(ServerPlace(url))
    with database.write() as tx:
        assert tx.create(Frame, archive="a", path="/raw/x", name="x", size=1, mtime_ns=1,
                         state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0).id == 2501
    database.close()


def test_a_backup_of_a_file_is_restored_into_a_server_and_a_server_s_into_a_file(
        site: Path, tmp_path: Path, server: PostgresServer) -> None:
    url = f"{server.url}?options=-csearch_path%3Dback"
    backup.make(load_site(site), tmp_path / "b.tar.gz")
    new = tmp_path / "new"
    for force in (False, True):  # the second time what is there is kept, and replaced
        restore(tmp_path / "b.tar.gz", new, by="ana", force=force, overrides=[f"store.url={url}"])
    assert (next(new.glob("before-restore-*")) / "iop4d.db").exists()
    (new / "iop4d.toml").write_text(f'[store]\nurl = "{url}"\n')
    with pytest.raises(Iop4dError, match="holds a site already"):
        restore(tmp_path / "b.tar.gz", new, by="ana", overrides=[f"store.url={url}"])
    made = backup.make(load_site(new), tmp_path / "of-server.tar.gz")
    assert made.manifest.rows["frame"] == 2500
    restore(tmp_path / "of-server.tar.gz", tmp_path / "again", by="ana",
            overrides=["store.url=sqlite:///iop4d.db"])
    database = Database(tmp_path / "again" / "iop4d.db")
    assert [row.mag for row in rows(database, Result)] == [0.1 + 0.2]
    assert rows(database, Frame)[-1].path == "/raw/2500"
    database.close()


def test_what_changes_meanwhile_is_noticed(site: Path, tmp_path: Path) -> None:
    source, target = Database(site / "iop4d.db"), Database(tmp_path / "to.db")

    def disturb(table: str, _: int) -> None:
        if table == "source":
            with source.write() as tx:
                tx.replace(Meta, key="n", value=1)

    with pytest.raises(Iop4dError, match=r"differs from .* in meta"):
        copy(source, target, progress=disturb)
    source.close()
    target.close()


def test_a_copy_that_is_interrupted_leaves_nothing_and_is_made_again(
        site: Path, server: PostgresServer) -> None:
    """Half a site on a server would look like a whole one."""
    def interrupt(table: str, _: int) -> None:
        if table == "result":
            raise KeyboardInterrupt

    for place in (ServerPlace(f"{server.url}?options=-csearch_path%3Dhalf"),
                  FilePlace(site / "half.db")):
        source, target = Database(site / "iop4d.db", read_only=True), Database(place)
        with pytest.raises(KeyboardInterrupt):
            copy(source, target, progress=interrupt)
        with target.read() as db:
            assert counts(db) == [("meta", 1)] or counts(db) == []
        assert copy(source, target) > 2500
        with source.read() as one, target.read() as other:
            assert dict(counts(one))["frame"] == dict(counts(other))["frame"]
        source.close()
        target.close()


def test_what_is_replaced_stays_where_the_copy_is_interrupted(
        site: Path, tmp_path: Path) -> None:
    source, target = Database(site / "iop4d.db", read_only=True), Database(tmp_path / "to.db")
    with target.write() as tx:
        tx.replace(Meta, key="ours", value=1)

    def interrupt(table: str, _: int) -> None:
        raise KeyboardInterrupt(table)

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, replace=True, progress=interrupt)
    with target.read() as db:
        assert db.by_id(Meta, "ours").value == 1
    copy(source, target, replace=True)
    with target.read() as db:
        assert db.get(Meta, Meta.key == "ours") is None
    source.close()
    target.close()


def test_numbers_that_only_one_kind_of_database_knows_are_copied(
        tmp_path: Path, server: PostgresServer) -> None:
    """A zero with a sign, NaN, the largest and the smallest there are; any letters."""
    place = ServerPlace(f"{server.url}?options=-csearch_path%3Dnumbers")
    source, target = Database(place), Database(tmp_path / "to.db")
    with source.write() as tx:
        for value in (-0.0, float("inf"), -float("inf"), 5e-324, 1.7976931348623157e308):
            tx.create(Event, at=value, kind="\N{GREEK SMALL LETTER SIGMA}\N{GRINNING FACE}",
                      content={"size": 1 << 80})
        tx.create(Frame, archive="a", path="p", name="n", size=(1 << 63) - 1, mtime_ns=-(1 << 63),
                  state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0)
        tx.execute("UPDATE frame SET ra_deg = CAST('NaN' AS DOUBLE PRECISION)")
    copy(source, target)
    with target.read() as db:
        assert [row.at for row in db.select(Event).order_by(Event.id)] == [
            0.0, float("inf"), -float("inf"), 5e-324, 1.7976931348623157e308]
        row = db.select(Frame).get()
        assert (row.size, row.mtime_ns, row.ra_deg) == ((1 << 63) - 1, -(1 << 63), None)
    source.close()
    target.close()


def test_a_daemon_that_works_on_either_of_them_is_not_copied_beside(
        site: Path, tmp_path: Path, server: PostgresServer) -> None:
    """On another machine, on a site of another folder, or on a node of the server."""
    url = f"{server.url}?options=-csearch_path%3Dbusy"
    for node in ("", "granada"):
        daemon = Lasting(lambda node=node: Database(  # type: ignore[misc]
            ServerPlace(url, node=node)))
        daemon.claim()
        for pair in ((url, "sqlite:///new.db"), ("sqlite:///iop4d.db", url)):
            answer = CliRunner().invoke(cli, ["store", "copy", *pair, "--site", str(site)])
            assert answer.exit_code == 1
            assert "another daemon works on this database" in str(answer.exception)
        daemon.close()
    other = tmp_path / "other"
    other.mkdir()
    Database(other / "iop4d.db").close()
    lock = SiteLock(other / "iop4d.lock")
    answer = CliRunner().invoke(cli, [
        "store", "copy", f"sqlite:///{other / 'iop4d.db'}", "sqlite:///new.db", "--site",
        str(site)])
    lock.close()
    assert "the daemon runs on this site" in str(answer.exception)


def test_a_server_without_tables_is_not_copied(site: Path, server: PostgresServer) -> None:
    answer = CliRunner().invoke(cli, [
        "store", "copy", f"{server.url}?options=-csearch_path%3Dnothing", "sqlite:///new.db",
        "--site", str(site)])
    assert "holds no tables of iop4d yet" in str(answer.exception)
    assert not (site / "new.db").exists()


@pytest.mark.parametrize(("from_", "to", "why"), [
    ("iop4d.db", "sqlite:///b.db", "is no url"),
    ("sqlite:///iop4d.db", "postgresql://a:b@c/d", "is no url"),
    ("sqlite:///none.db", "sqlite:///b.db", "no database at"),
    ("sqlite:///iop4d.db", "sqlite:///iop4d.db", "the same database")])
def test_what_cannot_be_copied_is_said(site: Path, from_: str, to: str, why: str) -> None:
    answer = CliRunner().invoke(cli, ["store", "copy", from_, to, "--site", str(site)])
    assert answer.exit_code == 1
    assert why in str(answer.exception)


FORMS = ("csv", "ecsv", "fits", "votable", "aavso")
PAGES = ("/", "/sources", "/sources/BL%20Lac", "/sources/3C%20454.3", "/nights", "/nights/{night}",
         "/frames/1", "/frames/25", "/results/1", "/alerts", "/alerts/2", "/failed",
         "/data/results", "/data/frames", "/data/masters", "/curves.svg?source=1",
         "/api/v1/results", "/api/v1/frames", "/api/sources/BL%20Lac/points", "/api/status")


def _tables(site: Path, url: str) -> dict[str, bytes]:
    """What ``iop4d results`` writes of a site whose database is at a url."""
    (site / "iop4d.toml").write_text(
        f'[site]\nname = "Calar Bajo"\naavso_observer = "XYZ"\n[store]\nurl = "{url}"\n')
    found = {}
    for form in FORMS:
        written = site / "written"
        answer = CliRunner().invoke(cli, ["results", "--all-columns", "--format", form, "--output",
                                          str(written), "--site", str(site)])
        assert answer.exit_code == 0, answer.output
        found[form] = written.read_bytes()
    return found


def _pages(site: Site, url: str) -> dict[str, str]:
    client = create_app(replace(site, store=Store(url=url))).test_client()
    found = {}
    for path in PAGES:
        with client.get(path.format(night=NIGHT)) as answer:
            assert answer.status_code == 200, path
            found[path] = answer.text
    del client
    gc.collect()  # its connections, too
    return found


NOW = 1_760_000_000.0
NIGHT = "2025-10-08"


@pytest.mark.filterwarnings("ignore:.*psycopg.Connection:ResourceWarning")  # of the pages
def test_tables_and_pages_of_a_copied_site_are_the_same(
        tmp_path: Path, server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    site = observatory.site(tmp_path)
    observatory.fill(site, now=NOW)
    (tmp_path / "iop4d.toml").write_text("")
    urls = ("sqlite:///iop4d.db", f"{server.url}?options=-csearch_path%3Dpages",
            "sqlite:///back.db")
    for one, other in pairwise(urls):
        run = CliRunner().invoke(cli, ["store", "copy", one, other, "--site", str(tmp_path)])
        assert run.exit_code == 0, run.output
    (tables, *other_tables) = [_tables(tmp_path, url) for url in urls]
    assert tables["csv"].count(b"\n") > 20
    for there in other_tables:
        assert [form for form in FORMS if there[form] != tables[form]] == []
    (pages, *other_pages) = [_pages(site, url) for url in urls]
    for those in other_pages:
        assert [path for path in PAGES if those[path] != pages[path]] == []
