"""Several daemons on one PostgreSQL database: each has its archives, all else is shared."""

from __future__ import annotations

import csv
import gc
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.alerts.check import alerting_keys
from iop4d.cli import cli
from iop4d.config import Site
from iop4d.config.load import load_site, parse_site
from iop4d.config.store import ServerPlace
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.model.states import JobState, RequestKind
from iop4d.operations.doctor.data import shared
from iop4d.operations.doctor.findings import Level, Surroundings
from iop4d.simulator.night import NightPlan
from iop4d.simulator.servers import Mailbox
from iop4d.simulator.service import Service
from iop4d.store import catalogue, frame_files, frames, jobs, nodes, requests, status
from iop4d.store.database import Database
from iop4d.store.jobs import JobKind
from iop4d.store.lasting import Lasting
from iop4d.store.schema import Alert, Job, Outbox, Request, Result, Series, Unjudged
from iop4d.web.app import create_app
from tests.support import on_postgresql
from tests.support.postgresql import PostgresServer, programs
from tests.support.real_servers import is_required
from tests.support.sites import drop, make_site, take_night

pytestmark = [
    pytest.mark.skipif(programs() is None and not is_required(),
                       reason="no PostgreSQL server is installed"),
    # The driver minds connections that end with what held them.
    pytest.mark.filterwarnings("ignore:.*psycopg.Connection:ResourceWarning")]


Open = Callable[[str], Database]


@pytest.fixture
def node(place: ServerPlace) -> Iterator[Open]:
    """Opens the database as a node."""
    opened: list[Database] = []

    def open_(name: str) -> Database:
        opened.append(Database(replace(place, node=name)))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture
def claim(place: ServerPlace) -> Iterator[Callable[[str], Lasting]]:
    """Begins to be the daemon of a node."""
    made: list[Lasting] = []

    def claim_(name: str) -> Lasting:
        made.append(Lasting(lambda: Database(replace(place, node=name))))
        made[-1].claim()
        return made[-1]

    yield claim_
    for one in made:
        one.close()


# One daemon a node.


def test_a_database_has_one_daemon_of_each_node_and_one_leads(
        claim: Callable[[str], Lasting]) -> None:
    one, other = claim("granada"), claim("calar")
    assert one.lead()
    assert not other.lead()
    with pytest.raises(Iop4dError, match="another daemon of the node 'granada' works on"):
        claim("granada")
    with pytest.raises(Iop4dError, match="another daemon works on this database"):
        claim("")
    one.close()
    _in_time(other.lead)  # the server ends a connection in its own time
    claim("granada")


def _in_time(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_beside_a_daemon_without_a_node_there_is_no_other(
        claim: Callable[[str], Lasting]) -> None:
    assert claim("").lead()
    with pytest.raises(Iop4dError, match=r"a daemon without \[site\] node works on"):
        claim("granada")


def test_a_lock_that_was_lost_is_noticed(claim: Callable[[str], Lasting],
                                         server: PostgresServer) -> None:
    """The server was restarted: whoever comes first leads, and the other one sees that."""
    one, other = claim("granada"), claim("calar")
    assert one.lead()
    server.kill()
    server.start()
    _in_time(other.lead)
    assert not one.lead()


def test_a_node_needs_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOP4D_STORE", raising=False)
    with pytest.raises(ConfigError, match=r"the database is SQLite's file, which one daemon has "
                                          r"alone; expected nothing, or a \[store\] url"):
        parse_site('[site]\nnode = "granada"', root=tmp_path)
    with pytest.raises(ConfigError, match="a name of letters"):
        parse_site('[site]\nnode = "two words"\n[store]\nurl = "postgresql://h/d"', root=tmp_path)


def _beat(database: Database, **more: Any) -> None:
    with database.write() as tx:
        status.beat(tx, {"state": "running", "beat_at": time.time(), **more})


def test_archives_of_two_nodes_have_different_names(node: Open) -> None:
    with node("granada").write() as tx:
        nodes.enter(tx, ["T090", "guest"])
    with node("granada").write() as tx:
        nodes.enter(tx, ["T090", "guest"])
    with node("calar").write() as tx, pytest.raises(
            Iop4dError, match="the node 'granada' has an archive 'guest' too: "):
        nodes.enter(tx, ["T220", "guest"])


def test_what_a_site_without_a_node_left_is_given_to_one_by_name(node: Open) -> None:
    alone, granada = node(""), node("granada")
    _beat(alone)
    with alone.write() as tx:
        nodes.enter(tx, ["T090"])
        row = frames.create(tx, 1.0, archive="T090", path="/raw/a.fits", name="a.fits", size=1,
                            mtime_ns=1, completed_at=1.0)
        jobs.queue(tx, JobKind.CLASSIFY, row.id, priority=1, now=1.0)
        tx.create(Series, key="T090/A/n/R/X", source="X", instrument="A", telescope="T090",
                  band="R", night="n", changed_at=1.0)
    with granada.write() as tx:
        with pytest.raises(Iop4dError, match="iop4d store rename-node - granada"):
            nodes.enter(tx, ["T090"])
        assert nodes.rename(tx, "", "granada") == 1
        nodes.enter(tx, ["T090"])
        assert [job.key for job in jobs.due(tx, 2.0, 9)] == [row.id]
        assert set(frame_files.known_files(tx, "T090")) == {"/raw/a.fits"}
        assert tx.select(Series).get().key == "granada/T090/A/n/R/X"
    with alone.write() as tx, pytest.raises(Iop4dError, match=r"needs a \[site\] node"):
        nodes.enter(tx, ["T090"])
    with granada.write() as tx, pytest.raises(Iop4dError, match="no node 'other' ever ran"):
        nodes.rename(tx, "other", "granada")


A = {"[alerts]": "1", "rule flare": "2", "tag near": "5"}
B = {"[alerts]": "1", "rule flare": "3", "rule dip": "4"}


def test_nodes_are_listed_with_when_they_were_seen(node: Open) -> None:
    """One that died led until another took over."""
    granada, now = node("granada"), time.time()
    for name, beat in {
            "granada": {"leads": True, "leads_since": now - 5.0, "alerting": B, "host": "osn",
                        "archives": [{"name": "T090"}]},
            "calar": {"leads": True, "leads_since": now - 90.0, "beat_at": now - 8.0,
                      "alerting": A},
            "gone": {"beat_at": now - 99.0, "alerting": B},
            "off": {"state": "stopped", "beat_at": now - 1e6, "alerting": "of before"}}.items():
        _beat(node(name), **beat)
    with granada.read() as db:
        found = {one.node: one for one in nodes.listed(db, now)}
    assert {name: (one.state, one.leads, one.differs) for name, one in found.items()} == {
        "granada": ("running", True, ()),
        "calar": ("running", False, ("rule dip", "rule flare", "tag near")),
        "gone": ("silent", False, ()), "off": ("stopped", False, ())}
    assert found["granada"].is_this
    assert found["granada"].archives == ("T090",)
    assert found["off"].seen_at == pytest.approx(now - 1e6)
    with node("").read() as db:
        assert nodes.listed(db, now) == []


def test_doctor_names_the_rules_and_channels_in_which_nodes_differ(
        place: ServerPlace, node: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader learns which file says what otherwise, before the other node takes over."""
    monkeypatch.delenv("IOP4D_STORE", raising=False)
    now, own = time.time(), f"[site]\nnode = 'granada'\n[store]\nurl = '{place.url}'\n"
    site = _site(tmp_path, own + RULES.format(limit=13))
    for limit, level, named in ((13, Level.GOOD, "2 nodes share the database, with the same rules"),
                                (12, Level.WARNING, "'calar' differs from that of 'granada', "
                                 "which judges the rules, in rule flare: ")):
        other = _site(tmp_path, own + RULES.format(limit=limit))
        _beat(node("granada"), leads=True, leads_since=now, alerting=alerting_keys(site))
        _beat(node("calar"), alerting=alerting_keys(other))
        (found,) = shared(Surroundings(site=site, clock=lambda: now))
        assert found.level is level
        assert named in found.what
    assert "'iop4d docs postgresql'" in found.do


def _site(root: Path, text: str) -> Site:
    (root / "iop4d.toml").write_text(text)
    return load_site(root)


RULES = """
[[channel]]
name = "mail"
kind = "email"
host = "mail.example.org"
sender = "iop4d@example.org"
to = ["ana@example.org"]

[[rule]]
name = "flare"
condition = "mag < {limit}"
channels = ["mail"]
"""


# What each has for itself.


def test_a_start_takes_up_the_jobs_of_its_own_node_alone(node: Open) -> None:
    granada, calar = node("granada"), node("calar")
    for number, database in enumerate((granada, calar)):
        with database.write() as tx:
            jobs.queue(tx, JobKind.CALIBRATE, number, priority=1, now=1.0)
            (job,) = jobs.due(tx, 2.0, 9)
            assert job.key == number
            jobs.begin(tx, job.id, 2.0)
    with granada.write() as tx:
        assert jobs.recover(tx, 3.0) == 1
        assert {job.node: job.state for job in tx.select(Job)} == {
            "granada": JobState.QUEUED, "calar": JobState.RUNNING}
        jobs.wake(tx, 3.0)
        assert jobs.next_due(tx) == 3.0 or jobs.next_due(tx) == 0.0


def test_the_same_path_on_two_machines_is_two_files(node: Open) -> None:
    columns = {"archive": "raw", "path": "/data/raw/a.fits", "name": "a.fits", "size": 1,
               "mtime_ns": 1, "completed_at": 1.0}
    granada, calar = node("granada"), node("calar")
    with granada.write() as tx:
        frames.create(tx, 1.0, **columns)
    with calar.read() as db:
        assert frame_files.by_path(db, Path("/data/raw/a.fits")) is None
        assert frame_files.known_files(db, "raw") == {}


def test_an_edit_of_the_catalogue_is_followed_by_each_node(node: Open) -> None:
    granada, calar = node("granada"), node("calar")
    for database in (granada, calar):
        _beat(database)
        with database.write() as tx:
            assert not catalogue.follow(tx, 1)
            tx.create(Series, key=f"{tx.node}/x", source="X", instrument="A", telescope="T",
                      band="R", night="n", changed_at=1.0, node=tx.node)
    with granada.write() as tx:
        assert catalogue.follow(tx, 2)
        assert not catalogue.is_followed(tx)
    with calar.write() as tx:
        assert catalogue.follow(tx, 2)
        assert not catalogue.follow(tx, 2)


def test_a_request_goes_to_the_node_whose_frames_it_names(node: Open) -> None:
    granada, calar = node("granada"), node("calar")
    ids = []
    for database in (granada, calar):
        with database.write() as tx:
            ids.append(frames.create(tx, 1.0, archive="a", path="/a", name="a", size=1,
                                     mtime_ns=1, completed_at=1.0).id)
    _beat(granada)
    with granada.write() as tx:
        made = requests.put(tx, RequestKind.REPROCESS, {"frames": ids, "by": "ana"}, 1.0)
        assert {row.node: row.content for row in tx.select(Request)} == {
            "granada": {"frames": ids[:1], "by": "ana"}, "calar": {"frames": ids[1:], "by": "ana"}}
        assert requests.node_of(tx, made) == "granada"
        assert [row.id for row in requests.queued(tx)] == [made]
        theirs = requests.put(tx, RequestKind.IGNORE, {"frames": ids[1:]}, 1.0)
        assert requests.node_of(tx, theirs) == "calar"
        assert "the node 'calar', whose daemon does not run" in nodes.why_not_done(
            tx, "calar", time.time())


def test_pages_and_commands_name_the_nodes(node: Open, place: ServerPlace, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """And show the frames of another one without its files."""
    monkeypatch.delenv("IOP4D_STORE", raising=False)
    (tmp_path / "iop4d.toml").write_text(
        f'[site]\nnode = "granada"\n[store]\nurl = "{place.url}"\n', encoding="utf-8")
    raw = tmp_path / "a.fits"
    raw.touch()
    for name in ("granada", "calar"):
        _beat(node(name), leads=name == "calar", host=f"reduce-{name}")
    with node("calar").write() as tx:
        frame = frames.create(tx, 1.0, archive="a", path=str(raw), name="a.fits", size=1,
                              mtime_ns=1, completed_at=1.0).id
    pages = create_app(load_site(tmp_path)).test_client()
    shown = pages.get("/system").text
    assert "reduce-calar" in shown
    assert "(these pages)" in shown
    assert "The node calar judges the rules" in pages.get("/rules").text
    assert "Its files lie on the machine of the node calar." in pages.get(f"/frames/{frame}").text
    answer = pages.get(f"/frames/{frame}/raw")
    assert answer.status_code == 404
    ran = CliRunner().invoke(cli, ["--site", str(tmp_path), "store", "show"])
    assert "calar: running on reduce-calar" in " ".join(ran.output.split())
    assert "judges the rules and sends the messages" in " ".join(ran.output.split())
    ran = CliRunner().invoke(cli, ["--site", str(tmp_path), "store", "rename-node", "calar", "x"])
    assert "its daemon runs" in str(ran.exception or ran.output)
    del pages, ran
    gc.collect()  # their connections, while that is no warning


# Two real daemons.

PLAN = NightPlan(seed=21, fields=("3C345",), frames=6, n_bias=3, n_flat=3)
OTHER = replace(PLAN, seed=22, instrument="AndorT150")
FIRST = 3  # frames of each before one is killed
MORE = """
[site]
node = "{node}"

[store]
url = "{url}"

[daemon]
workers = 1

[alerts]
max_age_hours = 0

[[rule]]
name = "bright"
source = "3C345"
condition = "mag < 30"
confirm = 5
channels = ["mail"]

[[channel]]
name = "mail"
to = ["observer@example.org"]
host = "127.0.0.1"
port = {port}
"""


class Pair:
    """Two sites on one database, their daemons, and what is in it."""

    def __init__(self, folder: Path, url: str, port: int) -> None:
        self.plans = {"granada": PLAN, "calar": OTHER}
        self.telescopes = {"granada": "OSN-T090", "calar": "OSN-T150"}
        self.sites = {}
        for name, plan in self.plans.items():
            site = make_site(folder / name, plan, more=MORE.format(node=name, url=url, port=port))
            file = site / "iop4d.toml"
            file.write_text(file.read_text(encoding="utf-8").replace(
                'name = "AndorT90"', f'name = "{plan.instrument}"'), encoding="utf-8")
            self.sites[name] = site
        self.frames = {name: take_night(plan, folder / "frames" / name)
                       for name, plan in self.plans.items()}
        self.database = Database(ServerPlace(url))
        with Database(self.sites["granada"] / "iop4d.db").read() as db:
            stars = catalogue.load(db).sources
        with self.database.write() as tx:
            catalogue.save(tx, stars)
        self.services = {name: Service(site, "run") for name, site in self.sites.items()}

    def put(self, which: Callable[[list[Path]], list[Path]]) -> None:
        for name, paths in self.frames.items():
            for path in which(paths):
                drop(path, self.sites[name] / "raw" / PLAN.night)

    def iop4d(self, name: str, *words: str) -> str:
        ran = subprocess.run([sys.executable, "-m", "iop4d", "--site", str(self.sites[name]),
                              *words], capture_output=True, text=True, check=False, timeout=60)
        assert not ran.returncode, ran.stderr
        return ran.stdout

    def rows(self, table: Any, *which: Any) -> list[Any]:
        with self.database.read() as db:
            return list(db.select(table).where(*which) if which else db.select(table))

    def mags(self, telescope: str) -> dict[str, float]:
        return {row.key: row.mag for row in self.rows(Result, Result.telescope == telescope)
                if row.source == "1641+399" and row.mode == "photometry"}

    def left(self, name: str) -> list[Any]:
        return self.rows(Job, Job.node == name, Job.state.in_((JobState.QUEUED, JobState.RUNNING)))

    def beats(self) -> dict[str, dict[str, Any]]:
        with self.database.read() as db:
            return nodes.beats(db)

    def until(self, holds: Callable[[], Any], seconds: float = 90.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, "\n".join(
                service.log()[-3000:] for service in self.services.values())
            time.sleep(0.1)
        return found

    def stop(self) -> None:
        for service in self.services.values():
            service.stop()
        self.database.close()


@pytest.fixture
def pair(place: ServerPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.delenv("IOP4D_STORE", raising=False)
    mailbox = Mailbox(tmp_path / "mailbox")
    mailbox.start()
    made = Pair(tmp_path, place.url, mailbox.port)
    yield made
    made.stop()
    mailbox.stop()


def _fainter(table: str, by: float) -> str:
    """A catalogue whose calibrators are fainter, in all bands alike."""
    rows = list(csv.DictReader(io.StringIO(table)))
    for row in rows:
        if row["kind"] == "calibrator":
            row |= {name: f"{float(row[name]) + by:.4f}" for name in row
                    if name.startswith("mag_") and len(name) == 5 and row[name]}
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.mark.skipif(not on_postgresql.IS_ON and not is_required(), reason=(
    "two daemons take long: with the tests on PostgreSQL"))
@pytest.mark.timeout(300)
def test_two_daemons_have_one_catalogue_one_alert_and_their_own_jobs(
        pair: Pair, tmp_path: Path) -> None:
    pair.until(lambda: {beat.get("state") for beat in pair.beats().values()} == {"running"}
               and len(pair.beats()) == 2)
    pair.put(lambda paths: paths[:-FIRST])
    before = pair.until(lambda: all(
        len(pair.mags(telescope)) == FIRST for telescope in ("OSN-T090", "OSN-T150"))
        and not pair.left("granada") and not pair.left("calar")
        and pair.mags("OSN-T090") | pair.mags("OSN-T150"))

    # A flare that both have seen, and neither often enough by itself, is one alert, and one mail.
    (alert,) = pair.until(lambda: pair.rows(Alert, Alert.state == "firing"))
    assert len(alert.points) == 5
    assert len(pair.rows(Outbox)) == 1
    pair.until(lambda: [mail.state for mail in pair.rows(Outbox)] == ["sent"])
    pair.until(lambda: not pair.rows(Unjudged))
    assert sum(beat["leads"] for beat in pair.beats().values()) == 1

    # An edit by a command of one of them recalibrates the results of both.
    table = tmp_path / "catalogue.csv"
    table.write_text(_fainter(pair.iop4d("calar", "catalogue", "export"), 0.25), encoding="utf-8")
    pair.iop4d("calar", "catalogue", "import", str(table))
    pair.until(lambda: (pair.mags("OSN-T090") | pair.mags("OSN-T150")) == {
        key: pytest.approx(mag + 0.25, abs=1e-6) for key, mag in before.items()})

    # One is killed at work: the other one's jobs go on, and leave those of the first alone.
    leads = next(node for node, beat in pair.beats().items() if beat["leads"])
    other = next(node for node in pair.sites if node != leads)
    pair.put(lambda paths: paths[-FIRST:])
    pair.until(lambda: JobState.RUNNING in {job.state for job in pair.left(leads)})
    pair.services[leads].kill()
    time.sleep(0.5)  # for a commit that was under way
    stand = {job.id: (job.state, job.attempts) for job in pair.left(leads)}
    assert stand
    pair.until(lambda: len(pair.mags(pair.telescopes[other])) == 2 * FIRST
               and not pair.left(other) and pair.beats()[other]["leads"])
    assert {job.crashes for job in pair.rows(Job, Job.node == other)} == {0}
    assert {job.id: (job.state, job.attempts) for job in pair.left(leads)} == stand
    shown = json.loads(pair.iop4d(other, "status", "--json"))["nodes"]
    assert {one["node"]: one["leads"] for one in shown} == {other: True, leads: False}

    pair.services[leads].restart()
    pair.until(lambda: not pair.left(leads) and all(
        len(pair.mags(telescope)) == 2 * FIRST for telescope in ("OSN-T090", "OSN-T150")))
    pair.until(lambda: pair.rows(Unjudged) == [])
    assert len(pair.rows(Alert)) == len(pair.rows(Outbox)) == 1
    assert sum(beat["leads"] for beat in pair.beats().values()) == 1
