"""``iop4d archives`` as someone uses it who connects a server for the first time."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.simulator.servers import Server, free_port, ftp_server, host_key, sftp_server
from iop4d.store.database import Database
from iop4d.store.schema import Frame

PASSWORD = "starlight"
TONIGHT = (datetime.now(tz=UTC) - timedelta(hours=12)).date()
BEFORE = TONIGHT - timedelta(days=40)
SITE = """\
[[archive]]
name = "OSN-T090"
kind = "{kind}"
host = "127.0.0.1"
port = {port}
user = "observer"
password_file = "secret"
night_folder = "/{{night:%Y%m%d}}"
connect_timeout = 2.0
"""


@pytest.fixture(params=["ftp", "sftp"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A site in ten lines, and a server with tonight's frames and those of an older night."""
    served, site = tmp_path / "served", tmp_path / "site"
    for night, names in ((TONIGHT, ("a.fit", "b.fit", "log.txt")), (BEFORE, ("old.fit",))):
        (served / night.strftime("%Y%m%d")).mkdir(parents=True)
        for name in names:
            (served / night.strftime("%Y%m%d") / name).write_bytes(name.encode() * 500)
    site.mkdir()
    (site / "secret").write_text(PASSWORD + "\n")
    server: Server
    if request.param == "ftp":
        server, more = ftp_server(served, PASSWORD), ""
    else:
        key, pin = host_key()
        server, more = sftp_server(served, PASSWORD, key), f'host_key = "{pin}"\n'
    server.start()
    text = SITE.format(kind=request.param, port=server.port) + more
    (site / "iop4d.toml").write_text(text)
    yield site
    server.stop()


def run(site: Path, *words: str) -> tuple[int, str]:
    """Exit code and what is shown, errors as well."""
    result = CliRunner().invoke(cli, ["archives", *words, "--site", str(site)])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def mend(site: Path, key: str, value: str) -> None:
    text = (site / "iop4d.toml").read_text()
    assert f"\n{key} = " in text
    (site / "iop4d.toml").write_text(re.sub(rf"\n{key} = .*", f"\n{key} = {value}", text))


def test_check_shows_what_would_be_taken_and_fetches_nothing(site: Path) -> None:
    code, said = run(site, "check", "T090")
    assert code == 0, said
    assert "the login of observer succeeded" in said
    assert f"/{TONIGHT:%Y%m%d}: 3 files, 2 match, 2 missing here" in said
    assert "a.fit" in said
    assert not (site / "raw").exists()


def test_a_wrong_password_is_told_and_not_shown(site: Path) -> None:
    (site / "secret").write_text("wrong-and-secret")
    code, said = run(site, "check", "OSN-T090")
    assert code != 0
    assert "password" in said
    assert "wrong-and-secret" not in said


def test_a_missing_password_file_is_told(site: Path) -> None:
    (site / "secret").unlink()
    assert "password_file cannot be read" in run(site, "check", "T090")[1]


def test_a_password_and_a_list_of_names_that_are_no_utf_8_are_told(site: Path) -> None:
    (site / "list").write_bytes(b"a.fit\n\xfc.fit\n")
    said = run(site, "fetch", f"T090/{TONIGHT}", "--from", str(site / "list"))[1]
    assert f"{site / 'list'}: not UTF-8 text: save the list as UTF-8" in said
    (site / "secret").write_bytes("Schlüssel".encode("latin-1"))
    said = run(site, "check", "T090")[1]
    assert f"password_file is no UTF-8 text: {site / 'secret'}" in said
    assert "0xfc" not in said


def test_a_wrong_host_port_or_a_server_that_says_nothing_is_told(site: Path) -> None:
    before = threading.active_count()
    mend(site, "port", str(free_port()))
    code, said = run(site, "check", "T090")
    assert code != 0
    assert "port" in said
    mend(site, "host", '"nowhere.invalid"')
    assert "nowhere.invalid" in (said := run(site, "check", "T090")[1])
    assert "host" in said
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mend(site, "host", '"127.0.0.1"')
        mend(site, "port", str(silent.getsockname()[1]))
        assert "timed out" in run(site, "check", "T090")[1]
    assert threading.active_count() < before + 10


def test_a_wrong_folder_pattern_is_told_with_the_folders_there_are(site: Path) -> None:
    mend(site, "night_folder", '"/{night:%Y-%m-%d}"')
    code, said = run(site, "check", "T090")
    assert code != 0
    assert "none of these nights has a folder" in said
    assert f"{TONIGHT:%Y%m%d}" in said
    assert "'night_folder'" in said


def test_a_wrong_file_pattern_is_told_with_a_name_that_is_there(site: Path) -> None:
    text = (site / "iop4d.toml").read_text()
    (site / "iop4d.toml").write_text(text + "file_pattern = '\\.fits$'\n")
    code, said = run(site, "check", "T090")
    assert code != 0
    assert "no file matches" in said
    assert "'\\.fits$'" in said


def test_nights_on_the_server_are_discovered_and_fetched_by_name(site: Path) -> None:
    code, said = run(site, "discover", "T090")
    assert code == 0, said
    assert "2 nights, 3 files missing here" in said
    assert f"{BEFORE}" in said
    nights = json.loads(run(site, "discover", "T090", "--json")[1])
    assert [(night["night"], len(night["missing"])) for night in nights] == [
        (f"{TONIGHT}", 2), (f"{BEFORE}", 1)]
    assert f"{TONIGHT}" in [n["night"] for n in json.loads(run(site, "check", "T090", "--json")[1])]
    place = f"T090/{BEFORE:%y%m%d}"
    code, said = run(site, "fetch", place, "--dry-run")
    assert "would download" in said
    assert not (site / "raw").exists()
    code, said = run(site, "fetch", place, f"OSN-T090/{TONIGHT}", "--files", "*.fit")
    assert code == 0, said
    assert "3 of 3 files downloaded" in said
    found = sorted(p.relative_to(site / "raw").as_posix() for p in (site / "raw").rglob("*.fit"))
    assert found == [f"OSN-T090/{BEFORE}/old.fit", f"OSN-T090/{TONIGHT}/a.fit",
                     f"OSN-T090/{TONIGHT}/b.fit"]
    assert (site / "raw" / found[0]).read_bytes() == b"old.fit" * 500
    assert "2 nights, 0 files missing here" in run(site, "discover", "T090")[1]
    assert "0 of 0 files downloaded" in run(site, "fetch", place)[1]


def test_a_file_that_was_reduced_and_removed_is_downloaded_again_where_that_is_asked_for(
        site: Path) -> None:
    place = f"T090/{BEFORE:%y%m%d}"
    assert run(site, "fetch", place)[0] == 0
    path = site / "raw" / "OSN-T090" / str(BEFORE) / "old.fit"
    info = path.stat()
    database = Database(site / "iop4d.db")
    with database.write() as tx:
        tx.create(Frame, archive="OSN-T090", path=str(path), name=path.name, size=info.st_size,
                  mtime_ns=info.st_mtime_ns, seen_at=0.0, completed_at=0.0, state="done",
                  changed_at=0.0)
    database.close()
    path.unlink()
    code, said = run(site, "fetch", place)
    assert "0 of 0 files downloaded" in said
    assert "1 more were reduced and removed here; --again downloads them once more" in said
    code, said = run(site, "fetch", place, "--again")
    assert (code, "1 of 1 files downloaded" in said) == (0, True)
    assert path.read_bytes() == b"old.fit" * 500


def test_a_list_of_files_and_what_is_no_place(site: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("b.fit\n")
    code, said = run(site, "fetch", f"T090/{TONIGHT}", "--from", str(tmp_path / "list.txt"))
    assert (code, "1 of 1 files" in said) == (0, True)
    assert "has no night" in run(site, "fetch", "T090")[1]
    assert "unknown archive 'VLT'" in run(site, "check", "VLT")[1]
    assert "is not a night" in run(site, "fetch", "T090/last")[1]


@pytest.mark.parametrize("night", ["2026-11-22", "20261122", "261122", "yesterday", "tonight"])
@pytest.mark.parametrize("command", ["retry --failed --night", "reprocess --dry-run --night",
                                     "masters list --night"])
def test_nights_are_understood_as_observers_write_them(tmp_path: Path, night: str,
                                                       command: str) -> None:
    (tmp_path / "iop4d.toml").write_text("")
    Database(tmp_path / "iop4d.db").close()
    result = CliRunner().invoke(cli, ["--site", str(tmp_path), *command.split(), night])
    assert result.exit_code == 0, result.output
    wrong = CliRunner().invoke(cli, ["--site", str(tmp_path), *command.split(), "last week"])
    assert wrong.exit_code == 2
    assert "'last week' is not a night; expected 2023-03-13" in wrong.output


def test_archives_are_listed(site: Path) -> None:
    code, said = run(site)
    assert code == 0
    assert "observer@127.0.0.1/{night:%Y%m%d}" in said
    assert "the daemon is not running" in said


def test_a_folder_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text('[[archive]]\nname = "a"\npath = "frames"\n')
    assert "is not a folder" in run(tmp_path, "check", "a")[1]
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "x.txt").touch()
    assert "no file matches file_pattern" in run(tmp_path, "check", "a")[1]
    (tmp_path / "frames" / "x.fit").touch()
    code, said = run(tmp_path, "check", "a")
    assert (code, "2 files, 1 of them match" in said) == (0, True)
    assert "is a local folder" in run(tmp_path, "discover", "a")[1]


def test_the_only_archive_needs_no_name_and_of_several_the_names_are_shown(tmp_path: Path) -> None:
    section = '[[archive]]\nname = "{0}"\npath = "{0}"\n'
    (tmp_path / "a").mkdir()
    assert "there is no archive: add" in checked(tmp_path, "")
    assert "a: 0 files" in checked(tmp_path, section.format("a"))
    both = section.format("a") + section.format("b")
    assert checked(tmp_path, both).endswith("name one of the archives: a, b")


def checked(folder: Path, text: str) -> str:
    (folder / "iop4d.toml").write_text(text)
    return run(folder, "check")[1]
