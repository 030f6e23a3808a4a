"""``iop4d users``: accounts of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.security import check_password_hash

from iop4d.cli import cli
from iop4d.store.database import Database
from iop4d.store.users import password_of


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    Database(tmp_path / "iop4d.db").close()
    return tmp_path


def users(site: Path, *words: str, password: str = "") -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), "users", *words],
                              input=f"{password}\n" if password else None)


def test_accounts_are_created_listed_changed_and_removed(site: Path) -> None:
    assert "There is no account" in users(site).output
    for name, password in (
            ("ben", "a long word"), ("ana", "correct horse"), ("ben", "another one")):
        assert users(site, "add", name, "--password-stdin", password=password).exit_code == 0
    assert users(site).output == "ana\nben\n"
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert check_password_hash(password_of(db, "ben") or "", "another one")
    assert "may no longer sign in" in users(site, "remove", "ben").output
    assert users(site).output == "ana\n"
    gone = users(site, "remove", "ben")
    assert gone.exit_code != 0
    assert "there is no account 'ben'" in str(gone.exception)


def test_a_short_password_is_refused(site: Path) -> None:
    refused = users(site, "add", "ana", "--password-stdin", password="short")
    assert "too short" in str(refused.exception)
    assert "There is no account" in users(site).output
