"""What alerts are worth: ``make bench-alerts``. False and missed flares, storms, delays, kills.

Everything runs through the rules, the outbox and the relay that the daemon uses; only the kills
start daemons of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import math
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from iop4d.alerts.channels.base import Notice
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.quantities import Past, PointSeries, derived
from iop4d.alerts.relay import Plot, Relay
from iop4d.alerts.rules import CompiledRule, History, RulePoint, compile_rule, judge
from iop4d.config import Rule
from iop4d.config.load import parse_site
from iop4d.ledger.engines.local import LocalProcesses
from iop4d.ledger.engines.process import rss_mb
from iop4d.model.messages import Done, PlotRequest, Plotted
from iop4d.model.source import Source, SourceKind
from iop4d.model.states import AlertState
from iop4d.reduction.context import WorkerContext
from iop4d.simulator.servers import Mailbox
from iop4d.store import catalogue
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Outbox, Result
from tests.bench import alert_month
from tests.bench.killing import random_kills
from tests.support.inline_database import InlineDatabase
from tests.support.rows import rows

_JD = 2461000.5
_DAY = 86400.0
_JD_EPOCH = 2440587.5
_POINTS = 10  # of a night
_TAIL, _WIDE = 0.01, 4.0  # share of points whose errors are really so many times larger
FLARE = Rule(name="any flare", condition="change mag < -5 sigma", confirm=2,
             confirm_within_hours=6.0, cooldown_hours=12.0, channels=())


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the table: what was measured, what came of it, what was wanted, and whether."""

    what: str
    reached: str
    wanted: str
    holds: bool


# False alarms and missed flares.


def noise(rng: random.Random, nights: int, error: float, flares: dict[int, float]) -> PointSeries:
    """A source of constant magnitude with heavy-tailed noise; ``flares``: night to its change."""
    jd, night, value = [], [], []
    for n in range(nights):
        for k in range(_POINTS):
            wide = _WIDE if rng.random() < _TAIL else 1.0
            jd.append(_JD + n + k * 0.02)
            night.append(f"{n:05d}")
            value.append(14.0 + flares.get(n, 0.0) + rng.gauss(0.0, error * wide))
    return PointSeries(ids=range(len(jd)), jd=jd, night=night, value=value, error=[error] * len(jd))


def episodes(watch: CompiledRule, series: PointSeries) -> list[float]:
    """JD at which a rule fires in a series."""
    past = Past.of(watch.rule, watch.condition.quantity)
    values = derived(watch.condition, series, past, since=-math.inf)
    points = [RulePoint(id=i, jd=jd, value=value)
              for i, jd, value in zip(series.ids, series.jd, values, strict=True)]
    return [edge.jd for edge in judge(watch, History(), points, since=-math.inf)
            if edge.state is AlertState.FIRING]


def false_and_missed(sources: int, nights: int, flares: int) -> Iterator[Line]:
    """Noise alone, then flares of half a magnitude in it."""
    rng, watch = random.Random(11), compile_rule(FLARE)
    errors = [rng.uniform(0.005, 0.05) for _ in range(sources)]
    false = sum(len(episodes(watch, noise(rng, nights, error, {}))) for error in errors)
    points = sources * nights * _POINTS
    yield Line(what=f"false flares in {points:,} points of noise alone", reached=str(false),
               wanted="at most 1 in 150,000", holds=false <= points // 150_000)
    found = 0
    for number in range(flares):
        error = rng.uniform(0.005, 0.05)
        at = rng.randrange(20, 40)
        fired = episodes(watch, noise(rng, 42, error, {at: -0.5}))
        found += any(math.floor(jd - _JD) == at for jd in fired)
        _progress(f"flare {number + 1} of {flares}")
    yield Line(what=f"flares of 0.5 mag found, of {flares}, errors up to 0.05 mag",
               reached=f"{100 * found / flares:.1f} %", wanted="99 %", holds=found >= 0.99 * flares)


def a_month(sources: int, flares: int) -> Iterator[Line]:
    """Sources in galaxies, changing seeing, two instruments, points that are measured again."""
    watch = compile_rule(FLARE)
    false, points = alert_month.false_alerts(watch, sources)
    yield Line(what=f"a month: false flares in {points:,} points of 2 cameras, seeing, hosts",
               reached=str(false), wanted="at most 1 in 150,000", holds=false <= points // 150_000)
    found = alert_month.found_flares(watch, flares, lambda n: _progress(f"flare {n} of {flares}"))
    yield Line(what=f"a month: flares of 0.5 mag found, of {flares}, by either camera",
               reached=f"{100 * found / flares:.1f} %", wanted="99 %", holds=found >= 0.99 * flares)


def withdrawn(alerts: int) -> Line:
    """Alerts whose points are measured again to be quiet: each is withdrawn and told."""
    clock = Clock((_JD - _JD_EPOCH) * _DAY)
    with _place(1, clock) as place:
        for n in range(alerts):
            ids = [place.see(_JD + 0.1 * n + 0.001 * k, mag) for k, mag in enumerate((12.5, 12.5))]
            for id_ in ids:
                place.see_again(id_, 13.6)
            clock.now += 0.1 * _DAY
        kinds = [row.content["kind"] for row in rows(place.database, Outbox)]
        states = [row.state for row in rows(place.database, Alert)]
    told = kinds.count("withdrawn")
    return Line(what=f"{alerts} alerts whose points are measured again: withdrawn, told",
                reached=f"{states.count('withdrawn')}, {told}", wanted="every one",
                holds=told == alerts == states.count("withdrawn") == kinds.count("alert"))


# The outbox.


class Clock:
    """A clock that is told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Taken:
    """A channel that keeps what it is given, and may be dead."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    async def send(self, notice: Notice, _recipient: str) -> None:
        """Take a message."""
        await asyncio.sleep(0)
        self.notices.append(notice)


async def _no_plot(_: PlotRequest) -> bytes | None:
    await asyncio.sleep(0)
    return None


class Place:
    """A site with rules, its engine, and a way to write points."""

    def __init__(self, root: Path, text: str, clock: Callable[[], float]) -> None:
        self.site = parse_site(text, root=root)
        self.clock = clock
        self.database = Database(self.site.database)
        with self.database.write() as tx:
            catalogue.save(tx, [Source(name="BL Lac", ra_deg=330.68, dec_deg=42.28,
                                   kind=SourceKind.TARGET)])
        self.engine = AlertEngine(self.site, clock)

    def see(self, jd: float, mag: float) -> int:
        """A point is measured: in one transaction, as the ledger does it; its id."""
        with self.database.write() as tx:
            row = tx.create(Result,
                key=f"{jd}", source="BL Lac", band="R", telescope="T090", instrument="AndorT90",
                night=f"{jd:.0f}", mode="photometry", jd_mid=jd, exptime_s=60.0, mag=mag,
                mag_err=0.02, zero_point=22.0, zero_point_err=0.01, n_calibrators=3, frames=["a"],
                created_at=self.clock(), changed_at=self.clock())
            self.engine.on_results(tx, [row.id])
        return int(row.id)

    def see_again(self, id_: int, mag: float) -> None:
        """It is measured again."""
        with self.database.write() as tx:
            tx.update(Result, mag=mag, changed_at=self.clock()).where(Result.id == id_).execute()
            self.engine.on_results(tx, [id_])

    def relay(self, channel: Taken) -> Relay:
        """A relay of its outbox to one channel."""
        return Relay(database=InlineDatabase(self.database), site=self.site, clock=self.clock,
                     plot=_no_plot, channels={"mail": channel})


_RULE = """
[[rule]]
name = "rule {n}"
condition = "mag < 13.0"
clear = "mag > 13.2"
cooldown_hours = 0
channels = ["mail"]
"""
_CHANNEL = '[[channel]]\nname = "mail"\nto = ["a@example.org"]\nhost = "127.0.0.1"\nport = {port}\n'


@contextmanager
def _place(rules: int, clock: Callable[[], float], *, port: int = 25,
           head: str = "") -> Iterator[Place]:
    text = head + "".join(_RULE.format(n=n) for n in range(rules)) + _CHANNEL.format(port=port)
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(Path(scratch), text, clock)
        try:
            yield place
        finally:
            place.database.close()


def storm(rules: int) -> Line:
    """So many rules fire at one point; what one recipient gets in the ten minutes after."""
    clock = Clock((_JD - _JD_EPOCH) * _DAY)
    with _place(rules, clock) as place:
        place.see(_JD, 12.5)
        place.see(_JD + 0.001, 12.5)
        channel = Taken()
        relay = place.relay(channel)
        began = time.perf_counter()
        for _ in range(60):
            asyncio.run(relay.send_due())
            clock.now += 10.0
        took = time.perf_counter() - began
        told = sum(int(n.facts.get("total", 1)) for n in channel.notices)
        longest = max(len(n.text) for n in channel.notices)
    return Line(what=f"{rules:,} rules firing at once: messages in 10 min",
                reached=f"{len(channel.notices)} of {told:,} alerts, {longest} characters, "
                f"{took:.1f} s, {rss_mb():.0f} MB", wanted="at most 10",
                holds=len(channel.notices) <= 10 and told == rules and longest <= 4096)


def old_archive(nights: int) -> Line:
    """A year of flares is reduced again."""
    with _place(1, time.time) as place:
        begin = time.time() / _DAY + _JD_EPOCH - nights - 3.0
        for n in range(nights):
            for k in range(4):
                place.see(begin + n + 0.01 * k, 12.5 if n % 20 < 3 else 14.0)
        fired = len(rows(place.database, Alert, Alert.state.not_in(("pending", "inactive"))))
        letters = len(rows(place.database, Outbox))
    return Line(what=f"an archive of {nights} nights with {fired} flares reduced again: messages",
                reached=str(letters), wanted="0", holds=letters == 0 < fired)


def outage(hours: float) -> Line:
    """The mail server is dead for so long, while a source flares again and again."""
    clock = Clock((_JD - _JD_EPOCH) * _DAY)
    with _place(1, clock) as place:
        relay_down = place.relay(_Dead())
        fires = int(hours * 4)
        for n in range(fires):
            for k, mag in enumerate((12.5, 12.5, 13.5, 13.5)):
                place.see(_JD + n / 96.0 + k * 0.002, mag)
            asyncio.run(relay_down.send_due())
            clock.now += 900.0
        channel = Taken()
        relay = place.relay(channel)
        for _ in range(120):
            asyncio.run(relay.send_due())
            clock.now += 60.0
        told = sum(int(n.facts.get("total", 1)) for n in channel.notices)
    return Line(what=f"mail server dead for {hours:g} h, {fires} alerts: messages afterwards",
                reached=f"{len(channel.notices)} telling of {told}", wanted="one digest, none lost",
                holds=told == fires and len(channel.notices) == 1)


class _Dead(Taken):
    async def send(self, notice: Notice, _recipient: str) -> None:
        """Nobody answers."""
        from iop4d.alerts.channels.base import SendError

        await asyncio.sleep(0)
        raise SendError("no connection", permanent=False, channel_down=True)


@asynccontextmanager
async def _workers(place: Place) -> AsyncIterator[LocalProcesses]:
    """The daemon's engine with one worker, which has come up and has drawn nothing yet."""
    engine = LocalProcesses(place.site.daemon, 1)
    with place.database.read() as db:
        known = catalogue.load(db)
    engine.set_context(WorkerContext(site=place.site, catalogue=known), known.version)
    await engine.start()
    try:
        while not await engine.ready():
            pass
        yield engine
    finally:
        await engine.stop()


async def _delays(place: Place, count: int) -> list[float]:
    """Seconds from the commit of a result until the server has accepted the mail, with its plot."""
    async with _workers(place) as workers:
        async def plot(request: PlotRequest) -> bytes | None:
            outcome = await workers.submit(request, label="picture")
            assert isinstance(outcome, Done), outcome
            assert isinstance(outcome.value, Plotted)
            return outcome.value.png

        return await _delays_with(place, count, plot)


async def _delays_with(place: Place, count: int, plot: Plot) -> list[float]:
    stop, wake = asyncio.Event(), asyncio.Event()
    relay = Relay(database=InlineDatabase(place.database), site=place.site, clock=place.clock,
                  plot=plot)
    running = asyncio.create_task(relay.run(stop, wake))
    delays = []
    now = time.time() / _DAY + _JD_EPOCH - 0.5
    for n in range(count):
        for k, mag in enumerate((13.5, 13.5, 12.5, 12.5)):
            place.see(now + (4 * n + k) * 1e-4, mag)
        committed = time.perf_counter()
        wake.set()
        while len(rows(place.database, Outbox, Outbox.state == "sent")) <= n:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        delays.append(time.perf_counter() - committed)
    stop.set()
    wake.set()
    await running
    return delays


def latency(count: int) -> Line:
    """Alerts one by one, to a real mail server on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        mailbox = Mailbox(Path(folder))
        mailbox.start()
        try:
            with _place(1, time.time, port=mailbox.port,
                        head=f"[alerts]\nmax_per_10min = {2 * count}\n") as place:
                delays = asyncio.run(_delays(place, count))
            pictures = sum(_shows_picture(mail.read_bytes()) for mail in mailbox.messages())
        finally:
            mailbox.stop()
    first, late = delays[0], sorted(delays)[int(0.95 * len(delays))]
    return Line(what=f"from a result's commit to the server's OK, 95 % of {count}",
                reached=f"{late:.2f} s, {pictures} with a picture, the first after {first:.2f} s",
                wanted="5 s, all", holds=late <= 5.0 and pictures == count)


def _shows_picture(mail: bytes) -> bool:
    """Whether a mail carries a picture that can be opened."""
    return any(bytes(part.get_payload(decode=True)).startswith(b"\x89PNG\r\n")
               for part in email.message_from_bytes(mail).walk()
               if part.get_content_type() == "image/png")


def kills(count: int) -> Line:
    """Daemons killed at random moments while sources flare."""
    tallies = [tally for _, tally in random_kills(count, seed=7, true_kills=0)]
    killed, mails = sum(t.kills for t in tallies), sum(t.mails for t in tallies)
    missing, repeated = (sum(t.mails_missing for t in tallies),
                         sum(t.mails_repeated for t in tallies))
    return Line(what=f"{killed} kills while {mails} mails are due: missing, repeated",
                reached=f"{missing}, {repeated}", wanted="0, at most one a kill",
                holds=not missing and repeated <= killed)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr)


def main() -> None:
    """Measure and print; exits with 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--short", action="store_true", help="a tenth of everything, no kills")
    short = parser.parse_args().short
    parts: list[Callable[[], Iterator[Line] | Line]] = [
        partial(false_and_missed, 10 if short else 50, 60 if short else 300,
                100 if short else 2000),
        partial(a_month, 460 if short else 5000, 100 if short else 2000),
        partial(withdrawn, 20 if short else 300),
        partial(storm, 1000 if short else 10_000), partial(old_archive, 60 if short else 365),
        partial(outage, 6.0), partial(latency, 20 if short else 100)]
    if not short:
        parts.append(partial(kills, 500))
    table = Table(title="Alerts", title_justify="left")
    for name in ("what", "reached", "wanted", ""):
        table.add_column(name)
    holds = True
    for part in parts:
        lines = part()
        for line in [lines] if isinstance(lines, Line) else lines:
            table.add_row(line.what, line.reached, line.wanted, "✓" if line.holds else "✗")
            holds &= line.holds
    Console(width=130).print(table)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
