"""Postfix, unpacked by ``make real-servers``, with a queue, a configuration and a port of its own.

Its master starts as root alone and gives its rights up to two accounts, so that it runs where the
tests do as root (as in a container); others are told so. Mails arrive as files in folders.
"""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import grp
import os
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.real_servers import free_port, is_required, unpacked

USER, PASSWORD = "iop4d", "geheim#1"
DOMAIN = "example.org"
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved",
           "trace", "private")
_OWNER, _GROUP = "mail", "games"  # accounts that every Debian has and nothing else here uses
_PATIENCE = 15.0  # seconds
_MASTER = """
{port} inet n - n - - smtpd
{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
"""


@dataclass(kw_only=True)
class Postfix:
    """A server, or how one is to be set up: it can be killed and started again.

    ``options``: more lines of main.cf; ``cert`` and ``key``: for TLS, without which it offers
    none. ``boxes``: whose mail it takes.
    """

    folder: Path
    port: int
    tls_port: int
    boxes: tuple[str, ...]
    programs: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "queue" / "pid" / "master.pid").unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "master"), "-d", "-c", str(self.folder / "etc")], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)
        ends = time.monotonic() + _PATIENCE
        while time.monotonic() < ends and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(
                    ("127.0.0.1", self.port), 2.0) as line:
                if line.recv(3) == b"220":
                    return
            time.sleep(0.05)
        raise AssertionError(f"postfix does not answer: {self.log()[-3000:]}")

    def kill(self) -> None:
        """Kill it with all that it started, as a power cut would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def mails(self, box: str) -> list[EmailMessage]:
        """What has arrived for an address."""
        name = box.partition("@")[0]
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in sorted((self.folder / "boxes" / name / "new").glob("*"))]

    def wait_for(self, box: str, count: int) -> list[EmailMessage]:
        """The mails of an address once there are so many."""
        ends = time.monotonic() + _PATIENCE
        while len(found := self.mails(box)) < count and time.monotonic() < ends:
            time.sleep(0.05)
        return found

    def log(self) -> str:
        """What it logged."""
        return "".join(path.read_text(errors="replace") for path in (
            self.folder / "server.log", self.folder / "log") if path.exists())


@contextmanager
def running_postfix(*options: str, cert: Path | None = None, key: Path | None = None,
                    boxes: tuple[str, ...] = ("ana", "ben")) -> Iterator[Postfix]:
    """A server that takes mail of some people at example.org; removed at the end."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="iop4d-postfix-"))
    folder.chmod(0o755)
    with _checking_passwords() as checker:
        server = _set_up(folder, programs, boxes, [
            *options, *_tls_lines(cert, key), f"smtpd_sasl_path = inet:127.0.0.1:{checker}"])
        try:
            server.start()
            yield server
        finally:
            server.kill()
            shutil.rmtree(folder)


def _programs() -> Path:
    """Where its programs are; skips the test, or fails it, where it cannot run."""
    found = next((place for place in (unpacked() / "usr/lib/postfix/sbin",
                                      Path("/usr/lib/postfix/sbin"))
                  if (place / "master").is_file()), None)
    why = ("postfix is not here: `make real-servers` unpacks it" if found is None else
           "postfix starts as root alone: run this test as root" if os.geteuid() else "")
    if found is None or why:
        if is_required() and found is None:
            pytest.fail(why)
        pytest.skip(why)
    return found


def _set_up(folder: Path, programs: Path, boxes: tuple[str, ...], more: list[str]) -> Postfix:
    for name in ("etc", "boxes", "queue", "data"):
        (folder / name).mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(folder / "boxes", nobody.pw_uid, nobody.pw_gid)
    owner, group = pwd.getpwnam(_OWNER).pw_uid, grp.getgrnam(_GROUP).gr_gid
    os.chown(folder / "data", owner, -1)
    for name in _QUEUES:
        (folder / "queue" / name).mkdir(mode=0o700)
        os.chown(folder / "queue" / name, owner, -1)
    (folder / "queue" / "pid").mkdir()
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (folder / "queue" / name).mkdir()
        os.chown(folder / "queue" / name, owner, group)
        (folder / "queue" / name).chmod(mode)
    libraries = ":".join(str(unpacked() / part) for part in (
        "usr/lib/postfix", "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    port, tls_port = free_port(), free_port()
    (folder / "etc" / "boxes").write_text(
        "".join(f"{name}@{DOMAIN} {name}/\n" for name in boxes), encoding="utf-8")
    (folder / "etc" / "main.cf").write_text("\n".join([
        "compatibility_level = 3.6", f"queue_directory = {folder / 'queue'}",
        f"data_directory = {folder / 'data'}", f"daemon_directory = {programs}",
        f"command_directory = {programs.parents[2] / 'sbin'}", f"mail_owner = {_OWNER}",
        f"setgid_group = {_GROUP}", "inet_interfaces = 127.0.0.1", "inet_protocols = ipv4",
        f"myhostname = mx.{DOMAIN}", "mydestination =", "alias_maps =", "local_recipient_maps =",
        f"virtual_mailbox_domains = {DOMAIN}", f"virtual_mailbox_base = {folder / 'boxes'}",
        f"virtual_mailbox_maps = texthash:{folder / 'etc' / 'boxes'}",
        f"virtual_uid_maps = static:{nobody.pw_uid}", f"virtual_gid_maps = static:{nobody.pw_gid}",
        f"maillog_file = {folder / 'log'}", f"maillog_file_prefixes = {folder}",
        f"import_environment = MAIL_CONFIG TZ LD_LIBRARY_PATH={libraries}",
        "smtpd_sasl_type = dovecot", "smtpd_tls_auth_only = yes", "smtpd_recipient_restrictions =",
        "smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination",
        "smtpd_peername_lookup = no", "meta_directory = " + str(folder / "etc"),
        "shlib_directory = no", *more, ""]), encoding="utf-8")
    (folder / "etc" / "dynamicmaps.cf").touch()
    (folder / "etc" / "master.cf").write_text(
        _MASTER.format(port=f"127.0.0.1:{port}", tls_port=f"127.0.0.1:{tls_port}"),
        encoding="utf-8")
    return Postfix(folder=folder, port=port, tls_port=tls_port, boxes=boxes, programs=programs,
                   environment=dict(os.environ) | {"LD_LIBRARY_PATH": libraries})


def _tls_lines(cert: Path | None, key: Path | None) -> list[str]:
    if cert is None or key is None:
        return ["smtpd_tls_security_level = none"]
    return ["smtpd_tls_security_level = may", f"smtpd_tls_cert_file = {cert}",
            f"smtpd_tls_key_file = {key}", "smtpd_sasl_auth_enable = yes"]


class _Checker(socketserver.StreamRequestHandler):
    """The part of Dovecot that postfix asks whether a password is right (its auth protocol 1.1)."""

    def handle(self) -> None:
        self.wfile.write(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
                         b"SPID\t1\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")
        for line in self.rfile:
            word, *fields = line.decode().rstrip("\n").split("\t")
            if word != "AUTH":
                continue
            given = next((f[5:] for f in fields if f.startswith("resp=")), "")
            right = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
            answer = f"OK\t{fields[0]}\tuser={USER}" if given == right else f"FAIL\t{fields[0]}"
            self.wfile.write(answer.encode() + b"\n")


@contextmanager
def _checking_passwords() -> Iterator[int]:
    """Answers whether passwords are right; the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Checker) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, name="passwords")
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
