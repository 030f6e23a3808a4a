"""Mail through postfix: TLS and login, sizes, refused recipients, a server killed amid mails."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.alerts.channels.base import Notice, SendError
from iop4d.alerts.channels.email import EmailChannel
from iop4d.store import outbox
from iop4d.store.schema import Outbox
from tests.alerts.bench import channel, rule, site_of
from tests.alerts.posting import Post, post
from tests.conftest import FakeClock
from tests.support.certificates import certificate
from tests.support.real_mail_server import PASSWORD, USER, Postfix, running_postfix
from tests.support.rows import rows

pytestmark = pytest.mark.realserver

ANA = "ana@example.org"
PICTURED = Notice(
    id="<1@example.org>", kind="alert", subject="Firing: BL Lac R = 12.87 ± 0.02",
    text="R = 12.87 ± 0.02", at=1.7e9, html='<p>R = 12.87 ± 0.02</p><img src="cid:a@iop4d" alt="">',
    pictures={"a@iop4d": bytes(range(256)) * 200})


@pytest.fixture
def posts() -> Iterator[list[Post]]:
    made: list[Post] = []
    yield made
    for one in made:
        one.close()


def send(server: Postfix, root: Path, more: str = "", *, to: str = ANA, tls: str = "none",
         ) -> SendError | None:
    """Send a mail with a picture; the error, if there is one."""
    port = server.tls_port if tls == "tls" else server.port
    site = site_of(root, channel(port=port, more=f'host = "127.0.0.1"\ntls = "{tls}"\n{more}'))
    try:
        asyncio.run(EmailChannel(site.channel[0], timeout=10.0).send(PICTURED, to))
    except SendError as error:
        return error
    return None


def test_a_login_goes_to_a_server_of_the_institute_s_authority_alone(place: Path) -> None:
    certificate(place)
    (place / "password").write_text(f"{PASSWORD}\n")
    (place / "wrong").write_text("wrong\n")
    trusted = f'ca_file = "{place / "cert.pem"}"\nuser = "{USER}"\n'
    with running_postfix(cert=place / "cert.pem", key=place / "key.pem") as server:
        for tls in ("starttls", "tls"):
            error = send(server, place, f'user = "{USER}"\npassword_file = "password"', tls=tls)
            assert error is not None
            assert "certificate verify failed" in error.reason
            error = send(server, place, trusted + 'password_file = "wrong"', tls=tls)
            assert error is not None
            assert (error.permanent, error.channel_down) == (False, True)
            assert "answered 535 5.7.8" in error.reason
            error = send(server, place, trusted + 'password_file = "password"', tls=tls)
            assert error is None, error
        mails = server.wait_for("ana", 2)
    assert [mail["Subject"] for mail in mails] == [PICTURED.subject] * 2
    assert [part.get_content_type() for part in mails[0].walk() if not part.is_multipart()] == [
        "text/plain", "text/html", "image/png"]


def test_a_server_without_tls_gets_no_password(place: Path) -> None:
    (place / "password").write_text(PASSWORD)
    with running_postfix() as server:
        error = send(server, place, f'user = "{USER}"\npassword_file = "password"', tls="starttls")
        assert error is not None
        assert (error.permanent, error.channel_down) == (False, True)
        assert server.mails("ana") == []
        assert PASSWORD not in server.log()


@pytest.mark.parametrize("told", [True, False])
def test_a_mail_above_the_size_limit_arrives_without_its_picture(
        place: Path, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    more = () if told else ("smtpd_discard_ehlo_keywords = size",)
    with running_postfix("message_size_limit = 20000", *more) as server:
        assert send(server, place) is None
        (mail,) = server.wait_for("ana", 1)
    assert ("552 5.3.4" in caplog.text) is not told
    parts = [part for part in mail.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert "R = 12.87 ± 0.02" in parts[0].get_content()
    assert "left out: the mail server refuses mails of that size" in parts[0].get_content()


def test_one_refused_recipient_keeps_no_mail_from_the_others(
        place: Path, posts: list[Post], clock: FakeClock) -> None:
    with running_postfix() as server:
        to = '["ana@example.org", "eve@example.org", "x@elsewhere.org", "ben@example.org"]'
        it = post(posts, place, clock, rule(), channel(
            port=server.port, to=to, more='host = "127.0.0.1"'))
        it.fire()
        assert it.send() == 2
        assert len(server.wait_for("ana", 1)) == len(server.wait_for("ben", 1)) == 1
    found = {m.recipient: (m.state, m.last_error) for m in rows(it.night.database, Outbox)}
    assert found["ana@example.org"] == found["ben@example.org"] == ("sent", "")
    assert found["eve@example.org"][0] == "failed"
    assert "550 5.1.1" in found["eve@example.org"][1]
    assert found["x@elsewhere.org"][0] == "queued"  # a relay can be allowed
    assert "Relay access denied" in found["x@elsewhere.org"][1]


def test_nothing_is_lost_and_nothing_double_but_by_its_id_when_the_server_is_killed(
        place: Path, posts: list[Post], clock: FakeClock) -> None:
    count, dice = 40, random.Random(1)
    with running_postfix() as server:
        it = post(posts, place, clock, "max_per_10min = 1000\n", rule(),
                  channel(port=server.port, more='host = "127.0.0.1"'))
        with it.night.database.write() as tx:
            for n in range(count):
                outbox.queue(tx, dedup_key=str(n), channel="team", recipient=ANA,
                             message_id=f"<{n}@example.org>", created_at=clock.now,
                             content={"kind": "test", "subject": f"mail {n}", "text": f"text {n}"})
        kills = 0
        for _ in range(100):
            killer = threading.Thread(target=lambda: (time.sleep(dice.uniform(0.02, 0.3)),
                                                      server.kill()))
            killer.start()
            it.send()
            killer.join()
            kills += 1
            server.start()
            clock.advance(3600.0)
            if {state for state, _, _ in it.states()} == {"sent"}:
                break
        found = server.wait_for("ana", count)
        time.sleep(0.5)
        found = server.mails("ana")
    assert kills >= 3
    assert {state for state, _, _ in it.states()} == {"sent"}
    copies = Counter(str(mail["Message-ID"]) for mail in found)
    assert set(copies) == {f"<{n}@example.org>" for n in range(count)}
    for id_ in copies:
        assert len({mail.get_content() for mail in found if mail["Message-ID"] == id_}) == 1
    assert sum(copies.values()) - count <= kills  # at most the one mail that was under way
