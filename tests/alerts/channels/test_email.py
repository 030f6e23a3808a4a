"""Mail against a real server: what it refuses is told apart, and no password goes out in clear."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest

from iop4d.alerts.channels.base import Notice, SendError, make_channels
from iop4d.alerts.channels.email import EmailChannel, write_mail
from iop4d.config.load import parse_site
from iop4d.model.errors import ConfigError
from tests.alerts.bench import Mailbox, channel, free_port, site_of


def mail() -> Notice:
    return Notice(id="<1@example.org>", kind="test", subject="hello", text="text", at=1.7e9)


def send(port: int, root: Path, more: str = "", to: str = "ana@example.org",
         host: str = "127.0.0.1", message: Notice | None = None) -> SendError | None:
    """Send a mail; the error, if there is one."""
    site = site_of(root, channel(port=port, more=f'host = "{host}"\n{more}'))
    sender = EmailChannel(site.channel[0], timeout=20.0)
    try:
        asyncio.run(sender.send(message or mail(), to))
    except SendError as error:
        return error
    return None


def test_a_mail_arrives(tmp_path: Path) -> None:
    with Mailbox() as box:
        assert send(box.port, tmp_path) is None
    assert [m["Subject"] for m in box.mails] == ["hello"]
    assert box.to == ["ana@example.org"]


@pytest.mark.parametrize("domain", ["example.org", "alerts.observatorio.example.org",
                                    "telescopes-and-alerts.observatorio-de-la-sierra.example.org"])
def test_ids_are_whole_however_long_the_domain_of_the_sender(domain: str) -> None:
    """Else a reader shows each mail of an alert by itself, and no picture."""
    id_, cid = f"<iop4d.{'0a' * 16}@{domain}>", f"light-curve.iop4d.{'0a' * 16}@{domain}"
    notice = Notice(id=id_, kind="test", subject="hello", text="text", at=1.7e9, first_id=id_,
                    html=f'<img src="cid:{cid}">', pictures={cid: b"\x89PNG"})
    sent = write_mail(notice, sender=f"iop4d <o@{domain}>", recipient="ana@example.org").as_bytes()
    headers = sent.replace(b"\r\n ", b" ").decode().split("\r\n")
    for name in ("Message-ID", "In-Reply-To", "References"):
        assert [line.split() for line in headers if line.startswith(f"{name}:")] == [
            [f"{name}:", id_]]
    assert [line.split() for line in headers if line.startswith("Content-ID:")] == [
        ["Content-ID:", f"<{cid}>"]]


@pytest.mark.parametrize(("answer", "permanent", "down"), [
    ("550 no such user", True, False),
    ("451 come back later", False, False),
    ("421 closing", False, True),
])
def test_a_refused_recipient_is_told_by_its_code(tmp_path: Path, answer: str, permanent: bool,
                                                 down: bool) -> None:
    with Mailbox() as box:
        box.rcpt["ana@example.org"] = answer
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down, error.reason) == (permanent, down, answer)
    assert box.mails == []


@pytest.mark.parametrize(("answer", "permanent", "down"), [
    ("554 spam", True, False), ("452 disk full", False, False), ("drop", False, True),
])
def test_a_refused_text_is_told_by_its_code(tmp_path: Path, answer: str, permanent: bool,
                                            down: bool) -> None:
    with Mailbox() as box:
        box.data = [answer]
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down) == (permanent, down)
    assert error.unsure is (answer == "drop")


def test_a_sender_who_is_refused_is_the_channel_s_trouble_and_loses_no_message(
        tmp_path: Path) -> None:
    with Mailbox() as box:
        box.mail = "530 5.7.0 authentication required"
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down, error.unsure) == (False, True, False)
    assert "530 5.7.0 authentication required" in error.reason


def test_a_dead_server_is_a_temporary_error_of_the_channel(tmp_path: Path) -> None:
    port = free_port()
    error = send(port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert f"127.0.0.1:{port}" in error.reason


async def answer_with(greeting: bytes, root: Path) -> SendError:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sender = EmailChannel(site_of(
            root, channel(port=port, more='host = "127.0.0.1"')).channel[0],
            timeout=20.0 if greeting else 0.1)
        with pytest.raises(SendError) as refused:
            await sender.send(mail(), "ana@example.org")
        await gone.wait()
        return refused.value


@pytest.mark.parametrize(("greeting", "reason"), [
    (b"", "did not answer in time"), (b"554 no service here\r\n", "554 no service here"),
    (b"SSH-2.0-OpenSSH\r\n", "Malformed"),
])
def test_a_server_that_is_none_keeps_the_mail_for_later(tmp_path: Path, greeting: bytes,
                                                        reason: str) -> None:
    error = asyncio.run(answer_with(greeting, tmp_path))
    assert (error.permanent, error.channel_down) == (False, True)
    assert reason in error.reason


def test_a_password_without_tls_is_refused_by_the_site_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must not cross the network in clear"):
        parse_site(channel(more='user = "u"\npassword_env = "X"'), root=tmp_path)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_without_tls_gets_neither_password_nor_mail(
        tmp_path: Path, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOP4D_TEST_PASSWORD", "secret")
    with Mailbox() as box:
        error = send(box.port, tmp_path, f'tls = "{tls}"\nuser = "u"\n'
                                         'password_env = "IOP4D_TEST_PASSWORD"')
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert "secret" not in error.reason
    assert box.commands == []
    assert box.mails == []


@pytest.mark.parametrize(("more", "reason"), [
    ('user = "u"\ntls = "starttls"', "has no password"),
    ('user = "u"\ntls = "starttls"\npassword_file = "gone"', "cannot be read"),
    ('user = "u"', "would be sent unencrypted"),
])
def test_a_login_that_cannot_be_made_keeps_the_mail_for_later(tmp_path: Path, more: str,
                                                              reason: str) -> None:
    error = send(free_port(), tmp_path, more)
    assert error is not None
    assert (error.permanent, error.channel_down) == (False, True)
    assert reason in error.reason


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that nobody has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    folder = tmp_path_factory.mktemp("tls")
    cert, private = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(private), "-out", str(cert)],
        check=True, capture_output=True)
    return cert, private


def test_with_starttls_the_password_goes_to_a_trusted_server_only(
        tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    (tmp_path / "password").write_text("secret\n")
    more = 'tls = "starttls"\nuser = "u"\npassword_file = "password"'
    with Mailbox(tls=context) as box:
        error = send(box.port, tmp_path, more, host="localhost")
        assert error is not None
        assert (error.permanent, error.channel_down) == (False, True)
        assert "certificate" in error.reason
        assert box.logins == []
        assert box.mails == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert send(box.port, tmp_path, more, host="localhost") is None
    assert box.logins == [(b"u", b"secret")]
    assert len(box.mails) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_the_authority_of_an_institute_is_trusted_by_the_key_ca_file(
        tmp_path: Path, certificate: tuple[Path, Path], tls: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    (tmp_path / "none.pem").write_text("x")
    with Mailbox(tls=context) as box:
        for name, said in (("none.pem", "without certificates"), ("gone.pem", "gone.pem")):
            error = send(box.port, tmp_path, f'tls = "{tls}"\nca_file = "{name}"', host="localhost")
            assert error is not None
            assert said in error.reason
            assert (error.permanent, error.channel_down) == (False, True)
        if tls == "starttls":  # what the test server speaks
            (tmp_path / "password").write_text("secret")
            assert send(box.port, tmp_path, f'tls = "{tls}"\nca_file = "{certificate[0]}"\n'
                        'user = "u"\npassword_file = "password"', host="localhost") is None
            assert len(box.mails) == 1


def test_an_address_that_cannot_be_one_is_given_up(tmp_path: Path) -> None:
    with Mailbox() as box:
        error = send(box.port, tmp_path, to="ana\r\nRCPT TO:<eve@example.org>")
        assert error is not None
        assert error.permanent
    assert box.mails == []


def test_a_site_has_its_channels_by_name(tmp_path: Path) -> None:
    channels = make_channels(site_of(tmp_path, channel("a"), channel("b")))
    assert list(channels) == ["a", "b"]


def test_those_who_are_told_unseen_stand_in_no_header(tmp_path: Path) -> None:
    more = 'bcc = ["boss@example.org"]\nreply_to = "team@example.org"'
    with Mailbox() as box:
        assert send(box.port, tmp_path, more, to="boss@example.org") is None
    assert box.to == ["boss@example.org"]
    assert box.mails[0]["To"] == "ana@example.org"
    assert box.mails[0]["Reply-To"] == "team@example.org"
    assert "boss" not in box.mails[0].as_string()


@pytest.mark.parametrize(("answer", "down"), [
    ("530 5.7.0 Authentication required", True), ("554 5.7.1 Relay access denied", False),
    ("550 5.7.54 Unable to relay recipient", False)])
def test_a_server_that_wants_a_login_or_does_not_pass_on_mail_can_be_mended(
        tmp_path: Path, answer: str, down: bool) -> None:
    with Mailbox() as box:
        box.rcpt["ana@example.org"] = answer
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down, error.reason) == (False, down, answer)


@pytest.mark.parametrize(("answer", "permanent", "down"), [
    ("552 5.3.4 Message size exceeds fixed limit", True, False),
    ("550 5.1.8 Sender address rejected", False, True)])
def test_a_refused_sender_is_the_channels_trouble_unless_the_mail_is_too_large(
        tmp_path: Path, answer: str, permanent: bool, down: bool) -> None:
    with Mailbox() as box:
        box.mail = answer
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down, error.unsure) == (permanent, down, False)
    assert answer in error.reason


PICTURED = Notice(
    id="<1@example.org>", kind="alert", subject="hello", text="R = 12.87", at=1.7e9,
    html='<p>R = 12.87</p><img src="cid:a@iop4d" alt="x"><p>end</p>',
    pictures={"a@iop4d": b"\x89PNG" + bytes(60_000)})


def parts_of(mail: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in mail.walk() if not part.is_multipart()]


@pytest.mark.parametrize("answer", [
    "552 5.3.4 Message size exceeds fixed limit", "523 5.3.4 too large",
    "554 5.3.4 Message too big for system", "552 5.2.3 Your message exceeded our size limits",
    "552 message size exceeds maximum", "550 5.2.3 RESOLVER.RST.RecipSizeLimit"])
@pytest.mark.parametrize("place", ["text", "recipient", "sender"])
def test_a_mail_that_is_too_large_goes_without_its_pictures(tmp_path: Path, answer: str,
                                                            place: str) -> None:
    with Mailbox() as box:
        if place == "text":
            box.data = [answer]
        else:
            box.refuse_once(place, answer)
        assert send(box.port, tmp_path, message=PICTURED) is None
    (mail,) = box.mails
    assert parts_of(mail) == ["text/plain", "text/html"]
    for part in mail.walk():
        if not part.is_multipart():
            assert "left out: the mail server refuses mails of that size" in part.get_content()
            assert "cid:" not in part.get_content()
    assert mail["Message-ID"] == PICTURED.id


@pytest.mark.parametrize(("limit", "parts"), [
    (30_000, ["text/plain", "text/html"]), (600, ["text/plain"]), (200_000, [
        "text/plain", "text/html", "image/png"]), (0, ["text/plain", "text/html", "image/png"])])
def test_a_limit_that_a_server_announces_is_kept_without_a_try(tmp_path: Path, limit: int,
                                                               parts: list[str]) -> None:
    with Mailbox(size=limit) as box:
        assert send(box.port, tmp_path, message=PICTURED) is None
    assert box.commands.count("MAIL") == 1
    assert [parts_of(mail) for mail in box.mails] == [parts]


def test_a_limit_below_any_mail_is_said_with_both_sizes(tmp_path: Path) -> None:
    with Mailbox(size=50) as box:
        error = send(box.port, tmp_path, message=PICTURED)
    assert error is not None
    assert error.permanent
    assert re.search(r"accepts mails of up to 50 bytes; this one has \d+", error.reason)
    assert box.commands == []


@pytest.mark.parametrize("answer", [
    "552 5.2.2 Mailbox full", "550 5.2.2 over quota", "554 mailbox is full",
    "552 Requested mail action aborted: exceeded storage allocation", "552 no"])
@pytest.mark.parametrize("place", ["text", "recipient"])
def test_a_full_mailbox_is_tried_again_later(tmp_path: Path, answer: str, place: str) -> None:
    with Mailbox() as box:
        box.data = [answer] * 3 if place == "text" else []
        box.rcpt = {"ana@example.org": answer} if place == "recipient" else {}
        error = send(box.port, tmp_path, message=PICTURED)
    assert error is not None
    assert (error.permanent, error.channel_down, error.reason) == (False, False, answer)


@pytest.mark.parametrize("answer", [
    "554 5.7.1 Message rejected as spam", "550 5.7.1 listed in our blocklist",
    "554 5.7.1 content rejected"])
def test_a_refusal_as_spam_is_said(tmp_path: Path, answer: str) -> None:
    with Mailbox() as box:
        box.data = [answer]
        error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.reason) == (True, f"refused as spam: {answer}")


@pytest.mark.parametrize(("where", "unsure"), [("greeting", False), ("rcpt", False),
                                               ("data", True)])
def test_only_a_mail_whose_text_was_on_its_way_may_have_arrived(tmp_path: Path, where: str,
                                                                unsure: bool) -> None:
    if where == "greeting":
        error = send(free_port(), tmp_path)
    else:
        with Mailbox() as box:
            if where == "data":
                box.data = ["drop"]
            else:
                box.rcpt["ana@example.org"] = "drop"
            error = send(box.port, tmp_path)
    assert error is not None
    assert (error.permanent, error.channel_down, error.unsure) == (False, True, unsure)
