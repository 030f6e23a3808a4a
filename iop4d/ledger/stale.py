"""Which frames rest on what has changed since: masters, settings, software."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iop4d import __version__
from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger.master_choice import MasterChoices
from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.store.database import Connection
from iop4d.store.frames import facts_of
from iop4d.store.provenance import settings_key
from iop4d.store.reference_frames import references_of
from iop4d.store.schema import Frame


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A frame whose results are not what they would be now, and why."""

    frame: int
    name: str
    why: str


def stale(db: Connection, frames: Iterable[Frame], *, site: Site,
          instruments: Mapping[str, Instrument]) -> list[Stale]:
    """Those of the reduced science frames that are stale; of this node, which alone knows by which
    settings and masters its frames are reduced."""
    choices, key = MasterChoices(site, instruments), settings_key(site)
    found = []
    for frame in frames:
        if (frame.kind != FrameKind.SCIENCE.value or frame.state != FrameState.DONE
                or frame.node != db.node):
            continue
        if why := _why(db, frame, choices, key, instruments):
            found.append(Stale(frame=frame.id, name=frame.name, why=why))
    return found


def _why(db: Connection, frame: Frame, choices: MasterChoices, key: str,
         instruments: Mapping[str, Instrument]) -> str:
    if frame.info.get("software") != __version__:
        return f"reduced by iop4d {frame.info.get('software') or 'of an older version'}"
    if frame.info.get("settings") != key:
        return "the settings have changed"
    if frame.instrument in instruments:
        choice = choices.choose(db, facts_of(frame))
        if not choice.missing and choice.used != frame.masters:
            return "there are better masters"
    if frame.subframe:
        best = references_of(db, frame)
        if best and best[0].id != frame.reference_id:
            return "there is a better whole frame for its astrometric solution"
    return ""
