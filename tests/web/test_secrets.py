"""No secret of a site file comes out: in no message, no page, no JSON and no log, also mistyped."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from pathlib import Path

import pytest
from httpx2 import Headers

from iop4d import config
from iop4d.alerts.channels.base import make_channels
from iop4d.alerts.channels.bot_api import Answer, BotApi, BotError
from iop4d.alerts.channels.webhook import WebhookChannel
from iop4d.config import Site
from iop4d.config.load import load_site, parse_site
from iop4d.model.errors import ConfigError
from iop4d.system.lock import SiteLock
from iop4d.web import formats
from iop4d.web.app import create_app
from tests.web.conftest import DAEMON_SAYS, enter, execute

_CHANNEL = '[[channel]]\nname = "c"\n'
#: Wrong site files, each with SECRET somewhere in it.
WRONG = {
    "a scheme": f'{_CHANNEL}kind = "webhook"\nurl = "htps://u:SECRETPW@hooks.example.org/T/SECRETX"',
    "no scheme": f'{_CHANNEL}kind = "webhook"\nurl = "u:SECRETPW@hooks.example.org/SECRETX"',
    "a proxy": f'{_CHANNEL}kind = "webhook"\nurl = "https://a.org"\nproxy = "ftp://u:SECRETPW@p"',
    "an API": f'{_CHANNEL}kind = "telegram"\ntoken_file = "t"\nto = ["1"]\napi_url = "SECRETX"',
    "a text for a list": f'{_CHANNEL}kind = "apprise"\nto = "tgram://SECRETBOT/12"',
    "an address for a tag": f'{_CHANNEL}kind = "apprise"\nsecret_env = "X"\nto = ["x://SECRETX"]',
    "a token for a chat": f'{_CHANNEL}kind = "telegram"\ntoken_env = "X"\nto = ["123456:SECRETX"]',
    "an address for a mail": f'{_CHANNEL}to = ["mailto://u:SECRETPW@example.org"]',
    "a kind": f'{_CHANNEL}kind = "tgram://SECRETBOT/12"\nurl = "x"',
    "a kind alone": f'{_CHANNEL}kind = "tgram://SECRETBOT/12"',
    "a word for a choice": f'{_CHANNEL}to = ["a@b.org"]\ntls = "SECRETPW"',
    "a text for a number": f'{_CHANNEL}to = ["a@b.org"]\nport = "SECRETPW"',
    "a number for a path": f'{_CHANNEL}to = ["a@b.org"]\npassword_file = 77345234',
    "a login in a host": f'{_CHANNEL}to = ["a@b.org"]\nhost = "u:SECRETPW@smtp.example.org"',
    "a key that is none": f'{_CHANNEL}to = ["a@b.org"]\n"123456:SECRETBOT" = true',
    "a password": f'{_CHANNEL}to = ["a@b.org"]\npassword = "SECRETPW"',
    "options": f'{_CHANNEL}kind = "pushed"\noptions = "SECRETPW"',
    "an archive": '[[archive]]\nname = "a"\nkind = "ftp"\nhost = "ftp://u:SECRETPW@ftp.example.org"',
    "an archive's port": '[[archive]]\nname = "a"\nkind = "ftp"\nhost = "h"\nport = "SECRETPW"',
    "an archive's kind": '[[archive]]\nname = "a"\nkind = "ftp://u:SECRETPW@h"',
    "an archive's folder": '[[archive]]\nname = "a"\nkind = "ftp"\nhost = "h"\n'
                           'night_folder = "ftp://u:SECRETPW@h/"',
    "a rule's channel": '[[rule]]\nname = "r"\ncondition = "mag < 13"\n'
                        'channels = ["tgram://SECRETBOT/12"]',
    "a summary's channel": '[summary]\nchannels = ["tgram://SECRETBOT/12"]',
    "a token elsewhere": '[web]\nhost = "x"\nport = "123456789:SECRETBOTSECRETBOT"',
    "twice": f'{_CHANNEL}kind = "webhook"\nurl = "https://h/SECRETX"\nurl = "https://h/SECRETY"',
    "no quotes": f'{_CHANNEL}kind = "webhook"\nurl = https://u:SECRETPW@h/x',
    "a quote missing": f'{_CHANNEL}kind = "webhook"\nurl = "https://u:SECRETPW@h/x\nto = []',
    "a section": '["https://u:SECRETPW@h"]\nx = 1',
}
_HIDDEN = ("SECRET", "77345234")


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_the_message_on_a_wrong_file_names_the_place_and_hides_the_value(text: str,
                                                                         tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_channels(parse_site(text, root=tmp_path))
    error: BaseException | None = caught.value
    said = str(error)
    assert not any(word in said for word in _HIDDEN), said
    assert "expected" in said or "no such" in said or "TOML" in said
    assert re.search(r"line \d+|channel 'c'|^iop4d\.toml: ", said), said
    while error is not None and not error.__suppress_context__:
        error = error.__cause__ or error.__context__
        assert not any(word in str(error) for word in _HIDDEN)


@pytest.mark.parametrize("override", [
    "channel.c.url=htps://u:SECRETPW@h", "channel.url=https://SECRETPW", "chanel.url=SECRETPW",
    "https://u:SECRETPW@h", "web.port=SECRETPWSECRETPWSECRETPWSECRETPW"])
def test_nor_does_an_override_of_a_command(override: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_site(f'{_CHANNEL}kind = "webhook"\nurl = "https://h"', root=tmp_path,
                   overrides=[override])
    assert "SECRET" not in str(caught.value)


def test_values_that_are_no_secret_are_shown(tmp_path: Path) -> None:
    for text, shown in (('[web]\nport = 99999', "web.port is 99999"),
                        ('[web]\nallow_retry = "some"', "web.allow_retry is 'some'"),
                        (f'{_CHANNEL}to = ["a@b.org"]\nport = 99999', "channel.port is 99999"),
                        ('[[archive]]\nname = "a"\nkind = "ftpp"', "did you mean|ftp")):
        with pytest.raises(ConfigError, match=shown):
            parse_site(text, root=tmp_path)


def test_outsiders_read_the_line_and_the_key_and_who_is_signed_in_the_message(
        own: Site, caplog: pytest.LogCaptureFixture) -> None:
    file = own.root / "iop4d.toml"
    file.write_text("")
    app = create_app(load_site(own.root), lambda: load_site(own.root))
    outsider, ana = app.test_client(), app.test_client()
    enter(ana)
    with caplog.at_level(logging.DEBUG):
        for text in WRONG.values():
            file.write_text(text + "\n# " + "x" * len(caplog.records))
            for client in (outsider, ana):
                for path in ("/alerts", "/system", "/fragments/system/wrong", "/api/status",
                             "/nothing"):
                    said = client.get(path).text
                    assert not any(word in said for word in _HIDDEN), text
    file.write_text(WRONG["a scheme"])
    assert "iop4d.toml, line 4: channel.url. Sign in to read why." in outsider.get("/system").text
    assert "expected" not in outsider.get("/system").text
    assert "expected an address such as" in ana.get("/system").text
    assert "SECRET" not in caplog.text


def test_a_server_that_repeats_the_address_of_a_webhook_gives_nothing_away() -> None:
    channel = WebhookChannel(config.WebhookChannel(
        name="c", url="https://u:SECRETPW@h.org/T0/SECRETX?key=SECRETQ"), 1.0)
    body = b"Cannot POST /T0/SECRETX?key=SECRETQ of u:SECRETPW"
    for status in (401, 404, 500):
        error = channel._refusal("h.org", Answer(status=status, headers=Headers(), body=body))
        assert "SECRET" not in str(error)
        assert "Cannot POST" in str(error)


def test_a_bot_whose_address_holds_a_login_gives_nothing_away() -> None:
    bot = BotApi("1234567:SECRETBOTTOKEN", base="http://u:SECRETPW@127.0.0.1:1/x", timeout=2.0)
    with pytest.raises(BotError) as caught:
        asyncio.run(bot.get_me())
    assert "SECRET" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


def test_what_the_daemon_says_of_a_wrong_file_is_for_who_is_signed_in(own: Site) -> None:
    execute(own, DAEMON_SAYS, json.dumps({
        "beat_at": time.time() + 60, "state": "running", "config_error":
        "/data/site/iop4d.toml, line 7: web.port is 'x'; expected more",
        "wrong_rules": [{"name": "bright", "why": "PRIVATE"}]}))
    lock = SiteLock(own.lock)
    try:
        client = create_app(own).test_client()
        for path in ("/system", "/api/status"):
            said = client.get(path).text
            assert "iop4d.toml, line 7: web.port" in said
            assert "/data/site" not in said
            assert "expected more" not in said
            assert "PRIVATE" not in said
        enter(client)
        assert "expected more" in client.get("/system").text
        assert "PRIVATE" in client.get("/api/status").text
    finally:
        lock.close()


@pytest.mark.parametrize(("message", "place"), [
    ("/a b/iop4d.toml, line 3: channel.url: expected x", "iop4d.toml, line 3: channel.url"),
    ("/a/iop4d.toml, line 3: [rule]: no such", "iop4d.toml, line 3: [rule]"),
    ("/a/iop4d.toml: not valid TOML: Expected (at line 3, column 1)", "iop4d.toml"),
    ("/a/iop4d.toml: [channel]: expected", "iop4d.toml: [channel]"),
    ("[[rule]] 'x': there is no tag", "the site file"), ("anything SECRET", "the site file")])
def test_the_place_of_a_message(message: str, place: str) -> None:
    assert formats.place(message) == place


