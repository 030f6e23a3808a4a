"""Drafts as folders: made once for an episode of an alert, or by hand, and listed for people.

A folder holds ``draft.txt``, ``figure.png``, ``figure.pdf`` and ``draft.json`` with the trace of
every number. It is written under another name and renamed, so there is no half of one; and it is
never written to again, since a person may have changed its text.

In the daemon the ``Drafter`` makes the drafts of alerts whose rules ask for one. Which are missing
follows from the alerts' rows and the folder, so a restart loses none.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from iop4d.alerts.atel import text
from iop4d.alerts.atel.facts import DraftFacts, PhotometryFacts
from iop4d.alerts.atel.figure import FigureRequest, Pictures, figure_of, pack, pictures_of
from iop4d.alerts.atel.gather import of_alert
from iop4d.alerts.atel.letterhead import Letterhead, TelescopePhrase
from iop4d.alerts.atel.text import Draft, ascii_of
from iop4d.alerts.episodes import first_name
from iop4d.alerts.subjects import display_name
from iop4d.config import Site
from iop4d.fits.atomic import write_atomic
from iop4d.instruments.discovery import find_instruments
from iop4d.instruments.telescopes import Telescope
from iop4d.model import plain_json
from iop4d.model.errors import Iop4dError
from iop4d.model.source import canonical
from iop4d.model.states import AlertState
from iop4d.model.units import utc_of_jd
from iop4d.store import alerts, results
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.points import barring_flags
from iop4d.store.thread import DatabaseThread

log = logging.getLogger(__name__)

FOLDER = "drafts"
TEXT, TRACE, PNG, PDF = "draft.txt", "draft.json", "figure.png", "figure.pdf"
_NAME = re.compile(r"ATel_[A-Za-z0-9.+-]{1,60}_\d{8}T\d{4}(_\d{1,3})?")
_KEYS = {"name", "source", "called", "band", "jd", "mag", "mag_err", "made_at", "alert", "figure",
         *(field.name for field in fields(Draft))}
_MOST_NAMESAKES = 999
_LARGEST = 32 << 20  # bytes of a draft.json
_RECENT = 2.0 * 86400.0  # seconds: an older alert without a draft is left to people
_TRIES = 3
_NAMED = 12  # results that are named
_DRAW_WITHIN = 30.0  # seconds

Draw = Callable[[FigureRequest], Awaitable[Pictures | None]]


@dataclass(frozen=True, kw_only=True)
class StoredDraft:
    """A draft in its folder. ``fresh``: it was made just now."""

    folder: Path
    content: dict[str, Any]
    fresh: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def folder_of(site: Site) -> Path:
    """The folder of a site's drafts."""
    return site.folder(FOLDER)


def is_name(name: str) -> bool:
    """Whether a name is that of a draft's folder."""
    return _NAME.fullmatch(name) is not None


# Composing.


def compose(site: Site, facts: DraftFacts, *, related: Iterable[str] = ()) -> Draft:
    """The draft of a site from facts; ``related``: ATels besides those of the site file.

    Raises DraftError.
    """
    settings = site.atel
    of_source = _of_source(settings.related_atels, facts)
    numbers = dict.fromkeys(n.strip().lstrip("#") for n in (*of_source.split(","), *related))
    return text.write(facts, Letterhead(
        authors=settings.authors, subjects=settings.subjects,
        related=tuple(number for number in numbers if number),
        telescopes=_telescopes(site), url=site.site.url, contact=settings.contact,
        calibration=_of_source(settings.calibration, facts),
        acknowledgement=settings.acknowledgement))


def _of_source(table: dict[str, str], facts: DraftFacts) -> str:
    """An entry of the site file by any name of the source, else the one for all others."""
    names = {canonical(n) for n in (facts.called, facts.source.name, *facts.source.other_names)}
    return next((value for name, value in table.items() if canonical(name) in names),
                table.get("*", ""))


def _telescopes(site: Site) -> dict[str, TelescopePhrase]:
    """What a text calls each telescope, after an article: as the site file does, or as known."""
    known = {i.telescope.name: _phrase(i.telescope)
             for i in reversed(find_instruments(site.camera, site.polarimeter))}
    return known | {name: TelescopePhrase(text=phrase.strip().removeprefix("the "), known=True)
                    for name, phrase in site.atel.telescopes.items()}


def _phrase(telescope: Telescope) -> TelescopePhrase:
    """Its aperture is given where its place has a name: of a plain camera's both are unknown."""
    if not telescope.place:
        return TelescopePhrase(text=f"telescope {telescope.name}", known=False)
    return TelescopePhrase(known=True, text=(
        f"{telescope.diameter_m:.1f} m telescope ({telescope.name}) at the {telescope.place}"))


# Folders.


def save(parent: Path, facts: DraftFacts, draft: Draft, pictures: Pictures | None, *,
         made_at: float, alert: dict[str, Any] | None = None) -> StoredDraft:
    """Write a draft into a folder of its own; the same text of the same moment is written once.

    The folder appears with all that is in it, under the first of its names that is free.
    """
    for folder in _folders(parent, facts):
        old = read(folder)
        if old is not None and (old.content["text"], old.content["alert"]) == (draft.text, alert):
            return old
        if not folder.exists() and (made := _write(folder, facts, draft, pictures, {
                "name": folder.name, "made_at": made_at, "alert": alert})) is not None:
            return made
    raise Iop4dError(f"{parent} holds {_MOST_NAMESAKES} drafts of {facts.called} of the same "
                     "minute: move some elsewhere")


def _write(folder: Path, facts: DraftFacts, draft: Draft, pictures: Pictures | None,
           about: dict[str, Any]) -> StoredDraft | None:
    """Write a whole folder; None when another process took its name in the meantime."""
    level = facts.level if isinstance(facts, PhotometryFacts) else None
    content = about | {
        "source": facts.source.name, "called": facts.called, "band": facts.band, "jd": facts.jd,
        "mag": level.mag if level else None, "mag_err": level.mag_err if level else None,
        "figure": pictures is not None, **asdict(draft)}
    files = {TEXT: draft.text.encode("ascii"),
             TRACE: plain_json.dumps(content, indent=1).encode("ascii")}
    if pictures is not None:
        files |= {PNG: pictures.png, PDF: pictures.pdf}
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for name, data in files.items():
            write_atomic(beside / name, [data], durable=True)
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if folder.exists():
            return None
        raise
    return StoredDraft(folder=folder, content=json.loads(files[TRACE]), fresh=True)


def keep_text(kept: StoredDraft, text: str) -> None:
    """Write another text of a draft; the one that was drafted stays in its trace."""
    write_atomic(kept.folder / TEXT, [text.encode("utf-8")], durable=True)


def find(parent: Path, alert: dict[str, Any]) -> StoredDraft | None:
    """The draft that was made for an episode, whatever its alert's time is now."""
    mine = _episode(alert)
    return next((kept for kept in listed(parent)
                 if kept.content["alert"] and _episode(kept.content["alert"]) == mine), None)


def make_for_alert(site: Site, facts: DraftFacts, alert: dict[str, Any], *, now: float,
                   pictures: Pictures | None) -> StoredDraft:
    """The draft of an episode: made once, and then the one that was made.

    ``alert``: its rule, source, band and episode; ``pictures``: None if they could not be drawn,
    which costs nobody the text. Writes files: never call it on the loop.
    """
    parent = folder_of(site)
    if (old := find(parent, alert)) is not None:
        return old
    return save(parent, facts, compose(site, facts), pictures, made_at=now, alert=_episode(alert))


def listed(parent: Path) -> list[StoredDraft]:
    """The drafts of a folder, those made last first."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries
                     if is_name(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # no draft yet
    found = [kept for kept in (read(parent / name) for name in names) if kept is not None]
    return sorted(found, key=lambda kept: (kept.content["made_at"], kept.name), reverse=True)


def read(folder: Path) -> StoredDraft | None:
    """A finished draft; None for what is none, or unfinished."""
    path = folder / TRACE
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not (isinstance(content, dict) and content.keys() >= _KEYS):
        return None
    return StoredDraft(folder=folder, content=content)


def _folders(parent: Path, facts: DraftFacts) -> Iterable[Path]:
    """Folders that a draft may take: its name, then the name with a number."""
    source = re.sub(r"[^A-Za-z0-9.+-]+", "", ascii_of(facts.called, 60)) or "source"
    name = f"ATel_{source[:60]}_{utc_of_jd(facts.jd, '%Y%m%dT%H%M', step_s=60.0)}"
    yield parent / name
    for number in range(2, _MOST_NAMESAKES + 1):
        yield parent / f"{name}_{number}"


def _episode(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: alert[name] for name in ("rule", "source", "band", "episode")}


def outdated_because(db: Connection, kept: StoredDraft) -> list[str]:
    """Why a draft should not be sent as it is, in sentences: its alert was withdrawn, or results
    that its numbers rest on were flagged, withdrawn or measured again since it was made."""
    content, found = kept.content, []
    if content["alert"]:
        alert = alerts.of_episode(db, **_episode(content["alert"]))
        if alert is not None and alert.state == AlertState.WITHDRAWN:
            found.append(f"The alert was withdrawn: {alert.note}.")
    ids = {id_ for number in content["numbers"] for id_ in number["results"]}
    there = [row for row in results.among(db, ids) if not row.withdrawn]
    flagged = {row.id for row in there
               if row.human_flags or row.flags & barring_flags(needs_mag=row.p is None)}
    changed = {row.id for row in there if row.changed_at > content["made_at"]} - flagged
    for what, which in (("withdrawn", ids - {row.id for row in there}), ("flagged", flagged),
                        ("changed since it was made", changed)):
        if which:
            shown = ", ".join(map(str, sorted(which)[:_NAMED]))
            more = f" and {len(which) - _NAMED} more" if len(which) > _NAMED else ""
            found.append(f"Results that it rests on are {what}: {shown}{more}.")
    return found


# In the daemon.


@dataclass(frozen=True, kw_only=True)
class _MissingDraft:
    """An alert that needs a draft; ``facts`` is None if there is none, ``why_not`` says why."""

    id: int
    alert: dict[str, Any]
    facts: DraftFacts | None
    why_not: str = ""


class Drafter:
    """Makes the drafts of some rules' alerts. ``rules``: the names of those of severity atel.

    The figure is drawn by another process, files are written on a thread.
    """

    def __init__(self, *, database: DatabaseThread, site: Site, rules: Collection[str],
                 clock: Callable[[], float], draw: Draw | None = None) -> None:
        self._database = database
        self._site = site
        self._rules = {rule.name: rule for rule in site.rule if rule.name in rules}
        self._clock = clock
        self._draw = draw or draw_apart
        self._done: set[int] = set()
        self._tries: dict[int, int] = {}

    async def run_once(self) -> None:
        """Make the drafts that are missing, one after the other, those tried least first."""
        if not self._rules:
            return
        ids = await self._database.read(alerts.notified_since, list(self._rules),
                                        self._clock() - _RECENT)
        for id_ in sorted({*ids} - self._done, key=lambda id_: (self._tries.get(id_, 0), id_)):
            self._tries[id_] = self._tries.get(id_, 0) + 1
            if self._tries[id_] >= _TRIES:
                self._done.add(id_)  # whatever comes of this last try
            await self._make(id_)
            self._done.add(id_)

    async def _make(self, id_: int) -> None:
        missing = await self._database.read(self._gather, id_)
        if missing.facts is None:
            await self._explain(missing)
            return
        known = await asyncio.to_thread(find, folder_of(self._site), missing.alert)
        if known is not None:
            return
        pictures = await self._draw(figure_of(missing.facts, missing.facts.called))
        try:
            made = await asyncio.to_thread(make_for_alert, self._site, missing.facts,
                                           missing.alert, now=self._clock(), pictures=pictures)
        except text.DraftError as error:
            await self._explain(replace(missing, why_not=str(error)))
            return
        await self._database.write(self._announce, made.name, missing)
        log.info("an ATel draft about %s is ready for a person to read and send: %s",
                 missing.facts.called, made.folder)

    def _gather(self, db: Connection, id_: int) -> _MissingDraft:
        row = alerts.by_id(db, id_)
        alert = {"rule": row.rule, "source": first_name(row), "band": row.band,
                 "episode": row.episode}
        name = display_name(db, self._rules[row.rule], row.source)
        try:
            return _MissingDraft(id=id_, alert=alert, facts=of_alert(db, row, called=name))
        except Iop4dError as error:
            by_hand = f"iop4d atel '{name}' --since {utc_of_jd(row.fired_jd, '%Y-%m-%d')}"
            return _MissingDraft(id=id_, alert=alert, facts=None, why_not=(
                f"{error}. Look at its points, and draft it by hand: {by_hand}"))

    def _announce(self, tx: Transaction, name: str, missing: _MissingDraft) -> None:
        emit(tx, "draft", self._clock(), name=name, alert=missing.id,
             source=missing.alert["source"])

    async def _explain(self, missing: _MissingDraft) -> None:
        """Note at the alert why it has no draft, unless something else is noted there."""
        log.warning("no ATel draft for the alert '%s' of %s: %s", missing.alert["rule"],
                    missing.alert["source"], missing.why_not)
        await self._database.write(alerts.annotate, missing.id,
                                   f"no ATel draft: {missing.why_not}")


async def draw_apart(request: FigureRequest) -> Pictures | None:
    """Draw in a process of its own; None, and a line in the log, if that fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "iop4d.alerts.atel.figure", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(_DRAW_WITHIN):
            out, printed = await process.communicate(pack(request))
        return pictures_of(out)
    except (TimeoutError, ValueError) as error:
        lines = printed.decode(errors="replace").splitlines() if process.returncode else []
        log.warning("the figure of an ATel draft was not drawn: %s", lines[-1:] or repr(error))
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
