"""The demo: cameras that take a night, the daemon, the page, and a mailbox."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console, Group
from rich.table import Table

from iop4d.config.store import place_of_url
from iop4d.model.errors import Iop4dError
from iop4d.model.states import Role
from iop4d.model.uncertainty import mag_total
from iop4d.simulator.almanac import first_high, last_night
from iop4d.simulator.botserver import BotServer
from iop4d.simulator.demosite import ACCOUNT, SITE, DemoArchives
from iop4d.simulator.night import Flare, Night, NightPlan, write_night
from iop4d.simulator.plan import POLARIMETRY
from iop4d.simulator.servers import Mailbox, free_port
from iop4d.simulator.service import Observer, Service
from iop4d.simulator.setups import archive_of, setup_of
from iop4d.simulator.sky import field_of, index_folder, load_sky
from iop4d.store.alerts import newest
from iop4d.store.database import Database
from iop4d.store.frames import Chosen, choose
from iop4d.store.results import Selection, select
from iop4d.store.schema import Result
from iop4d.store.status import TROUBLE

#: Fields of which one flares: the first that stands high in the evening of the night.
FLARING = ("BLLac", "3C66A", "OJ287", "3C273", "4C38.41")
#: Two of these AndorT90 observes besides.
QUIET = ("S50716+714", "3C345", "1ES1959+650", "OJ287", "3C66A", "3C454.3")
#: Instruments that take groups of polarimetry meanwhile: the fields of which the first that stands
#: high is taken, seconds after the start at which they begin, so that the first points do not wait
#: for them, and seconds of an exposure. Not the field that flares: by a third of a magnitude in a
#: group, which would pass for polarisation.
#: RoperT90 is of the past, and so is its night: an old one that comes to the archive late.
POLARIMETERS = (("AndorT150", ("3C345", "OJ287", "3C454.3", "S50716+714"), 15.0, 60.0),
                ("CAFOS", ("S50716+714",), 25.0, 20.0),
                ("DIPOL", ("1ES1959+650", "S50716+714"), 35.0, 30.0),
                ("RoperT90", ("1ES1959+650",), 45.0, 60.0))
_EVENING_HOURS = 2.0  # from dusk, in which the chosen fields stand high
_FLARE_MAG, _ALERT_MAG, _CLEAR_MAG = 0.9, 0.4, 0.2  # brighter than the quiet source
#: Names as people write them, where observers type another one.
_SPOKEN = {"BLLac": "BL Lac", "3C66A": "3C 66A", "OJ287": "OJ 287", "3C273": "3C 273",
           "4C38.41": "4C 38.41", "3C454.3": "3C 454.3", "1ES1959+650": "1ES 1959+650",
           "S50716+714": "S5 0716+714"}
_ALWAYS_UP = "S50716+714"
_MARK = ".iop4d-demo"  # marks a folder that the demo made, and may replace
_REPORT = 10.0  # seconds between lines on the screen


def photometry_plan(night: str, seed: int) -> NightPlan:
    """The plan of AndorT90: a field that flares and two that do not, which stand high at dusk."""
    flaring = (*high_of(night, FLARING), _ALWAYS_UP)[0]
    quiet = [name for name in (*high_of(night, QUIET), *QUIET) if name != flaring]
    return NightPlan(
        seed=seed, night=night, dark=True, fields=(flaring, *tuple(dict.fromkeys(quiet))[:2]),
        frames=100_000, seeing_arcsec=1.8, cloud_mag=0.3,
        flare=Flare(start=0.15, rise=0.2, mag=_FLARE_MAG, fall=2.0))


def polarimetry_plan(first: NightPlan, instrument: str, targets: tuple[str, ...],
                     exptime_s: float) -> NightPlan:
    """The plan of another instrument's groups, in the night of the first, if it was in use then."""
    setup = setup_of(instrument)
    night = min(first.night, setup.nights[1])
    high = [name for name in high_of(night, targets) if name != first.fields[0]]
    return NightPlan(
        seed=first.seed, night=night, dark=True, fields=tuple(high or targets[-1:])[:1],
        seeing_arcsec=first.seeing_arcsec, exptime_s=exptime_s, instrument=instrument,
        mode=POLARIMETRY, groups=100_000,
        positions=8, transparency=0.05, n_bias=3, n_dark=3, n_flat=3)


def high_of(night: str, names: Iterable[str]) -> list[str]:
    """Those of some fields that stand high in the evening of a night."""
    sky = load_sky()
    places = [(name, float(stars.ra[0]), float(stars.dec[0]))
              for name in names for stars in [sky.stars(field_of(name))]]
    return first_high(night, places, hours=_EVENING_HOURS)


class Demo:
    """One run of the demo, from its set-up to its summary."""

    def __init__(self, *, folder: Path, speed: float, duration: float | None, port: int,
                 seed: int) -> None:
        self._folder = folder.resolve()
        self._speed = speed
        self._duration = duration
        self._port = port or free_port()
        self._stop = threading.Event()
        self._archives = DemoArchives(self._folder, [archive_of(name)[0] for name in (
            "AndorT90", *(name for name, *_ in POLARIMETERS))])
        self._plan = photometry_plan(last_night(datetime.now(tz=UTC)), seed)
        self._others = {name: (polarimetry_plan(self._plan, name, targets, exptime_s), after_s)
                        for name, targets, after_s, exptime_s in POLARIMETERS}
        self._screen = Console(stderr=True)

    def run(self) -> None:
        """Play until Ctrl-C or the end, then say what happened."""
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: self._stop.set())
        self._make_site()
        self._archives.start()
        mailbox = Mailbox(self._folder / "mailbox")
        mailbox.start()
        bot = BotServer(self._folder / "telegram")
        bot.start()
        services: list[Service] = []
        cameras = self._cameras()
        try:
            self._write_site_file(mailbox.port, bot)
            self._import_catalogue()
            services = [Service(self._folder, "run"), Service(self._folder, "web")]
            self._say_hello(bot)
            for camera in cameras:
                camera.start()
            self._watch(services, mailbox)
        finally:
            self._stop.set()
            for camera in cameras:
                if camera.is_alive():
                    camera.join(10.0)
            codes = [service.stop() for service in reversed(services)]
            mailbox.stop()
            bot.stop()
            self._archives.stop()
        self._screen.print(summary_of_site(self._folder, len(mailbox.messages())))
        if any(codes):
            raise Iop4dError(f"a service ended with an error; see {self._folder / 'logs'}")

    def _make_site(self) -> None:
        if self._folder.exists():
            if not (self._folder / _MARK).exists():
                raise Iop4dError(f"{self._folder} was not made by the demo: name another --folder")
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True)
        (self._folder / _MARK).touch()
        for name in ("raw", "masters", "reduced", "previews", "logs"):
            (self._folder / name).mkdir()

    def _write_site_file(self, mail_port: int, bot: BotServer) -> None:
        token = self._folder / "secrets" / "bot"
        token.touch(mode=0o600)
        token.write_text(bot.token, encoding="utf-8")
        flaring = field_of(self._plan.fields[0])
        (self._folder / "iop4d.toml").write_text(SITE.format(
            url=self._address, index=index_folder(), mail_port=mail_port, port=self._port,
            bot=bot.url, source=_SPOKEN.get(flaring.object, flaring.object),
            alert_mag=flaring.quiet_mag - _ALERT_MAG,
            clear_mag=flaring.quiet_mag - _CLEAR_MAG,
            archives=self._archives.sections()), encoding="utf-8")

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _import_catalogue(self) -> None:
        from werkzeug.security import generate_password_hash

        from iop4d.store import catalogue, catalogue_csv, users
        from iop4d.store.database import Database

        names = dict.fromkeys(name for plan in self._plans for name in plan.fields)
        text = load_sky().catalogue_csv(self._plan.seed, fields=tuple(map(field_of, names)))
        for typed, spoken in _SPOKEN.items():
            text = re.sub(rf",{re.escape(typed)}(?=[,;])", f",{spoken};{typed}", text)
        database = Database(place_of_url("", self._folder))
        with database.write() as tx:
            catalogue.save(tx, catalogue_csv.parse(text))
            users.save(tx, ACCOUNT[0], generate_password_hash(ACCOUNT[1]), now=time.time(),
                       role=Role.ADMIN)
        database.close()

    @property
    def _plans(self) -> tuple[NightPlan, ...]:
        return (self._plan, *(plan for plan, _ in self._others.values()))

    def _say_hello(self, bot: BotServer) -> None:
        self._screen.print(f"[bold]The live page: {self._address}[/bold]")
        self._screen.print(
            f"The night of {self._plan.night}: {', '.join(self._plan.fields)} at {self._speed:g} "
            f"times the real speed, until dawn; its site is {self._folder}. Ctrl-C ends it.")
        self._screen.print("Polarimetry: " + "; ".join(
            f"{name} of {plan.fields[0]} from {after:g} s on"
            for name, (plan, after) in self._others.items()))
        self._screen.print(f"To act on the page, sign in as {ACCOUNT[0]}, "
                           f"password {ACCOUNT[1]}.")
        self._screen.print(f"Telegram's stand-in keeps its messages in {bot.folder}; say something "
                           f"to the bot: curl -d chat=7 -d text=/status {bot.url}/say")
        self._screen.print("Archives: " + self._archives.in_words())

    def _cameras(self) -> list[threading.Thread]:
        """A thread for each instrument."""
        nights = [(self._plan, 0.0), *self._others.values()]
        return [threading.Thread(target=self._take_night, args=night, daemon=True,
                                 name=f"camera {night[0].instrument}") for night in nights]

    def _take_night(self, plan: NightPlan, after_s: float) -> None:
        if self._stop.wait(after_s):
            return
        write_night(Night(plan), self._archives.folder(archive_of(plan.instrument)[0]),
                    truth_path=self._folder / f"truth-{plan.instrument}.jsonl",
                    speed=self._speed, is_over=self._stop.is_set)

    def _watch(self, services: list[Service], mailbox: Mailbox) -> None:
        observer = Observer(self._folder)
        ends = time.monotonic() + self._duration if self._duration else None
        said = time.monotonic()
        while not self._stop.is_set() and (ends is None or time.monotonic() < ends):
            dead = next((service for service in services if not service.alive), None)
            if dead is not None:
                raise Iop4dError(f"a service ended by itself:\n{dead.log()[-2000:]}")
            if time.monotonic() - said > _REPORT:
                said = time.monotonic()
                self._report(observer.status(), mailbox)
            self._stop.wait(0.2)

    def _report(self, state: dict[str, Any], mailbox: Mailbox) -> None:
        frames = ", ".join(f"{count} {name}" for name, count in state["frames"].items())
        self._screen.print(f"frames: {frames or 'none yet'}; results: {state['results']}; "
                           f"mails: {len(mailbox.messages())}")


def truths(path: Path) -> Iterator[dict[str, Any]]:
    """The truth of each science frame."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def summary_of_site(folder: Path, mails: int) -> Group:
    """The summary, to be printed."""
    true = {truth["name"]: truth for path in sorted(folder.glob("truth*.jsonl"))
            for truth in truths(path)}
    with Database(place_of_url("", folder), read_only=True).read() as db:
        frames, results = choose(db, Chosen()), list(select(db, Selection()))
        alerts = newest(db, 1000)
    states: dict[str, int] = {}
    for frame in frames:
        states[frame.state] = states.get(frame.state, 0) + 1
    latencies = [frame.info["latency_s"] for frame in frames if "latency_s" in frame.info]
    lines = [
        "",
        "frames   " + (", ".join(f"{n} {s}" for s, n in sorted(states.items())) or "none"),
        f"latency  median {median(latencies):.2f} s, longest {max(latencies):.2f} s from a "
        "frame's last byte to its result" if latencies else "latency  no frame was reduced",
        f"alerts   {len(alerts)}, mails {mails}",
    ]
    lines += [f"failed   {frame.name}: {frame.reason}" for frame in frames
              if frame.state in TROUBLE][:10]
    return Group(*lines, _table(results, true))


def _table(results: list[Result], true: dict[str, dict[str, Any]]) -> Table:
    table = Table("source", "band", "points", "last mag", "error", "off truth",
                  "groups", "last p", "off truth", title="medians off the truth")
    for source, band in sorted({(result.source, result.band) for result in results}):
        mine = [r for r in results if (r.source, r.band) == (source, band) and r.mag is not None]
        if not mine:
            continue
        off = [r.mag - true[r.frames[0]]["target_mag"] for r in mine if r.frames[0] in true]
        table.add_row(source, band, str(len(mine)), f"{mine[-1].mag:.3f}",
                      f"{mag_total(mine[-1]):.3f}", f"{median(off):+.4f}" if off else "",
                      *_polarisation_cells(mine, true))
    return table


def _polarisation_cells(results: list[Result], true: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    mine = [r for r in results if r.p is not None]
    if not mine:
        return ("", "", "")
    off = [r.p - true[r.frames[0]]["p"] for r in mine if true.get(r.frames[0], {}).get("p")]
    return (str(len(mine)), f"{100 * mine[-1].p:.2f} %",
            f"{100 * median(off):+.2f} %" if off else "")
