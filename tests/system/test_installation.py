"""Units are written beside those that were there, and what stands in their way is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iop4d.config.load import parse_site
from iop4d.system import units
from iop4d.system.installation import obstacles, site_of_unit, write_units
from iop4d.system.units import NAMES

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can tell what an account may do")
REMOTE = ('[[archive]]\nname = "a"\nkind = "ftp"\nhost = "h"\nuser = "u"\n'
          'password_credential = "t090"\n')


def test_what_was_changed_by_hand_is_kept_and_never_written_over(tmp_path: Path) -> None:
    made = {"iop4d.service": "one\n", "iop4d-web.socket": "same\n"}
    assert write_units(made, tmp_path) == []
    assert write_units(made, tmp_path) == []  # nothing differs
    unit = tmp_path / "iop4d.service"
    unit.write_text("by hand\n")
    (kept,) = write_units(made, tmp_path)
    (again,) = write_units({**made, "iop4d.service": "two\n"}, tmp_path)
    assert (kept.read_text(), again.read_text()) == ("by hand\n", "one\n")
    assert unit.read_text() == "two\n"
    assert {path.suffix for path in tmp_path.iterdir()} == {".service", ".socket", ".old1", ".old2"}


@pytest.mark.parametrize("folder", ["/srv/a", "/srv/my site 100%"])
def test_a_unit_says_for_which_site_it_was_written(tmp_path: Path, folder: str) -> None:
    write_units(units.units(parse_site("", root=Path(folder)), user="daemon"), tmp_path)
    assert {site_of_unit(tmp_path / name) for name in NAMES} == {folder}
    (tmp_path / "other").write_text("[Unit]\n")
    assert site_of_unit(tmp_path / "other") == ""


def test_a_credential_that_is_missing_is_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    site = parse_site(REMOTE, root=tmp_path / "site")
    place = tmp_path / ".config/iop4d/credentials/t090"
    (said,) = obstacles(site)
    assert said == f"the credential 't090' is missing: write the secret into {place}"
    place.parent.mkdir(parents=True)
    place.write_text("x")
    assert list(obstacles(site)) == []


def test_a_folder_of_fetched_frames_that_is_not_there_keeps_nothing_else_from_working(
        tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    later = tmp_path / "later on"
    text = REMOTE.replace('password_credential = "t090"', f'path = "{later}"')
    site = parse_site(text, root=tmp_path / "site")
    said = f"the folder {later} does not exist: make it, and give it to the account 'daemon', "
    assert any(line.startswith(said) for line in obstacles(site, user="daemon"))
    units_of_it = units.units(site, user="daemon")
    assert f'ReadWritePaths={tmp_path}/site "-{later}"\n' in units_of_it["iop4d.service"]


@AS_ROOT
def test_what_the_account_may_not_do_is_said(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/sh")
    monkeypatch.setattr("iop4d.system.installation.paths_read", lambda _: [tmp_path / "raw"])
    root = tmp_path / "site"
    root.mkdir()
    (tmp_path / "raw").mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    site = parse_site("", root=root)
    assert list(obstacles(site, user="daemon")) == [
        f"the account 'daemon' cannot write to {root}",
        f"the account 'daemon' cannot read {tmp_path / 'raw'}"]
    os.chown(root, 1, 1)
    (tmp_path / "raw").chmod(0o755)
    assert list(obstacles(site, user="daemon")) == []
    tmp_path.chmod(0o700)  # nor can it come so far
    assert len(list(obstacles(site, user="daemon"))) == 2
    assert list(obstacles(site, user="root")) == []


@pytest.mark.parametrize(("workers", "memory"), [(1, "4G"), (6, "4G"), (8, "5G"), (64, "33G")])
def test_many_workers_get_more_memory_and_tasks(tmp_path: Path, workers: int, memory: str) -> None:
    site = parse_site(f"[daemon]\nworkers = {workers}\n", root=tmp_path)
    text = units.units(site)["iop4d.service"]
    assert f"MemoryMax={memory}\n" in text
    assert "TasksMax=1024\n" in text
    assert "MemoryMax=2G\n" in units.units(site, memory="2G")["iop4d.service"]
