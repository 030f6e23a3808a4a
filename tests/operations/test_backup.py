"""A backup holds what raw files do not give back, no secret, and is checked before it is used."""

from __future__ import annotations

import asyncio
import json
import os
import tarfile
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.config.inline_secrets import inline_secrets, without_secrets
from iop4d.config.load import load_site, site_text
from iop4d.daemon import Daemon
from iop4d.model.errors import Iop4dError
from iop4d.operations import archive, backup
from iop4d.operations.restore import check, restore
from iop4d.store import catalogue, catalogue_csv, events
from iop4d.store.database import Database
from iop4d.store.schema import Audit, Event, Frame, Outbox, User, WebSession
from iop4d.system.lock import SiteLock
from tests.support.rows import first, rows

TOKEN = "T0K3N-abcdef0123456789"
SITE = f"""\
[site]
name = "Sierra"
[[channel]]
name = "hook"
kind = "webhook"
url = "https://hooks.example.org/services/{TOKEN}"
secret_file = "hook.key"
[[channel]]
name = "mail"
to = ["a@example.org"]
host = "mail.example.org"
[[rule]]
name = "bright"
source = "BL Lac"
condition = "mag < 13"
channels = ["mail"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    root.mkdir()
    (root / "iop4d.toml").write_text(SITE)
    (root / "hook.key").write_text("canary-of-a-key")
    draft = root / "drafts" / "ATel_1"
    draft.mkdir(parents=True)
    (draft / "draft.txt").write_text("We report")
    database = Database(root / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(catalogue_csv.builtin("blazars")))
        tx.create(Frame, archive="a", path=f"{root}/raw/1.fits", name="1.fits", size=1, mtime_ns=1,
                  state="done", completed_at=1.0, seen_at=1.0, changed_at=1.0,
                  reduced_path=f"{root}/reduced/1.fits", preview_path="/elsewhere/1.png")
        user = tx.create(User, name="ana", password="scrypt:hash", made_at=1.0)
        tx.create(WebSession, user=user.id, token="digest", address="::1", ends_at=1e12)
        tx.create(Outbox, dedup_key="k", channel="mail", recipient="a@example.org",
                  message_id="<1>", content={}, state="queued", created_at=1.0)
        events.emit(tx, "frame", 1.0, id=1)
    database.close()
    return root


def run(root: Path, *words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words), "--site", str(root)])


@pytest.mark.sqlite
def test_a_database_that_was_emptied_is_not_filled_where_there_are_backups(
        root: Path) -> None:
    """A new one would take its place without a word, and forget all that was flagged by hand."""
    made = backup.make(load_site(root), root / "backups", now=1.0)
    (root / "iop4d.db").write_bytes(b"")
    for end in ("-wal", "-shm"):
        (root / f"iop4d.db{end}").unlink(missing_ok=True)
    with pytest.raises(archive.BackupError, match=r"is empty \(0 bytes\)") as found:
        Daemon.check(load_site(root))
    assert str(made.path) in str(found.value)
    with pytest.raises(archive.BackupError, match=r"is empty \(0 bytes\)"):
        asyncio.run(Daemon(load_site(root)).run(asyncio.Event()))
    ran = CliRunner().invoke(cli, ["--site", str(root), "catalogue", "import", "builtin:blazars"])
    assert isinstance(ran.exception, archive.BackupError)
    assert (root / "iop4d.db").stat().st_size == 0
    (root / "iop4d.db").unlink()
    Daemon.check(load_site(root))


def test_what_comes_back_is_what_was_there_and_it_knows_that_it_was_restored(
        root: Path, tmp_path: Path) -> None:
    made = run(root, "backup", tmp_path / "kept")
    assert made.exit_code == 0, made.exception
    assert "read back and compared" in made.output
    assert "channel 'hook': secret in the file" in made.output
    (path,) = (tmp_path / "kept").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    new = tmp_path / "new place"
    answer = run(new, "restore", path)
    assert answer.exit_code == 0, answer.exception
    site = load_site(new)
    assert [rule.name for rule in site.rule] == ["bright"]
    assert (new / "drafts" / "ATel_1" / "draft.txt").read_text() == "We report"
    database = Database(new / "iop4d.db")
    frame = first(database, Frame)
    assert frame.path == f"{new}/raw/1.fits"
    assert (frame.reduced_path, frame.preview_path) == (f"{new}/reduced/1.fits", "/elsewhere/1.png")
    assert first(database, User).password == "scrypt:hash"
    assert rows(database, WebSession) == []  # browsers sign in again
    assert first(database, Outbox).unsure  # it may have been sent since
    assert rows(database, Audit)[-1].act == "restore"
    assert rows(database, Event)[-1].id > 1_000_000  # pages that saw more events see the next one
    with database.read() as db:
        assert len(catalogue.load(db).sources) > 100
    database.close()


def test_no_secret_is_in_a_backup(root: Path, tmp_path: Path) -> None:
    made = run(root, "backup", tmp_path / "b.tar.gz", "--json")
    said = json.loads(made.output)
    assert said["left_out"] == ["[channel] 'hook': url"]
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        for entry in tar:
            file = tar.extractfile(entry)
            assert file is not None
            content = file.read()
            for secret in (TOKEN, "canary-of-a-key"):
                assert secret.encode() not in content
    assert "https://hooks.example.org/LEFT-OUT" in without_secrets(site_text(root))[0]


@pytest.mark.parametrize(("line", "is_secret"), [
    ('proxy = "http://me:pw@proxy:3128"', True),
    ('url = "https://example.org/api/notices"', False),
    ('url = "https://example.org/hook?key=abcdef0123456789"', True),
    ('options = { api_token = "x1" }', True),
    ('password_file = "/etc/password"', False),
    ('url = "postgresql://iop4d@db.example.org/iop4d?options=-csearch_path%3Dsite_0123456789ab"',
     False),
    ('url = "sqlite:////srv/observatory2026-data/iop4d.db"', False),
    ('url = "postgresql://iop4d@db.example.org/iop4d_observatory_2026"', False),
    ('url = "postgresql://iop4d@db.example.org/iop4d?password=x"', True),
    ('url = "postgresql://iop4d:pw@db.example.org/iop4d"', True),
])
def test_what_counts_as_a_secret(line: str, is_secret: bool) -> None:
    assert bool(inline_secrets(f"[[channel]]\n{line}\n")) is is_secret


def test_a_secret_that_cannot_be_left_out_refuses_the_backup() -> None:
    with pytest.raises(Iop4dError, match="cannot be left out"):
        without_secrets('[[channel]]\nproxy = "http://me:p\\u0077@proxy:3128"\n')


def test_a_site_that_is_there_is_refused_and_with_force_kept_beside(
        root: Path, tmp_path: Path) -> None:
    run(root, "backup", tmp_path / "b.tar.gz")
    (root / "raw").mkdir()
    (root / "raw" / "1.fits").write_text("raw")
    refused = run(root, "restore", tmp_path / "b.tar.gz")
    assert refused.exit_code == 1
    assert "--force" in str(refused.exception)
    (root / "iop4d.toml").write_text("[site]\nname = 'changed'\n")
    answer = run(root, "restore", tmp_path / "b.tar.gz", "--force")
    assert answer.exit_code == 0, answer.exception
    (before,) = root.glob("before-restore-*")
    assert "changed" in (before / "iop4d.toml").read_text()
    assert (before / "iop4d.db").exists()
    assert (before / "drafts" / "ATel_1" / "draft.txt").exists()
    assert load_site(root).site.name == "Sierra"
    assert (root / "raw" / "1.fits").read_text() == "raw"


def test_nothing_is_restored_beneath_a_daemon(root: Path, tmp_path: Path) -> None:
    run(root, "backup", tmp_path / "b.tar.gz")
    lock = SiteLock(root / "iop4d.lock")
    answer = run(root, "restore", tmp_path / "b.tar.gz", "--force")
    lock.close()
    assert "already runs" in str(answer.exception)
    assert list(root.glob("before-restore-*")) == []


@pytest.mark.parametrize("harm", ["cut", "bit", "junk", "absent"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
        root: Path, tmp_path: Path, harm: str) -> None:
    path = tmp_path / "b.tar.gz"
    run(root, "backup", path)
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[:len(content) // 2])
    elif harm == "bit":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif harm == "junk":
        path.write_text("junk")
    else:
        path.unlink()
    with pytest.raises(archive.BackupError):
        restore(path, tmp_path / "new", by="ana")
    assert not (tmp_path / "new").exists()


def test_the_newest_are_kept_and_other_sites_backups_stay(root: Path, tmp_path: Path) -> None:
    site, kept = load_site(root), tmp_path / "kept"
    kept.mkdir()
    other = kept / "iop4d-Sierra-20200101T000000Z.tar.gz"
    other.write_text("of whoever")
    for day in range(4):
        made = backup.make(site, kept, keep=2, now=1.7e9 + 86400 * day)
    assert len(made.removed) == 1
    assert [manifest.made_at for _, manifest in backup.of_site(site, kept)] == [
        1.7e9 + 86400 * day for day in (3, 2)]
    assert other.exists()
    assert "Sierra" in run(root, "backup", kept, "--list").output


def test_what_a_killed_backup_left_is_removed_a_day_later(root: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "kept/.iop4d-backup-x", tmp_path / "kept/.iop4d-backup-y"
    part = tmp_path / "kept/.iop4d-Sierra-20200101T000000Z.tar.gz.7.part"
    for path in (old, new):
        path.mkdir(parents=True)
        (path / "iop4d.db").write_text("half")
    part.write_text("half")
    for path in (old, part):
        os.utime(path, (1.7e9 - 1e5, 1.7e9 - 1e5))
    os.utime(new, (1.7e9 - 60, 1.7e9 - 60))
    backup.make(load_site(root), tmp_path / "kept", now=1.7e9)
    assert (old.exists(), part.exists(), new.exists()) == (False, False, True)


def test_a_backup_is_of_one_moment_while_others_write(root: Path, tmp_path: Path) -> None:
    site, stop = load_site(root), threading.Event()
    wrote = []

    def write() -> None:
        database = Database(site.database)
        while not stop.is_set():
            with database.write() as tx:  # both or neither
                for name in ("one", "other"):
                    tx.create(Audit, at=1.0, by=name, act="a", subject="s")
            wrote.append(1)
        database.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(wrote) < 5:
            pass
        made = [backup.make(site, tmp_path / f"{n}.tar.gz") for n in range(3)]
    finally:
        stop.set()
        writer.join()
    assert len(wrote) > 5  # nobody waited
    counts = [check(one.path).rows["audit"] for one in made]
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)


def test_a_secret_that_is_also_a_name_is_left_out_where_it_is_one_alone() -> None:
    text = ('[site]\nname = "osn"\n[[channel]]\nname = "osn"\nkind = "own"\n'
            "settings = { token = 'osn', host = \"osn.example.org\" }\n")
    without, where = without_secrets(text)
    assert without == text.replace("token = 'osn'", "token = 'LEFT-OUT-OF-THE-BACKUP'")
    assert len(where) == 1
