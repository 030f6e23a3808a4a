"""Doctor asks the servers of channels as for a message: what they refuse is named, none is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from iop4d.operations.doctor.findings import Level
from tests.alerts.bench import Mailbox
from tests.operations.sound_site import Lab
from tests.support.certificates import certificate


def test_the_mail_server_is_signed_in_to_and_gets_no_mail(lab: Lab, mailbox: Mailbox) -> None:
    assert lab.bad() == []
    assert mailbox.logins == [(b"u", b"canary")]
    assert mailbox.commands == []


def test_a_mail_server_without_starttls_is_named(lab: Lab) -> None:
    with Mailbox() as plain:
        text = (lab.root / "iop4d.toml").read_text()
        port = text.partition("port = ")[2].partition("\n")[0]
        lab.write_site(text.replace(f"port = {port}", f"port = {plain.port}"))
        (found,) = lab.only("channels")
    assert found.level is Level.FAULT
    assert found.what.startswith("mail: no message gets out: ")
    assert "STARTTLS" in found.what


def test_a_mail_server_whose_certificate_nobody_trusts_is_named(lab: Lab) -> None:
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site("\n".join(line for line in text.splitlines() if "ca_file" not in line))
    (found,) = lab.only("channels")
    assert "certificate" in found.what


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[tuple[int, list[str]]]:
    """A web server with a certificate of its own; its port, and what was asked of it."""
    folder, asked = tmp_path / "web", list[str]()
    folder.mkdir()

    class Handler(BaseHTTPRequestHandler):
        def parse_request(self) -> bool:
            asked.append(str(self.raw_requestline))
            return False

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = certificate(folder).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_whose_certificate_is_not_trusted_is_named_and_gets_nothing(
        lab: Lab, webhook: tuple[int, list[str]]) -> None:
    port, asked = webhook
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site(text.replace("[[rule]]", '[[channel]]\nname = "hook"\nkind = "webhook"\n'
                                f'url = "https://127.0.0.1:{port}/secret-path"\n[[rule]]'))
    (found,) = lab.only("channels")
    assert found.what.startswith("hook: no message gets out: 127.0.0.1")
    assert "certificate" in found.what
    assert "secret-path" not in found.what
    assert asked == []


def test_a_bot_whose_token_is_refused_is_named(lab: Lab) -> None:
    token = lab.root / "token"
    token.write_text("not a token")
    token.chmod(0o600)
    text = (lab.root / "iop4d.toml").read_text()
    lab.write_site(text.replace("[[rule]]", '[[channel]]\nname = "bot"\nkind = "telegram"\n'
                                'to = ["-1"]\ntoken_file = "token"\n[[rule]]'))
    (found,) = lab.only("channels")
    assert "bot: no message gets out: " in found.what
    assert "token" in found.what
