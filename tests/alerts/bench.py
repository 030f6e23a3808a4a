"""What the tests of alerts share: sites with rules, written points, and mail servers."""

from __future__ import annotations

import email
import email.policy
import math
import socket
import ssl
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from iop4d.alerts.engine import AlertEngine
from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Database, Transaction
from iop4d.store.flagging import clear_flag, set_flag
from iop4d.store.schema import Alert, Outbox, Result
from tests.conftest import FakeClock
from tests.support.rows import last, rows

JD = 2461000.5
MINUTE = 1 / 1440
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)

RULE = """
[[rule]]
name = "bright"
source = "{source}"
band = "R"
condition = "mag < 13.0"
clear = "{clear}"
confirm = {confirm}
cooldown_hours = {cooldown}
channels = ["team"]
"""
CHANNEL = """
[[channel]]
name = "{name}"
to = {to}
sender = "iop4d <iop4d@example.org>"
port = {port}
{more}
"""


def channel(name: str = "team", port: int = 25, to: str = '["ana@example.org"]',
            more: str = "") -> str:
    return CHANNEL.format(name=name, port=port, to=to, more=more)


def rule(source: str = "BL Lac", clear: str = "mag > 13.2", confirm: int = 2,
         cooldown: float = 12.0) -> str:
    return RULE.format(source=source, clear=clear, confirm=confirm, cooldown=cooldown)


def changed(condition: str, more: str = "", clear: str = "") -> str:
    """The rule with another condition."""
    return rule().replace('"mag < 13.0"', f'"{condition}"').replace(
        '"mag > 13.2"', f'"{clear}"') + more


#: A rule on a colour.
COLOUR = rule(confirm=1).replace('"mag < 13.0"', '"colour B-R < 0.6"').replace(
    'clear = "mag > 13.2"', "")


def site_of(root: Path, *parts: str) -> Site:
    """A site from the parts of its file; answers of servers are waited for no longer than 10 s."""
    head = '[site]\nurl = "https://iop4d.example.org/"\n[alerts]\ntimeout = 10.0\n'
    return parse_site(head + "".join(parts), root=root)


def fill_catalogue(database: Database, *more: Source) -> None:
    with database.write() as tx:
        catalogue.save(tx, [
            Source(name="BL Lac", other_names=("2200+420",), ra_deg=330.68, dec_deg=42.28,
                   kind=SourceKind.TARGET),
            Source(name="BL Lac C1", ra_deg=330.7, dec_deg=42.29, kind=SourceKind.CALIBRATOR,
                   calibrates=("BL Lac",)), *more])


def point(tx: Transaction, n: float, mag: float | None, *, source: str = "BL Lac",
          band: str = "R", flags: int = 0, err: float | None = 0.02, **more: Any) -> int:
    """Write a point ``n`` minutes after JD, or change it if it is there; its id."""
    values = {"mag": mag, "mag_err": err, "flags": flags, **more}
    key = f"{source}/{band}/{n}"
    old = tx.get(Result, Result.key == key)
    if old is not None:
        tx.update(Result, **values).where(Result.id == old.id).execute()
        return int(old.id)
    return int(tx.create(Result, **{
        "key": key, "source": source, "band": band, "telescope": "T090", "instrument": "Andor",
        "night": "2025-11-22", "mode": "photometry", "jd_mid": JD + n * MINUTE,
        "exptime_s": 60.0, "zero_point": 22.31, "zero_point_err": 0.012, "n_calibrators": 4,
        "fwhm_arcsec": 1.9, "airmass": 1.12, "frames": [f"BLLac_{n}R.fit"], "created_at": 0.0,
        "changed_at": values.get("created_at", 0.0)} | values).id)


class AtAnyTime(AlertEngine):
    """The points of tests lie after their clock, which stands still."""

    until = math.inf


class Night:
    """A database with an engine that sees points as they are committed."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        self.database = Database(site.database)
        self.clock = clock
        self.engine = AtAnyTime(site, clock)
        self.root = site.root
        self.site = site
        fill_catalogue(self.database)

    def see(self, n: float, mag: float | None, **more: Any) -> int:
        """One point, in its own transaction."""
        with self.database.write() as tx:
            id_ = point(tx, n, mag, **more)
            self.engine.on_results(tx, [id_])
        return id_

    def see_all(self, mags: Iterable[float | None], *, start: int = 0, **more: Any) -> list[int]:
        """Points one minute apart."""
        return [self.see(start + n, mag, **more) for n, mag in enumerate(mags)]

    def tend(self) -> None:
        """The look after alerts that the daemon takes now and then."""
        with self.database.write() as tx:
            self.engine.run_once(tx)

    def flag(self, result: int, name: str = "bad") -> None:
        """Somebody flags a point."""
        with self.database.write() as tx:
            set_flag(tx, [result], name, note="", by="ana", now=self.clock())

    def unflag(self, result: int, name: str = "bad") -> None:
        """Somebody removes the flag."""
        with self.database.write() as tx:
            clear_flag(tx, [result], name, note="", by="ana", now=self.clock())

    def episodes(self) -> list[tuple[str, float, float | None]]:
        """State, and minutes of firing and ending, of every episode."""
        begun = sorted(rows(self.database, Alert, Alert.state.not_in(("pending", "inactive"))),
                       key=lambda row: (row.source, row.band, row.episode))
        return [(row.state, minute(row.fired_jd),
                 None if row.resolved_jd is None else minute(row.resolved_jd)) for row in begun]

    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [row.content["kind"] for row in rows(self.database, Outbox)]

    def state(self) -> str:
        """That of the latest alert."""
        return str(last(self.database, Alert).state)


Start = Callable[..., Night]
UNIX_OF_JD = (JD - 2440587.5) * 86400.0


def minute(jd: float) -> float:
    return round((jd - JD) / MINUTE, 3)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """A real mail server that keeps what it takes; ``answers`` refuse recipients or texts."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None, *,
                 size: int | None = None) -> None:
        self.port = port or free_port()
        self.mails: list[EmailMessage] = []
        self.to: list[str] = []
        self.commands: list[str] = []
        self.rcpt: dict[str, str] = {}
        self.data: list[str] = []
        self.mail = "250 OK"
        self.logins: list[tuple[bytes, bytes]] = []
        self._once: dict[str, str] = {}
        more: dict[str, Any] = {} if size is None else {"data_size_limit": size}
        if tls is not None:
            more |= {"tls_context": tls, "require_starttls": True, "auth_required": True,
                     "authenticator": self._login}
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port,
                                      server_hostname="localhost", **more)

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def refuse_once(self, place: str, answer: str) -> None:
        """Answer the next sender or recipient so."""
        self._once[place] = answer

    def _login(self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        self.logins.append((data.login, data.password))
        return AuthResult(success=True)

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any,  # noqa: N802
                          address: str, options: list[str]) -> str:
        self.commands.append("MAIL")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._once.pop("sender", self.mail)

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any,  # noqa: N802
                          address: str, _options: list[str]) -> str:
        self.commands.append(f"RCPT {address}")
        answer = self._once.pop("recipient", "") or self.rcpt.get(address, "250 OK")
        if answer == "drop":
            server.transport.abort()
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.data.pop(0) if self.data else "250 OK"
        if answer == "drop":
            server.transport.abort()
            return "421 gone"
        if answer.startswith("250"):
            self.mails.append(email.message_from_bytes(
                envelope.original_content, policy=email.policy.default))
            self.to.extend(envelope.rcpt_tos)
        return answer
