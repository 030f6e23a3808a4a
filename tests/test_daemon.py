"""The real daemon, as a process, on a simulated night."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config.store import FilePlace, place_of_url
from iop4d.model.states import RequestKind
from iop4d.simulator.night import NightPlan
from iop4d.simulator.servers import Mailbox
from iop4d.simulator.service import Observer, Service
from iop4d.store import requests
from iop4d.store.copying import empty
from iop4d.store.database import Database
from tests.support.bad_files import bad_files
from tests.support.invariants import workers_of
from tests.support.sites import differences, drop, make_site, results_of, take_night
from tests.support.stores import has_database

PLAN = NightPlan(seed=11, fields=("3C345",), frames=4, n_bias=3, n_flat=3)
ONE = "[daemon]\nworkers = 1\n"  # as what is tested needs no more; the night is taken with two
RULE = """
[alerts]
max_age_hours = 0
[[rule]]
name = "always"
source = "3C345"
condition = "mag < 20"
channels = ["mail"]
[[channel]]
name = "mail"
to = ["observer@example.org"]
port = {port}
"""


@dataclass(frozen=True)
class Taken:
    """A night that was taken, and the results of an undisturbed ``iop4d reduce`` of it."""

    frames: list[Path]
    rows: dict[tuple[str, str], dict[str, str]]


def iop4d(site: Path, *words: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([sys.executable, "-m", "iop4d", "--site", str(site), *map(str, words)],
                         capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == expect, ran.stderr
    return ran


def printed(site: Path, *words: object) -> str:
    """What a short command prints; in this process, as the imports take longer than it does."""
    ran = CliRunner().invoke(cli, ["--site", str(site), *map(str, words)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("night")
    frames = take_night(PLAN, folder / "frames")
    site = make_site(folder / "site", PLAN)
    iop4d(site, "reduce", folder / "frames")
    return Taken(frames, results_of(site))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return make_site(tmp_path / "site", PLAN, more=ONE)


@pytest.fixture
def service(site: Path) -> Iterator[Service]:
    running = Service(site, "run")
    yield running
    running.stop()


def test_reduce_measures_every_light_frame(taken: Taken) -> None:
    assert len(taken.rows) == PLAN.frames
    for row in taken.rows.values():
        assert abs(float(row["mag"]) - 15.5) < 0.2
        assert 0.003 < float(row["mag_err"]) < 0.05
        assert (row["flags"], row["provisional"]) == ("", "false")


def test_frames_dropped_into_the_folder_give_the_same_rows(
        taken: Taken, site: Path, service: Service) -> None:
    for path in taken.frames:
        drop(path, site / "raw" / "OSN-T090" / PLAN.night)
    assert Observer(site).wait(len(taken.frames), seconds=60, service=service), service.log()
    assert differences(results_of(site), taken.rows) == []
    assert list((site / "previews" / "OSN-T090" / PLAN.night).glob("*.png"))


def test_bad_files_have_their_reason_and_harm_no_good_one(
        taken: Taken, site: Path, service: Service) -> None:
    raw = site / "raw" / PLAN.night
    bad = bad_files(taken.frames[-1].read_bytes(), raw)
    for path in taken.frames:
        drop(path, raw)
    assert Observer(site).wait(len(taken.frames) + len(bad), seconds=90, service=service), \
        service.log()
    state = json.loads(printed(site, "status", "--all", "--json"))
    reasons = {entry["name"]: entry["reason"] for entry in state["failed"]}
    assert set(reasons) == set(bad)
    assert all(len(reason) >= len("is empty") for reason in reasons.values())
    assert "truncated" in reasons["truncated.fit"]
    assert "empty" in reasons["empty.fit"]
    assert "IMAGETYP" in reasons["no-kind.fit"]
    assert "Prototype 7" in reasons["other-camera.fit"]
    assert differences(results_of(site), taken.rows) == []
    assert service.alive


def test_a_daemon_that_is_killed_goes_on_where_it_was(taken: Taken, site: Path) -> None:
    service = Service(site, "run")
    for number, path in enumerate(taken.frames):
        drop(path, site / "raw" / PLAN.night)
        if number % 3 == 2:
            time.sleep(1.2)
            service.kill()
            service.restart()
    assert Observer(site).wait(len(taken.frames), seconds=90, service=service), service.log()
    assert service.stop() == 0
    assert differences(results_of(site), taken.rows) == []


def test_a_site_that_is_destroyed_continues_from_its_backup(
        taken: Taken, site: Path, tmp_path: Path) -> None:
    """What was done by hand before the backup is back; all else raw files give back."""
    service, early = Service(site, "run"), len(taken.frames) - 2
    for path in taken.frames[:early]:
        drop(path, site / "raw" / PLAN.night)
    assert Observer(site).wait(early, seconds=60, service=service), service.log()
    printed(site, "flag", 1, "--note", "a satellite")
    drop(taken.frames[early], site / "raw" / PLAN.night)  # the backup is made while it is reduced
    iop4d(site, "backup", tmp_path / "night.tar.gz")
    drop(taken.frames[-1], site / "raw" / PLAN.night)  # nothing knows of it after the restore
    assert Observer(site).wait(len(taken.frames), seconds=60, service=service), service.log()
    was = results_of(site)
    service.kill()
    destroy(site)
    iop4d(site, "restore", tmp_path / "night.tar.gz")
    service = Service(site, "run")
    try:
        assert Observer(site).wait(len(taken.frames), seconds=60, service=service), service.log()
    finally:
        service.stop()
    assert differences(results_of(site), was) == []
    assert sum("bad" in row["flags"] for row in was.values()) == 1
    masters = json.loads(printed(site, "masters", "list", "--json"))
    assert {one["state"] for one in masters} == {"ready"}
    assert len(list((site / "masters").rglob("*.fits"))) == len(masters)


def destroy(site: Path) -> None:
    """Lose everything of a site but its raw frames."""
    place = place_of_url("", site)
    if not isinstance(place, FilePlace):
        database = Database(place)
        with database.write() as tx:
            empty(tx)
        database.close()
    for path in site.iterdir():
        if path.is_dir() and path.name != "raw":
            shutil.rmtree(path)
        elif not path.is_dir():
            path.unlink()
    (site / "logs").mkdir()


def test_reduce_hands_the_work_to_a_running_daemon(
        taken: Taken, site: Path, service: Service) -> None:
    observer = Observer(site)
    deadline = time.monotonic() + 20
    while observer.status()["daemon"]["state"] != "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    ran = iop4d(site, "reduce", *taken.frames)
    assert "4 results" in ran.stderr
    assert differences(results_of(site), taken.rows) == []
    assert not list((site / "raw").rglob("*.fit"))
    # Other settings are tried beside what is stored, which stays as it is.
    with Database(site / "iop4d.db").write() as tx:
        asked = requests.put(tx, RequestKind.TRIAL, {
            "result": 1, "settings": {"photometry.annulus_outer": "12"}}, time.time())
        broken = requests.put(tx, RequestKind.TRIAL, {"result": "x"}, time.time())
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with Database(site / "iop4d.db", read_only=True).read() as db:
            answers = [requests.answer_of(db, id_) for id_ in (asked, broken)]
        if all(answers):
            break
        time.sleep(0.1)
    said = json.loads(iop4d(site, "explain", 1, "--json", "--try",
                            "photometry.annulus_outer=12").stdout)
    assert answers[0] is not None
    assert {name: answers[0][name] for name in ("stored", "tried")} == {
        name: said[name] for name in ("stored", "tried")}  # the command computes the same
    assert 0 < abs(said["tried"]["mag"] - said["stored"]["mag"]) < 0.02
    assert "broken" in (answers[1] or {})["error"]
    assert differences(results_of(site), taken.rows) == []


def test_reduce_tells_what_failed_and_exits_with_1(taken: Taken, site: Path,
                                                   tmp_path: Path) -> None:
    bad = tmp_path / "bad.fit"
    bad.write_bytes(b"no frame")
    ran = iop4d(site, "reduce", *taken.frames, bad, expect=1)
    assert "bad.fit" in ran.stderr
    assert "text" in ran.stderr
    assert len(results_of(site)) == PLAN.frames


def test_a_lone_frame_without_masters_waits_with_its_reason(taken: Taken, site: Path) -> None:
    ran = iop4d(site, "reduce", taken.frames[-1], expect=1)
    assert "master bias" in " ".join(ran.stderr.split())
    iop4d(site, "reduce", *taken.frames[:-1])
    assert differences(results_of(site), taken.rows) == []


def test_copies_go_to_the_raw_folder_when_asked_for(taken: Taken, site: Path) -> None:
    iop4d(site, "reduce", "--copy", *taken.frames)
    raw = site / "raw" / "OSN-T090" / PLAN.night
    assert sorted(path.name for path in raw.iterdir()) == sorted(
        path.name for path in taken.frames)


def test_a_second_daemon_is_refused(site: Path, service: Service) -> None:
    deadline = time.monotonic() + 20
    while not (site / "iop4d.lock").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    ran = iop4d(site, "run", expect=1)
    assert f"process {service.process.pid}" in ran.stderr


def _await_work(site: Path) -> None:
    """Until a frame has ended, and others are under way."""
    deadline = time.monotonic() + 60
    observer = Observer(site)
    while time.monotonic() < deadline:
        if has_database(site) and observer.ended():
            return
        time.sleep(0.05)
    raise AssertionError("no frame was worked on")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_and_leaves_no_process(taken: Taken, site: Path,
                                                sign: signal.Signals) -> None:
    service = Service(site, "run")
    for path in taken.frames:
        drop(path, site / "raw" / PLAN.night)
    _await_work(site)
    os.kill(service.process.pid, sign)
    assert service.process.wait(40) == 0, service.log()
    assert workers_of(service.process.pid) == []
    assert json.loads(printed(site, "status", "--all", "--json"))["daemon"]["state"] == "stopped"


def test_a_rule_that_fires_sends_one_mail(taken: Taken, tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "mailbox")
    mailbox.start()
    site = make_site(tmp_path / "site", PLAN, more=ONE + RULE.format(port=mailbox.port))
    service = Service(site, "run")
    try:
        for path in taken.frames:
            drop(path, site / "raw" / PLAN.night)
        assert Observer(site).wait(len(taken.frames), seconds=60, service=service), service.log()
        assert mailbox.wait_for(1, seconds=60), service.log()
        time.sleep(0.5)
    finally:
        service.stop()
        mailbox.stop()
    assert len(mailbox.messages()) == 1
    text = mailbox.messages()[0].read_bytes()
    assert b"image/png" in text
    assert b"1641+399" in text


def test_a_changed_calibrator_changes_the_results_without_reading_pixels(
        taken: Taken, tmp_path: Path) -> None:
    night = tmp_path / "night"
    frames = [drop(path, night) for path in taken.frames]
    site = make_site(tmp_path / "site", PLAN, more=ONE)
    iop4d(site, "reduce", *frames)
    before = results_of(site)
    for path in frames:
        path.unlink()
    table = tmp_path / "catalogue.csv"
    printed(site, "catalogue", "export", table)
    lines = table.read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    column = header.index("mag_R")
    for number, line in enumerate(lines[1:], start=1):
        cells = line.split(",")
        if cells[column]:
            cells[column] = str(float(cells[column]) + 1.0)
        lines[number] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    printed(site, "catalogue", "import", table)
    service = Service(site, "run")
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            after = results_of(site)
            if all(float(after[key]["mag"]) - float(row["mag"]) > 0.9
                   for key, row in before.items()):
                break
            time.sleep(0.3)
    finally:
        service.stop()
    for key, row in before.items():
        assert float(after[key]["mag"]) - float(row["mag"]) == pytest.approx(1.0, abs=1e-4)
