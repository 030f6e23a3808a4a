"""Which master for which frame, and what follows when a master is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.ledger import jobs
from iop4d.ledger.jobs import JobKind, Priority
from iop4d.model.frame import FrameFacts, FrameKind, covers, layout_of, region_of
from iop4d.model.messages import MasterRef
from iop4d.model.states import FrameState, MasterState
from iop4d.store.frames import facts_of
from iop4d.store.schema import Frame, Job, Master

_FEWEST_PEERS = 3  # masters of other nights that tell what is usual
_ODD_SIGMAS = 8.0
_ODD_PART = 0.1  # of the usual level
_ODD_LEAST = {FrameKind.BIAS: 5.0, FrameKind.DARK: 0.05, FrameKind.FLAT: 0.02}  # ADU, ADU/s, part

#: What a master itself is calibrated with.
_BEFORE = {FrameKind.BIAS: (), FrameKind.DARK: (FrameKind.BIAS,),
           FrameKind.FLAT: (FrameKind.BIAS, FrameKind.DARK)}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The masters for a frame. ``missing`` names kinds there are none of; ``pending``: a better
    one is about to be built, and may begin at ``pending_until`` (Unix seconds)."""

    masters: tuple[MasterRef, ...] = ()
    missing: tuple[str, ...] = ()
    pending_until: float | None = None

    @property
    def used(self) -> list[list[int]]:
        """(id, revision) of each, as rows keep them."""
        return [[master.id, master.revision] for master in self.masters]

    @property
    def settled(self) -> bool:
        """Whether these are the best there will be until a calibration frame comes."""
        return not self.missing and self.pending_until is None


class Choices:
    """The choices made, kept until something about masters changes."""

    def __init__(self, instruments: Mapping[str, Instrument], site: Site) -> None:
        self._instruments = instruments
        self._site = site
        self._made: dict[tuple[object, ...], Choice] = {}

    def choose(self, facts: FrameFacts) -> Choice:
        """The best masters for a frame of a known instrument."""
        key = (facts.telescope, facts.instrument, facts.kind, facts.night, layout_of(facts),
               facts.band)
        if (made := self._made.get(key)) is not None:
            return made
        choice = choose(facts, self._instruments[facts.instrument], self._site)
        self._made[key] = choice
        return choice

    def forget_pending(self) -> None:
        """Time has passed: choose anew for what waits for a master."""
        self._made = {key: choice for key, choice in self._made.items() if choice.settled}

    def changed(self) -> None:
        """A calibration frame came, or a master was built or refused: choose anew."""
        self._made.clear()


def needed(kind: FrameKind, instrument: Instrument) -> tuple[FrameKind, ...]:
    """The kinds of master that a frame of a kind is calibrated with."""
    if kind is FrameKind.SCIENCE:
        return instrument.masters
    return tuple(k for k in _BEFORE[kind] if k in instrument.masters)


def choose(facts: FrameFacts, instrument: Instrument, site: Site) -> Choice:
    """The best masters there are: of the same night, else of the nearest, within the age limit."""
    masters, missing = [], []
    pending: list[float] = []
    for kind in needed(facts.kind, instrument):
        wanted = _key_fields(kind, facts)
        rows = Master.select().where(*(
            getattr(Master, name) == value for name, value in wanted.items()
            if value is not None and name != "layout"))
        if kind is FrameKind.FLAT and facts.band is None:
            rows = rows.where(Master.band.is_null())
        # A frame's own layout before its cut of a larger one.
        near = sorted(((_days(row.night, facts.night), row.night > facts.night,
                        row.layout != layout_of(facts), row.id), row)
                      for row in rows if _days(row.night, facts.night) <= site.masters.max_age_days
                      and covers(row.layout, facts))
        if near and near[0][0][0] == 0:
            pending += _pending(near[0][1])
        ready = [row for _, row in near if row.state == "ready"]
        if not ready:
            pending += [when for _, row in near for when in _pending(row)]
            missing.append(_describe(kind, facts))
            continue
        best = ready[0]
        masters.append(MasterRef(
            id=best.id, revision=best.revision, kind=kind, path=Path(best.path),
            provisional=best.night != facts.night, exptime_s=best.exptime_s,
            origin=region_of(best.layout)[1:3]))
    return Choice(masters=tuple(masters), missing=tuple(missing),
                  pending_until=max(pending) if pending else None)


def _pending(master: Master) -> list[float]:
    """When the job that builds a master may begin, if it is queued or running."""
    job = Job.get_or_none((Job.kind == JobKind.MASTER.value) & (Job.key == master.id)
                          & Job.state.in_(("queued", "running")))
    return [job.not_before] if job else []


def _key_fields(kind: FrameKind, facts: FrameFacts) -> dict[str, object]:
    return {"kind": kind.value, "telescope": facts.telescope, "instrument": facts.instrument,
            "layout": layout_of(facts), "band": facts.band if kind is FrameKind.FLAT else None}


def _describe(kind: FrameKind, facts: FrameFacts) -> str:
    band = f" {facts.band}" if kind is FrameKind.FLAT and facts.band else ""
    return f"master {kind.value}{band} of {facts.instrument} ({layout_of(facts)})"


def _days(night: str, other: str) -> int:
    return abs((date.fromisoformat(night) - date.fromisoformat(other)).days)


def enlist(facts: FrameFacts, site: Site, now: float, *, bonus: int) -> None:
    """A calibration frame came: its master is to be built, or built again, once no more come.

    ``bonus``: the frame's, by which its master is more urgent.
    """
    key = "/".join([facts.telescope, facts.instrument, facts.night, facts.kind.value,
                    layout_of(facts).replace(" ", ""), facts.band or "-"])
    master, _ = Master.get_or_create(key=key, defaults={
        **_key_fields(facts.kind, facts), "band": facts.band, "night": facts.night,
        "exptime_s": facts.exptime_s, "changed_at": now})
    jobs.queue(JobKind.MASTER, master.id, priority=Priority.MASTER + bonus, now=now,
               not_before=now + site.masters.build_delay)


def frames_of(master: Master) -> list[Frame]:
    """The calibration frames of a master, in order of time."""
    query = Frame.select().where(
        (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.kind == master.kind) & (Frame.night == master.night)
        & Frame.state.not_in((FrameState.REJECTED, FrameState.DUPLICATE, FrameState.SUPERSEDED)))
    query = query.where(Frame.band == master.band if master.band else Frame.band.is_null())
    rows = query.order_by(Frame.jd_start, Frame.name)
    return [row for row in rows if layout_of(facts_of(row)) == master.layout]


def master_path(master: Master, site: Site, revision: int) -> Path:
    """Where a revision of a master is written; old revisions stay, since results name them."""
    band = f"-{master.band}" if master.band else ""
    name = f"{master.kind}{band}-{master.instrument}-{master.layout.replace(' ', '')}-r{revision}"
    place = site.folder("masters") / str(master.telescope) / str(master.night)
    return place / f"{name}.fits"


def odd(master: Master, kind: FrameKind, level: float, scatter: float, site: Site) -> str:
    """Why a newly built master is unlike those of other nights; empty if it is not, or too few are.

    Biases and darks are compared by their level, flats, which all have the level 1, by the scatter
    of their pixels.
    """
    binning = region_of(master.layout)[0]
    peers = [row for row in Master.select().where(
        (Master.instrument == master.instrument) & (Master.kind == master.kind)
        & (Master.state == "ready") & (Master.id != master.id)
        & (Master.band.is_null() if master.band is None else Master.band == master.band))
        if region_of(row.layout)[0] == binning
        and _days(row.night, master.night) <= site.masters.max_age_days]
    values = sorted(float(row.scatter if kind is FrameKind.FLAT else row.level) for row in peers
                    if row.level is not None and row.scatter is not None)
    if len(values) < _FEWEST_PEERS:
        return ""
    middle = median(values)
    spread = 1.4826 * median(abs(value - middle) for value in values)
    value = scatter if kind is FrameKind.FLAT else level
    allowed = max(_ODD_SIGMAS * spread, _ODD_PART * abs(middle), _ODD_LEAST[kind])
    if abs(value - middle) <= allowed:
        return ""
    what = "scatter" if kind is FrameKind.FLAT else "level"
    return (f"its {what} of {value:.4g} is unlike the {middle:.4g} of {len(values)} other nights; "
            "'iop4d masters restore' takes it all the same")


def set_aside(master: Master, reason: str, site: Site, instruments: Mapping[str, Instrument],
              now: float) -> None:
    """Use a master no more: what used it is done again with the next best."""
    Master.update(state=MasterState.REJECTED, reason=reason, changed_at=now).where(
        Master.id == master.id).execute()
    follow(master, instruments, site, now)
    for other in Master.select().where(Master.state == "ready"):
        if any(id_ == master.id for id_, _ in other.masters):
            jobs.queue(JobKind.MASTER, other.id, priority=Priority.MASTER, now=now)
    for frame in Frame.select().where(
            (Frame.instrument == master.instrument) & (Frame.kind == FrameKind.SCIENCE.value)
            & Frame.state.in_((FrameState.DONE, FrameState.FAILED))):
        if any(id_ == master.id for id_, _ in frame.masters):
            jobs.queue(JobKind.REDUCE, frame.id, priority=Priority.AGAIN, now=now)


def restore(master: Master, site: Site, instruments: Mapping[str, Instrument],
            now: float) -> None:
    """Use a master again that was set aside or refused as odd.

    It is built anew if there are better ones for it by now: nobody looked while it was aside.
    """
    Master.update(state="ready", reason="", changed_at=now).where(
        Master.id == master.id).execute()
    _renew(Master.get_by_id(master.id), instruments, site, now)
    follow(Master.get_by_id(master.id), instruments, site, now)


def follow(master: Master, instruments: Mapping[str, Instrument], site: Site, now: float) -> None:
    """A master was built: what waited for one goes on, and what it makes better is done again."""
    _wake(now)
    users = [kind.value for kind, before in _BEFORE.items() if FrameKind(master.kind) in before]
    for other in Master.select().where(
            (Master.instrument == master.instrument) & (Master.state == "ready")
            & Master.kind.in_(users) & Master.night.between(*_reach(master, site))):
        _renew(other, instruments, site, now)
    for frame in _lights(master, site):
        if _improves(facts_of(frame), frame.masters, instruments, site):
            jobs.queue(JobKind.REDUCE, frame.id, priority=Priority.AGAIN, now=now)


def _renew(master: Master, instruments: Mapping[str, Instrument], site: Site, now: float) -> None:
    """Build a master anew if there are better ones to calibrate it with."""
    frames = frames_of(master)
    if frames and _improves(facts_of(frames[0]), master.masters, instruments, site):
        jobs.queue(JobKind.MASTER, master.id, priority=Priority.MASTER, now=now)


def _wake(now: float) -> None:
    """Queue what waits; whatever still lacks a master says so again when it is claimed."""
    Job.update(state="queued", not_before=now, changed_at=now).where(
        Job.state == "waiting").execute()


def _reach(master: Master, site: Site) -> tuple[str, str]:
    """The first and last night that a master may serve."""
    night, age = date.fromisoformat(master.night), timedelta(days=site.masters.max_age_days)
    return (night - age).isoformat(), (night + age).isoformat()


def _lights(master: Master, site: Site) -> Iterable[Frame]:
    return list(Frame.select().where(
        (Frame.telescope == master.telescope) & (Frame.instrument == master.instrument)
        & (Frame.kind == FrameKind.SCIENCE.value)
        & Frame.state.in_((FrameState.DONE, FrameState.FAILED))
        & (((Frame.provisional == True)  # noqa: E712 - SQL
            & Frame.night.between(*_reach(master, site))) | (Frame.night == master.night))))


def _improves(facts: FrameFacts, used: Iterable[Iterable[int]],
              instruments: Mapping[str, Instrument], site: Site) -> bool:
    instrument = instruments.get(facts.instrument)
    if instrument is None:
        return False
    choice = choose(facts, instrument, site)
    return not choice.missing and choice.used != [list(pair) for pair in used]
