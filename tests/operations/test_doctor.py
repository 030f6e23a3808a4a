"""A site is made sound, then troubles are planted: each is named, and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config.load import load_site
from iop4d.config.store import ServerPlace
from iop4d.fields.coverage import uncovered
from iop4d.model.source import Source, SourceKind
from iop4d.operations import backup
from iop4d.operations.doctor import data, folders
from iop4d.operations.doctor.findings import Level, Surroundings
from iop4d.operations.doctor.run import CHECKS, examine
from iop4d.simulator.sky import index_folder
from iop4d.store import catalogue, disk_history
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Master, Measurement, Outbox
from iop4d.store.schema import Source as SourceRow
from iop4d.store.status import beat
from iop4d.system.units import units
from iop4d.triggers import broker
from tests.operations.sound_site import DAY, NOW, Lab


def test_a_sound_site_has_nothing_wrong(lab: Lab) -> None:
    found = list(examine(lab.around()))
    assert [one for one in found if one.level is not Level.GOOD] == []
    assert {one.check for one in found} == set(CHECKS)


def test_each_of_ten_planted_troubles_is_named_with_what_to_do(
        lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lab.root
    text = (root / "iop4d.toml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = gone.getsockname()[1]
    lab.write_site(text.replace('path = "raw/away"', 'path = "not-mounted"').replace(
        'host = "127.0.0.1"\nport', f'host = "127.0.0.1"\nport = {closed}\n#').replace(
        "mag < 13", "mag << 13"))
    (root / "password").chmod(0o644)
    (root / "raw/T090/2026-01-02").mkdir()
    lab.limit.write_text("3")
    lab.free = 10**9
    for path in (root / "backups").iterdir():
        path.unlink()
    for name, unit in units(load_site(root, has_indexes=False, skip_wrong_rules=True)).items():
        (root / "units" / name).write_text(unit.replace("ExecStart=", "ExecStart=/gone/python "))
    real = metadata.requires("iop4d") or []
    monkeypatch.setattr(metadata, "requires", lambda _: [*real, "numpy>=99"])
    with lab.database.write() as tx:
        catalogue.save(tx, [Source(name="Far away", ra_deg=10.0, dec_deg=-80.0, calibrates=(),
                                   kind=SourceKind.TARGET, magnitudes={})])
        beat(tx, {"state": "running", "beat_at": NOW + 3600, "pid": 1, "archives": []})
        tx.create(Master, key="k", kind="bias", telescope="T", instrument="I", layout="l",
                  night="2026-01-01", state="ready", path=str(root / "masters/b.fits"),
                  changed_at=1.0)
        tx.create(Outbox, dedup_key="k", channel="mail", recipient="a@example.org",
                  message_id="<1>", content={}, state="failed", created_at=NOW, given_up_at=NOW,
                  refused_at=NOW, last_error="550 no such mailbox")
        for day in range(5):
            disk_history.note(tx, NOW - (4 - day) * DAY + 1, (50 - 10 * day) * 10**9)
    planted = {
        "site file": "bright", "archives": "not-mounted", "channels": str(closed),
        "credentials": "password", "inotify": "the kernel lets 3", "disk": "no new work starts",
        "backups": "no backup", "units": "/gone/python", "versions": "numpy",
        "index files": "Far away", "catalogue": "Far away",
        "clock": "1 h in the future", "files": "b.fits"}
    found = lab.bad()
    for check, words in planted.items():
        named = [one for one in found if one.check == check and words in one.what]
        assert named, (check, found)
        assert all(one.do for one in named)
    assert any("550 no such mailbox" in one.what for one in found)
    assert any("is full in" in one.what for one in found)
    assert {one.check for one in found} <= set(planted)


def test_each_of_ten_other_troubles_is_named_with_what_to_do(
        lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lab.root
    index = tmp_path / "index"
    shutil.copytree(index_folder(), index)
    cut = max(index.iterdir(), key=lambda path: path.stat().st_size)
    os.truncate(cut, cut.stat().st_size // 2)
    text = (root / "iop4d.toml").read_text().replace(str(index_folder()), str(index))
    lab.write_site(text + '[[archive]]\nname = "far"\nkind = "ftp"\nhost = "127.0.0.1"\n'
                   f'port = 1\nuser = "u"\npassword_file = "pw"\npath = "{tmp_path}/far"\n')
    (root / "reduced").mkdir()
    (root / "previews").mkdir()
    (tmp_path / "far").mkdir()
    (root / "logs").mkdir()
    forbidden, other_disk, read_only = root / "logs", tmp_path / "far", root / "reduced"
    monkeypatch.setattr(folders, "_is_read_only", lambda path: path == read_only)
    monkeypatch.setattr(folders, "_device", {other_disk: 2, read_only: 3}.get)
    (newest,) = (root / "backups").iterdir()
    os.truncate(backup.make(load_site(root), root / "backups", now=NOW - DAY / 2).path, 500)
    lab.limit.with_name("max_user_instances").write_text("2")
    (root / "proc/77/fd").mkdir(parents=True)
    for number in range(2):
        (root / f"proc/77/fd/{number}").symlink_to("anon_inode:inotify")
    with lab.database.write() as tx:
        catalogue.save(tx, [Source(name="Lonely", ra_deg=250.745, dec_deg=39.9, calibrates=(),
                                   kind=SourceKind.TARGET, magnitudes={})])
        beat(tx, {"state": "running", "beat_at": NOW - 9000, "pid": 1, "archives": []})
    around = replace(
        lab.around(), free=lambda path: 10**6 if path == other_disk else lab.free,
        may=lambda path, rights: path != forbidden and os.access(path, rights),
        kind_of=lambda _: "nfs4", is_clock_kept=lambda: False)
    found = [one for one in examine(around) if one.level is not Level.GOOD]
    for check, words in {
            "index files": f"{cut}: it is cut short", "archives": "far: ",
            "folders": f"the disk of {read_only} is mounted read-only",
            "catalogue": "no star calibrates Lonely", "clock": "nothing keeps",
            "inotify": "lets 2", "backups": "iop4d-", "daemon": "did not stop",
            "credentials": "pw"}.items():
        named = [one for one in found if one.check == check and words in one.what]
        assert named, (check, found)
        assert all(one.do for one in named)
    assert any("0.0 GB are free on the disk of" in one.what for one in found)
    assert any(f"this account may not write to {forbidden}" in one.what for one in found)
    is_file = not isinstance(lab.database.place, ServerPlace)
    assert any("file system of the network (nfs4)" in one.what for one in found) == is_file
    (said,) = [one for one in found if one.check == "backups"]
    assert str(newest) not in said.what


def test_a_backup_that_is_damaged_at_its_end_is_named(lab: Lab) -> None:
    (path,) = (lab.root / "backups").iterdir()
    os.truncate(path, path.stat().st_size - 200)
    (said,) = lab.bad()
    assert (said.check, said.level) == ("backups", Level.FAULT)
    assert str(path) in said.what


@pytest.mark.sqlite
@pytest.mark.parametrize(("version", "words"), [(3, "older"), (999, "newer")])
def test_a_database_of_another_version_is_named(lab: Lab, version: int, words: str) -> None:
    with lab.database.write():
        lab.database.db.execute_sql(f"PRAGMA user_version = {version}")
    (said,) = lab.bad()
    assert (said.check, said.level) == ("store", Level.FAULT)
    assert words in said.what


@pytest.mark.sqlite
def test_a_file_that_is_no_database_is_one_fault(lab: Lab) -> None:
    lab.database.close()
    for end in ("-wal", "-shm"):
        (lab.root / f"iop4d.db{end}").unlink(missing_ok=True)
    (lab.root / "iop4d.db").write_bytes(os.urandom(8192))
    (said,) = lab.bad()
    assert (said.check, said.level) == ("store", Level.FAULT)
    assert "restore" in said.what


def test_a_disk_that_is_read_only_is_one_fault(
        lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab.root / "reduced").mkdir()
    monkeypatch.setattr(folders, "_is_read_only", lambda _: True)
    assert [one.what for one in lab.bad()] == [f"the disk of {lab.root} is mounted read-only"]


def test_a_site_without_a_database_has_an_empty_catalogue(lab: Lab) -> None:
    around = replace(lab.around(), site=replace(lab.around().site, root=lab.root / "raw"))
    assert [one.what for one in data.targets(around)] == ["it is empty: no frame gives a result"]


def test_an_empty_catalogue_is_named(lab: Lab) -> None:
    with lab.database.write() as tx:
        tx.delete(SourceRow).execute()
    assert [one.what for one in lab.bad()] == ["it is empty: no frame gives a result"]


def test_the_command_exits_with_1_where_something_is_to_be_mended(lab: Lab) -> None:
    (lab.root / "password").chmod(0o644)
    ran = CliRunner().invoke(cli, ["doctor", "--offline", "--site", str(lab.root)])
    assert ran.exit_code == 1
    assert "chmod o-r" in ran.output
    assert "canary" not in ran.output
    said = json.loads(CliRunner().invoke(
        cli, ["doctor", "--offline", "--json", "--site", str(lab.root)]).output)
    assert {one["level"] for one in said} >= {"good", "fault"}
    lab.write_site("[daemon]\nworkers = 'many'\n")
    ran = CliRunner().invoke(cli, ["doctor", "--offline", "--site", str(lab.root)])
    assert "line 2: daemon.workers" in ran.output
    assert ran.exit_code == 1


@pytest.mark.sqlite
def test_a_database_that_is_not_whole_is_named(lab: Lab) -> None:
    with lab.database.read():
        lab.database.db.execute_sql("PRAGMA foreign_keys = off")
    with lab.database.write() as tx:
        tx.create(Measurement, frame=77, source="s", x=1.0, y=1.0)
    assert [one.what.rpartition(": ")[2] for one in lab.bad()] == [
        "a row of measurement refers to one of frame that is not there"]
    lab.database.close()
    path = lab.root / "iop4d.db"
    path.write_bytes(path.read_bytes()[:8192] + b"\0" * 8192 + path.read_bytes()[16384:])
    assert "store" in {one.check for one in lab.bad() if one.level is Level.FAULT}


def test_a_folder_of_index_files_that_is_not_there_is_named(lab: Lab) -> None:
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site(text.replace(str(index_folder()), "/gone/index"))
    found = lab.bad()
    assert {one.check for one in found} == {"index files"}
    assert "/gone/index" in found[0].what


def test_raw_frames_that_are_not_there_are_counted(lab: Lab) -> None:
    with lab.database.write() as tx:
        tx.create(Frame, archive="T090", path="/gone/1.fits", name="1.fits", size=1, mtime_ns=1,
                  state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0)
    (found,) = lab.bad()
    assert "1 raw frames" in found.what


def test_the_trend_is_of_two_weeks_and_of_one_value_a_day(lab: Lab) -> None:
    with lab.database.write() as tx:
        for day in range(100):
            for hour in (0, 6):
                disk_history.note(tx, NOW + (day + hour / 24) * DAY, (1000 - day) * 10**9)
    with lab.database.read() as db:
        assert len(disk_history.history(db)) == 60
        assert disk_history.trend(db) == pytest.approx(-1e9, rel=0.01)


def test_a_tile_of_a_series_covers_what_is_in_it_and_an_unreadable_file_is_named(
        tmp_path: Path) -> None:
    from astropy.io import fits

    from iop4d.science.healpix import tile_of

    source = Source(name="s", ra_deg=120.0, dec_deg=30.0, kind=SourceKind.TARGET, calibrates=(),
                    magnitudes={})
    header = fits.PrimaryHDU()
    header.header["HEALPIX"], header.header["HPNSIDE"] = int(tile_of(120.0, 30.0, 2)), 2
    header.writeto(tmp_path / "index-5200-01.fits")
    (tmp_path / "bad.fits").write_text("no file of FITS")
    left, wrong = uncovered([tmp_path], [source, replace(source, name="far", dec_deg=-60.0)])
    assert left == ["far"]
    assert len(wrong) == 1


@pytest.mark.parametrize(("beat_says", "installed", "said"), [
    ({"state": "unreachable", "reason": "no such host"}, True, "no notice is received: no such"),
    (None, False, "iop4d[gcn] is not installed"),
])
def test_a_broker_of_triggers_that_does_not_answer_is_named(
        beat_says: dict[str, str] | None, installed: bool, said: str, lab: Lab,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "is_installed", lambda: installed)
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site('[triggers]\ntopics = ["a"]\nservers = "localhost"\n' + text)
    with lab.database.write() as tx:
        beat(tx, {"state": "running", "beat_at": NOW - 1, "pid": 1, "archives": [],
                  "version": metadata.version("iop4d"), "triggers": beat_says})
    (found,) = [one for one in lab.bad() if one.check == "triggers"]
    assert said in found.what
    assert found.do


def test_a_site_that_has_a_catalogue_and_never_had_a_daemon_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, [Source(name="S", ra_deg=1.0, dec_deg=1.0, kind=SourceKind.TARGET,
                                   calibrates=(), magnitudes={})])
    database.close()
    site = load_site(tmp_path, has_indexes=False)
    (found,) = data.daemon(Surroundings(site=site, clock=lambda: NOW))
    assert found.what == "it has never run on this site"


def test_a_clock_that_was_set_while_the_daemon_ran_is_said(lab: Lab) -> None:
    with lab.database.write() as tx:
        beat(tx, {"state": "running", "beat_at": NOW - 1, "pid": 1, "archives": [],
                  "clock_set": {"at": NOW - DAY, "by": -86400.0},
                  "version": metadata.version("iop4d")})
    (found,) = [one for one in lab.bad() if one.check == "clock"]
    assert "the clock was set back by 24 h while the daemon ran" in found.what
