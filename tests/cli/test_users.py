"""``iop4d users``: accounts of the page, their roles, and tokens of programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.security import check_password_hash

from iop4d.cli import cli
from iop4d.config.store import place_of_url
from iop4d.store import people
from iop4d.store.database import Database
from iop4d.store.schema import ApiToken, Audit
from iop4d.store.users import password_of
from tests.support.rows import rows
from tests.support.stores import contents


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
    assert users(site).output == "ana: editor\nben: editor\n"
    with Database(site / "iop4d.db", read_only=True).read() as db:
        assert check_password_hash(password_of(db, "ben") or "", "another one")
    assert "may no longer sign in" in users(site, "remove", "ben").output
    assert users(site).output == "ana: editor\n"
    gone = users(site, "remove", "ben")
    assert gone.exit_code != 0
    assert "there is no account 'ben'" in str(gone.exception)


def test_a_short_password_is_refused(site: Path) -> None:
    refused = users(site, "add", "ana", "--password-stdin", password="short")
    assert "too short" in str(refused.exception)
    assert "There is no account" in users(site).output


def test_a_role_is_given_with_the_account_and_changed_later(site: Path) -> None:
    users(site, "add", "ana", "--role", "admin", "--password-stdin", password="correct horse")
    assert users(site, "role", "ana", "chief").exit_code == 2
    users(site, "add", "ben", "--role", "viewer", "--password-stdin", password="correct horse")
    assert users(site, "role", "ben", "observer").output == "The role of ben is observer.\n"
    assert users(site).output == "ana: admin\nben: observer\n"
    last = users(site, "role", "ana", "editor")
    assert "No admin is left" in last.output
    assert "The role of ana is editor." in last.output
    users(site, "add", "ana", "--role", "admin", "--password-stdin", password="another horse")
    assert "No admin is left" in users(site, "remove", "ana").output
    missing = users(site, "role", "ana", "admin")
    assert "there is no account 'ana'" in str(missing.exception)
    kept = [(row.act, row.subject) for row in rows(Database(site / "iop4d.db"), Audit)]
    assert kept == [("add-account", "account ana"), ("add-account", "account ben"),
                    ("role", "account ben"), ("role", "account ana"), ("password", "account ana"),
                    ("role", "account ana"), ("remove-account", "account ana")]
    assert "horse" not in json.dumps([[row.was, row.now] for row in rows(
        Database(site / "iop4d.db"), Audit)])


def test_a_token_is_shown_once_kept_as_a_digest_and_revoked(site: Path) -> None:
    users(site, "add", "ana", "--role", "observer", "--password-stdin", password="correct horse")
    sent = users(site, "token", "add", "ana", "plots", "--scope", "flag", "--expires",
                 "90d").output.strip()
    assert sent.startswith("iop4d_")
    (kept,) = rows(Database(site / "iop4d.db"), ApiToken)
    assert kept.token == people.digest(sent)
    assert all(sent.encode() not in kept for _, kept in contents(place_of_url("", site)))
    assert "ana: plots: flag, never used, expires" in users(site, "token").output
    (listed,) = json.loads(users(site, "token", "--json").output)
    assert (listed["user"], listed["name"], listed["scope"]) == ("ana", "plots", "flag")
    for words, why in ((("more", "--scope", "edit"), "may do more than ana"),
                       (("more", "--scope", "all"), "unknown scope 'all'"),
                       (("plots",), "has a token 'plots' already")):
        refused = users(site, "token", "add", "ana", *words)
        assert why in str(refused.exception), words
    assert "is revoked" in users(site, "token", "revoke", "ana", "plots").output
    assert "There is no token" in users(site, "token").output
    assert "there is: none" in str(users(site, "token", "revoke", "ana", "plots").exception)


def test_tokens_go_with_their_account(site: Path) -> None:
    users(site, "add", "ana", "--password-stdin", password="correct horse")
    users(site, "token", "add", "ana", "plots")
    users(site, "remove", "ana")
    assert rows(Database(site / "iop4d.db"), ApiToken) == []
