"""``iop4d channels``: the list, and the test message that shows whether a channel works."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.alerts.channels import base as kinds
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.cli import cli
from iop4d.simulator.botserver import TOKEN, BotServer, blocked
from iop4d.store.database import Database
from iop4d.store.schema import Outbox
from tests.alerts.bench import Mailbox
from tests.alerts.channels.receiver import Receiver

SITE = """
[site]
name = "Calar"
[alerts]
timeout = 2.0
[[channel]]
name = "bot"
kind = "telegram"
to = ["7", "-5"]
token_file = "token"
api_url = "{api}"
[[channel]]
name = "hook"
kind = "webhook"
url = "{url}"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BotServer]:
    with BotServer(tmp_path / "telegram") as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: BotServer, receiver: Receiver) -> Path:
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "iop4d.toml").write_text(SITE.format(api=server.url, url=receiver.url),
                                         encoding="utf-8")
    return tmp_path


def run(site: Path, *words: str) -> tuple[int, str]:
    """Exit code and what is shown, errors as well."""
    result = CliRunner().invoke(cli, ["channels", *words, "--site", str(site)])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_a_test_message_goes_to_everybody(site: Path, server: BotServer,
                                          receiver: Receiver) -> None:
    code, said = run(site, "test")
    assert code == 0, said
    assert said.splitlines() == ["bot: 7: accepted", "bot: -5: accepted", "hook: hook: accepted"]
    assert [m["chat"] for m in server.said()] == ["7", "-5"]
    assert "test message of Calar" in server.said()[0]["text"]
    assert len(receiver.posts) == 1


def test_those_who_get_blind_copies_get_the_test_message_too(tmp_path: Path) -> None:
    with Mailbox() as box:
        (tmp_path / "iop4d.toml").write_text(
            f'[[channel]]\nname = "mail"\nhost = "127.0.0.1"\nport = {box.port}\n'
            'to = ["ana@example.org"]\nbcc = ["ben@example.org"]\n', encoding="utf-8")
        code, said = run(tmp_path, "test")
    assert code == 0, said
    assert box.to == ["ana@example.org", "ben@example.org"]


def test_a_secret_that_any_account_can_read_stands_in_the_list(site: Path) -> None:
    (site / "token").chmod(0o644)
    code, said = run(site)
    assert code == 0
    assert f"channel 'bot': any account can read the token in {site / 'token'}: chmod o-r" in said


def test_the_mail_of_a_test_is_styled_as_the_others(tmp_path: Path) -> None:
    with Mailbox() as box:
        (tmp_path / "iop4d.toml").write_text(
            f'[site]\nname = "<b>Calar"\n[[channel]]\nname = "mail"\nhost = "127.0.0.1"\n'
            f'port = {box.port}\nto = ["ana@example.org"]\n', encoding="utf-8")
        code, said = run(tmp_path, "test")
    assert code == 0, said
    (mail,) = box.mails
    assert mail["Subject"] == "Test message [<b>Calar]"
    html = mail.get_body(("html",))
    assert html is not None
    assert "prefers-color-scheme: dark" in html.get_content()
    assert "&lt;b&gt;Calar" in html.get_content()


def test_who_is_not_reached_is_told_with_the_reason(site: Path, server: BotServer) -> None:
    server.faults.append(blocked("7"))
    server.gone["-5"] = -1005
    code, said = run(site, "test", "bot")
    assert code == 1
    assert "bot: 7: not sent: 403 Forbidden: bot was blocked by the user" in said
    assert "bot: -5: not sent: the group has the new id -1005; use -1005 instead" in said
    assert TOKEN not in said


def test_a_program_reads_who_was_reached(site: Path, server: BotServer) -> None:
    server.faults.append(blocked("7"))
    code, said = run(site, "test", "--json")
    assert code == 1
    sent = json.loads(said[:said.rindex("]") + 1])
    assert [(one["recipient"], bool(one["error"])) for one in sent] == [
        ("7", True), ("-5", False), ("hook", False)]


def test_one_recipient_can_be_tried_who_is_not_in_the_site_file(site: Path,
                                                                server: BotServer) -> None:
    code, said = run(site, "test", "bot", "--to", "99")
    assert code == 0, said
    assert [m["chat"] for m in server.said()] == ["99"]


@pytest.mark.parametrize(("words", "reason"), [
    (("test", "nobody"), "no channel is named 'nobody'; there are bot, hook"),
    (("test", "--to", "99"), "name the channel by which to reach 99: bot, hook")])
def test_what_is_missing_is_said(site: Path, words: tuple[str, ...], reason: str) -> None:
    code, said = run(site, *words)
    assert code == 1
    assert reason in said


def test_the_list_shows_what_the_outbox_knows(site: Path) -> None:
    now = time.time()
    rows: list[dict[str, Any]] = [
        {"state": "sent", "sent_at": now - 7200.5}, {"state": "sent", "sent_at": now - 86400.0},
        {"state": "queued", "last_error": "old"}, {"state": "failed", "last_error": "403 blocked"},
        {"state": "queued", "channel": "gone", "last_error": "no such channel"}]
    database = Database(site / "iop4d.db")
    with database.write() as tx:
        for number, row in enumerate(rows):
            tx.create(Outbox, **{"dedup_key": str(number), "channel": "bot", "recipient": "7",
                             "message_id": "<1>", "content": {}, "created_at": now} | row)
    database.close()
    code, said = run(site)
    assert code == 0, said
    assert [line.strip() for line in said.splitlines()] == [
        "bot          telegram: 7, -5", "last sent 2 h ago, 1 waiting, 1 given up",
        "last error: 403 blocked", "hook         webhook: hook", "nothing sent"]


def test_a_site_without_channels_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    code, said = run(tmp_path)
    assert (code, "add a [[channel]]" in said) == (0, True)
    assert run(tmp_path, "test")[0] == 1


class Pigeon:
    """A channel of an installed package."""

    flown: list[tuple[str, str]] = []  # noqa: RUF012 what the test looks at

    def __init__(self, channel: Any, timeout: float) -> None:
        self.loft = channel.options["loft"]

    async def send(self, notice: Notice, recipient: str) -> None:
        if recipient == "cat":
            raise SendError("eaten", permanent=True)
        self.flown.append((self.loft, recipient))


def plug_in(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with one entry point, as pip would lay it down."""
    info = folder / "iop4d_pigeon-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iop4d-pigeon\nVersion: 1.0\n",
                                   encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{kinds.GROUP}]\npigeon = {target}\n",
                                           encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    (folder / "iop4d.toml").write_text(
        '[[channel]]\nname = "loft"\nkind = "pigeon"\nto = ["ana", "cat"]\n'
        'options = { loft = "roof" }\n', encoding="utf-8")


def test_a_kind_of_an_installed_package_is_found(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(tmp_path, "tests.cli.test_channels:Pigeon", monkeypatch)
    assert kinds.channel_kinds() == ["email", "telegram", "webhook", "apprise", "pigeon"]
    code, said = run(tmp_path, "test")
    assert code == 1
    assert said.splitlines()[:2] == ["loft: ana: accepted", "loft: cat: not sent: eaten"]
    assert Pigeon.flown == [("roof", "ana")]


@pytest.mark.parametrize(("target", "reason"), [
    ("iop4d_no_such_module:X", "cannot be loaded: ModuleNotFoundError"),
    ("math:pi", "makes a channel")])
def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str,
                                   reason: str) -> None:
    plug_in(tmp_path, target, monkeypatch)
    code, said = run(tmp_path, "test")
    assert code == 1
    assert reason in said


def test_an_unknown_kind_names_those_that_there_are(site: Path) -> None:
    code, said = run(site, "test", "-o", "channel.hook.kind=carrier")
    assert code == 1
    assert "'carrier' (kinds of iop4d itself: email, telegram, webhook, apprise)" in said


@pytest.mark.parametrize(("text", "missing"), [
    ('kind = "telegram"\nto = ["7"]', "token_file"),
    ('kind = "telegram"\ntoken_env = "T"', "to"), ('kind = "webhook"', "url"),
    ('kind = "apprise"\nto = ["a"]', "secret_file"), ('kind = "email"', "to")])
def test_the_site_file_is_refused_without_what_a_kind_needs(tmp_path: Path, text: str,
                                                            missing: str) -> None:
    (tmp_path / "iop4d.toml").write_text(f'[[channel]]\nname = "x"\n{text}\n', encoding="utf-8")
    code, said = run(tmp_path)
    assert code == 1
    assert f"line 1: [channel]: the key '{missing}' is missing" in said
