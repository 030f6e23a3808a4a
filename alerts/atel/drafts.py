"""Drafts as folders: made once for an episode of an alert, or by hand, and listed for people.

A folder holds ``draft.txt``, ``figure.png``, ``figure.pdf`` and ``draft.json`` with the trace of
every number. It is written under another name and renamed, so there is no half of one; and it is
never written to again, since a person may have changed its text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from iop4d.alerts.atel import draft as drafting
from iop4d.alerts.atel.draft import Draft, Heading
from iop4d.alerts.atel.facts import About, Facts, Style
from iop4d.alerts.atel.figure import Pictures
from iop4d.alerts.atel.numbers import moment
from iop4d.alerts.atel.pieces import ascii_of
from iop4d.alerts.atel.telescopes import phrases
from iop4d.config import Site
from iop4d.fits.atomic import write_atomic
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.model.source import canonical

FOLDER = "drafts"
TEXT, TRACE, PNG, PDF = "draft.txt", "draft.json", "figure.png", "figure.pdf"
_NAME = re.compile(r"ATel_[A-Za-z0-9.+-]{1,60}_\d{8}T\d{4}(_\d{1,3})?")
_KEYS = {"name", "source", "called", "band", "jd", "mag", "mag_err", "made_at", "alert", "figure",
         *(field.name for field in fields(Draft))}
_MOST_NAMESAKES = 999
_LARGEST = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A draft that lies in a folder. ``fresh``: it was made just now."""

    folder: Path
    content: dict[str, Any]
    fresh: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def folder_of(site: Site) -> Path:
    """Where a site's drafts lie."""
    return site.folder(FOLDER)


def is_name(name: str) -> bool:
    """Whether a name is that of a draft's folder."""
    return _NAME.fullmatch(name) is not None


def compose(site: Site, facts: About, *, related: Iterable[str] = ()) -> Draft:
    """The draft of a site from facts; ``related``: ATels besides those of the site file."""
    settings = site.atel
    kept = _of_source(settings.related, facts)
    numbers = dict.fromkeys(number.strip().lstrip("#") for number in (*kept.split(","), *related))
    telescopes = {i.telescope.name: i.telescope
                  for i in reversed(find_instruments(site.camera, site.polarimeter))}
    style = Style(
        telescopes=phrases(settings.telescopes, telescopes), url=site.site.url,
        contact=settings.contact, calibration=_of_source(settings.calibration, facts),
        acknowledgement=settings.acknowledgement)
    heading = Heading(authors=settings.authors, subjects=settings.subjects,
                      related=tuple(number for number in numbers if number))
    return drafting.write(facts, heading, style)


def keep(parent: Path, facts: About, draft: Draft, pictures: Pictures | None, *, made_at: float,
         alert: dict[str, Any] | None = None) -> Kept:
    """Write a draft into a folder of its own; the same text of the same moment is kept once.

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


def _write(folder: Path, facts: About, draft: Draft, pictures: Pictures | None,
           about: dict[str, Any]) -> Kept | None:
    """Write a whole folder; None when somebody else took its name in the meantime."""
    level = facts.level if isinstance(facts, Facts) else None
    content = about | {
        "source": facts.source.name, "called": facts.called, "band": facts.band, "jd": facts.jd,
        "mag": level.mag if level else None, "mag_err": level.err if level else None,
        "figure": pictures is not None, **asdict(draft)}
    files = {TEXT: draft.text.encode("ascii"),
             TRACE: json.dumps(content, indent=1).encode("ascii")}
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
    return Kept(folder=folder, content=json.loads(files[TRACE]), fresh=True)


def of_alert(parent: Path, alert: dict[str, Any]) -> Kept | None:
    """The draft that was made for an episode, whatever its alert's time is now."""
    mine = _episode(alert)
    return next((kept for kept in listed(parent)
                 if kept.content["alert"] and _episode(kept.content["alert"]) == mine), None)


def make_for_alert(site: Site, facts: About, alert: dict[str, Any], *, now: float,
                   pictures: Pictures | None) -> Kept:
    """The draft of an episode: made once, and then the one that was made.

    ``alert``: its rule, source, band and episode; ``pictures``: None if they could not be drawn,
    which costs nobody the text. Writes files: never call it on the loop.
    """
    parent = folder_of(site)
    if (old := of_alert(parent, alert)) is not None:
        return old
    return keep(parent, facts, compose(site, facts), pictures, made_at=now, alert=_episode(alert))


def listed(parent: Path) -> list[Kept]:
    """The drafts of a folder, those made last first."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries
                     if is_name(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # no draft yet
    found = [kept for kept in (read(parent / name) for name in names) if kept is not None]
    return sorted(found, key=lambda kept: (kept.content["made_at"], kept.name), reverse=True)


def read(folder: Path) -> Kept | None:
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
    return Kept(folder=folder, content=content)


def _folders(parent: Path, facts: About) -> Iterable[Path]:
    """Folders that a draft may take: its name, then the name with a number."""
    source = re.sub(r"[^A-Za-z0-9.+-]+", "", ascii_of(facts.called, 60)) or "source"
    name = f"ATel_{source[:60]}_{moment(facts.jd):%Y%m%dT%H%M}"
    yield parent / name
    for number in range(2, _MOST_NAMESAKES + 1):
        yield parent / f"{name}_{number}"


def _of_source(table: dict[str, str], facts: About) -> str:
    """An entry of the site file by any name of the source, else the one for all others."""
    names = {canonical(n) for n in (facts.called, facts.source.name, *facts.source.other_names)}
    return next((value for name, value in table.items() if canonical(name) in names),
                table.get("*", ""))


def _episode(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: alert[name] for name in ("rule", "source", "band", "episode")}
