"""A site under trial: its daemon, its mail server, what was put into it, and what came of it."""

from __future__ import annotations

import contextlib
import email
import hashlib
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from iop4d.simulator.night import NightPlan
from iop4d.simulator.servers import Mailbox, free_port
from iop4d.simulator.service import Observer, Service
from iop4d.store.flagging import set_flag
from iop4d.store.schema import Alert, Frame, Result
from tests.support import invariants, real_servers
from tests.support.certificates import certificate
from tests.support.daemon_under_test import WORKER
from tests.support.invariants import Remembered
from tests.support.postgresql import PostgresServer
from tests.support.rows import rows
from tests.support.sites import (
    ALERTS,
    SECRET,
    differences,
    drop,
    is_quiet,
    make_site,
    make_stub_site,
    results_of,
)
from tests.support.stores import database_of, has_database

DAEMON = "tests.support.daemon_under_test"
STUB_WORKER = "tests.support.stub_worker"
_REMOTE_BYTES = 300_000  # of a file that comes from a server
_RATE_KB = 1500  # a second
_MARK = "looked-at"  # the flag that is set by hand on quiet sources


class TrialError(Exception):
    """The daemon did what it never may, or did not come to an end."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a trial ended."""

    rows: dict[tuple[str, str], dict[str, str]]
    frames: Counter[str]
    mails: Counter[str]  # by Message-ID
    alerts: set[tuple[str, str, str, int]]  # rule, source, band, episode
    letters: int  # rows of the outbox's letters
    kills: int
    server_kills: int
    wrong: list[str] = field(default_factory=list)  # invariants that did not hold

    @property
    def repeated(self) -> int:
        """Mails that came more than once."""
        return sum(self.mails.values()) - len(self.mails)


class Trial:
    """One site and its daemon. ``raw`` is where files are dropped."""

    def __init__(self, site: Path, raw: Path, mailbox: Mailbox,
                 environ: Mapping[str, str]) -> None:
        self.site, self.raw, self.mailbox = site, raw, mailbox
        self.server: PostgresServer | None = None  # what is killed besides, where there is one
        self.server_kills = 0
        self.kills = 0
        self.wrong: list[str] = []
        self._dropped: dict[Path, str] = {}
        self._remembered = Remembered()
        self.service = Service(site, "run", module=DAEMON, environ=environ)
        self.observer = Observer(site)

    def put(self, path: Path) -> None:
        """A file comes."""
        there = drop(path, self.raw)
        self._dropped[there] = hashlib.sha256(path.read_bytes()).hexdigest()

    def kill(self) -> None:
        """Kill the daemon; then everything must be in order, whatever it was doing."""
        self.service.kill()
        self.kills += 1
        self.start_server()
        self.check()

    def kill_server(self) -> None:
        """Kill the database server, with all that it was doing."""
        assert self.server is not None
        self.server.kill()
        self.server_kills += 1

    def start_server(self) -> None:
        """Have the database server run again, if it was killed."""
        if self.server is not None and not self.server.runs:
            self.server.start()

    def check(self, *, settled: bool = False) -> None:
        """Add what is wrong to ``wrong``. Call while no daemon runs."""
        if not has_database(self.site):
            return
        self.wrong += invariants.violations(
            self.site, expected_files=self._dropped if settled else (),
            raw_sha256=self._dropped if settled else self._here(), remembered=self._remembered,
            daemon_pid=self.service.process.pid, secrets=(SECRET,), mails=self.mails(),
            mailbox=self.mailbox.folder, kills=self.kills, settled=settled)
        self._remembered = invariants.remember(self.site)

    def _here(self) -> Mapping[Path, str]:
        """Of the files that came, those that must be here by now."""
        return self._dropped

    def mark_one(self, rng: random.Random) -> None:
        """Somebody flags a result of a source that no rule waits for. Call without a daemon."""
        database = database_of(self.site)
        with contextlib.closing(database), database.write() as tx:
            ids = [row.id for row in rows(database, Result)
                   if is_quiet(row.source)]
            if ids:
                set_flag(tx, [rng.choice(ids)], _MARK, note="", by="a person", now=time.time())
        self._remembered = invariants.remember(self.site)

    def mails(self) -> Counter[str]:
        """What has arrived, by Message-ID."""
        messages = [email.message_from_bytes(p.read_bytes()) for p in self.mailbox.messages()]
        return Counter(str(message["Message-ID"]) for message in messages)

    def settle(self, frames: int, *, seconds: float = 300.0) -> None:
        """Wait until all is done and told; raises TrialError when that does not come."""
        if not self.observer.wait(frames, seconds=seconds, service=self.service):
            raise TrialError(f"no end: {self.observer.status()}\n{self.service.log()[-3000:]}")
        deadline = time.monotonic() + 60.0
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _is_busy(self) -> bool:
        """Whether mails wait, or the daemon has only begun and cannot be stopped in good order."""
        state = self.observer.status()
        ready = state["daemon"].get("pid") == self.service.process.pid
        return bool(state["mails"].get("queued")) or not ready

    def end(self) -> Ended:
        """Stop the daemon and tell what came of it all."""
        if code := self.service.stop():
            raise TrialError(f"the daemon ended with {code}:\n{self.service.log()[-3000:]}")
        self.check(settled=True)
        database = database_of(self.site, read_only=True)
        states = Counter(f"{row.name} {row.state}" for row in rows(database, Frame))
        alerts = {(a.rule, a.source, a.band, a.episode) for a in rows(
            database, Alert, Alert.state.not_in(("pending", "inactive")))}
        letters = sum(self.observer.status()["mails"].values())
        results = results_of(self.site)
        for row in results.values():
            row["flags"] = ";".join(f for f in row["flags"].split(";") if f != _MARK)
        return Ended(rows=results, frames=states, kills=self.kills, server_kills=self.server_kills,
                     mails=self.mails(),
                     alerts=alerts, letters=letters, wrong=self.wrong)

    def close(self) -> None:
        """End whatever still runs."""
        self.service.kill()
        self.mailbox.stop()


def true_trial(folder: Path, plan: NightPlan) -> Trial:
    """A daemon with its true workers, on a site for simulated frames."""
    mailbox = _mailbox(folder)
    site = make_site(folder / "site", plan, more=ALERTS.format(
        port=mailbox.port, to=["observer@example.org"]))
    return Trial(site, site / "raw" / plan.night, mailbox, {})


def stub_trial(folder: Path, frames: int, environ: Mapping[str, str] | None = None) -> Trial:
    """A daemon with stub workers, on a site for a corpus of so many files."""
    mailbox = _mailbox(folder)
    site = make_stub_site(folder / "site", frames, port=mailbox.port, dead=free_port())
    return Trial(site, site / "raw", mailbox, {WORKER: STUB_WORKER, **(environ or {})})


class RemoteTrial(Trial):
    """One whose files come from a server that other people wrote: ``proftpd`` over TLS, ``sshd``.

    They are so large that most kills find one half-way.
    """

    def __init__(self, folder: Path, frames: int, server: str) -> None:
        self._stack = contextlib.ExitStack()
        tonight = (datetime.now(tz=UTC) - timedelta(hours=12)).date()
        self._served = folder / "served" / f"{tonight:%Y%m%d}"
        self._served.mkdir(parents=True)
        archive = self._served_by(server, folder)
        mailbox = _mailbox(folder)
        site = make_stub_site(folder / "site", frames, port=mailbox.port, dead=free_port(),
                              archive=archive)
        super().__init__(site, site / "raw" / tonight.isoformat(), mailbox, {WORKER: STUB_WORKER})

    def _served_by(self, server: str, folder: Path) -> str:
        """Start it; the section of the site file."""
        root = self._served.parent
        if server == "sshd":
            started, key, known = self._stack.enter_context(
                real_servers.running_sshd(folder / "server", root))
            kind, more = "sftp", f'key_file = "{key}"\nknown_hosts = "{known}"\n'
            night = f"{root}/{{night:%Y%m%d}}"
        else:
            certificate(folder)
            started = self._stack.enter_context(real_servers.running(
                server, folder / "server", root, real_servers.Wanted(
                    tls="explicit", cert=folder / "cert.pem", key=folder / "key.pem")))
            (folder / "archive-secret").write_text(real_servers.PASSWORD, encoding="utf-8")
            kind, night = "ftp", "/{night:%Y%m%d}"
            more = (f'password_file = "{folder / "archive-secret"}"\ntls = "explicit"\n'
                    f'ca_file = "{folder / "cert.pem"}"\n')
        return (f'[[archive]]\nname = "AndorT90"\npath = "raw"\nkind = "{kind}"\n'
                f'host = "127.0.0.1"\nport = {started.port}\nuser = "{started.user}"\n'
                f'night_folder = "{night}"\npoll_interval = 0.3\npoll_interval_day = 0.3\n'
                f"settle = 0.2\nlookback_nights = 1\nmax_kb_per_s = {_RATE_KB}.0\n{more}")

    def put(self, path: Path) -> None:
        """A file comes, with blanks behind its content."""
        content = path.read_bytes().ljust(_REMOTE_BYTES)
        hidden = self._served / f".{path.name}"
        hidden.write_bytes(content)
        hidden.rename(self._served / path.name)
        self._dropped[self.raw / path.name] = hashlib.sha256(content).hexdigest()

    def _here(self) -> Mapping[Path, str]:
        """Those that have been downloaded."""
        return {path: digest for path, digest in self._dropped.items() if path.exists()}

    def close(self) -> None:
        """End whatever still runs."""
        super().close()
        self._stack.close()


def _mailbox(folder: Path) -> Mailbox:
    mailbox = Mailbox(folder / "mailbox")
    mailbox.start()
    return mailbox


def verdict(calm: Ended, killed: Ended) -> list[str]:
    """What is wrong with a run that was killed, beside one that was not."""
    wrong = [*killed.wrong, *(f"calm: {line}" for line in calm.wrong)]
    wrong += differences(calm.rows, killed.rows)
    if calm.frames != killed.frames:
        wrong.append(f"frames: {calm.frames - killed.frames} missing, "
                     f"{killed.frames - calm.frames} more")
    if calm.alerts != killed.alerts:
        wrong.append(f"alerts: {calm.alerts ^ killed.alerts} in one run only")
    if len(killed.mails) != killed.letters or killed.letters != calm.letters:
        wrong.append(f"mails: {len(killed.mails)} of {calm.letters}")
    if killed.repeated > killed.kills:
        wrong.append(f"mails: {killed.repeated} repeats in {killed.kills} kills")
    return wrong
