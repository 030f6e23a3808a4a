"""Results computed with other settings, beside the stored ones, which stay as they are.

A trial is a request whose answer is all that comes of it. It takes a worker for seconds, so trials
are done one after the other, beside the other requests, which are answered at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from iop4d.config import Site
from iop4d.config.tried import PIXELS, Tried, parse, with_settings
from iop4d.instruments.base import Instrument
from iop4d.ledger.master_choice import ref_of
from iop4d.ledger.plan import begun_within, master_path
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import (
    Crashed,
    Done,
    MasterRef,
    Outcome,
    ReduceRequest,
    Request,
    TimedOut,
    Trial,
    TrialRequest,
)
from iop4d.model.result import STACK
from iop4d.store import frames, groups, masters, reference_frames, requests, results
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, Result
from iop4d.store.schema import Request as Row
from iop4d.store.thread import DatabaseThread

#: Frames of a result above which no pixels are measured again.
MOST_FRAMES = 40
_FREE_IN = 60.0  # seconds to wait for a worker, besides the time that a job may take


class Trials:
    """Answers the trials that are requested. ``perform``: has a worker do one request."""

    def __init__(self, site: Site, instruments: Mapping[str, Instrument],
                 database: DatabaseThread,
                 perform: Callable[[Request], Awaitable[Outcome]]) -> None:
        self._site = site
        self._instruments = instruments
        self._database = database
        self._perform = perform

    async def run_once(self) -> None:
        """Answer all that wait, oldest first."""
        for row in await self._database.read(requests.queued_trials):
            await self._database.write(requests.answer, row.id, await self._answer(row))

    async def _answer(self, row: Row) -> dict[str, Any]:
        try:
            planned = await self._database.read(self._planned, row.content)
        # Whatever a request holds must end with its answer, or it holds up all others.
        except Exception as error:  # noqa: BLE001
            known = isinstance(error, Iop4dError)
            return {"error": str(error) if known else f"the request is broken: {error!r}"}
        limit = self._site.daemon.job_timeout + _FREE_IN
        try:
            async with asyncio.timeout(limit):
                return answer_of(await self._perform(planned))
        except TimeoutError:
            return {"error": f"no worker was free within {limit:g} s; 'iop4d status' shows the "
                             "workers. Nothing was changed: try again later"}

    def _planned(self, db: Connection, content: Mapping[str, Any]) -> TrialRequest:
        return plan_trial(db, int(content["result"]), dict(content.get("settings", {})),
                          tuple(content.get("without", ())), site=self._site,
                          instruments=self._instruments)


def answer_of(outcome: Outcome) -> dict[str, Any]:
    """What a trial found, or an error in words, as plain values."""
    match outcome:
        case Done(value=Trial() as found, core_s=core_s):
            return {"stored": results.columns_of(found.stored),
                    "tried": results.columns_of(found.tried), "core_s": round(core_s, 3)}
        case Crashed(how=how):
            return {"error": f"the worker died at it ({how})"}
        case TimedOut(seconds=seconds):
            return {"error": f"the worker took more than {seconds:g} s and was stopped"}
        case Done():
            return {"error": "the worker answered something else"}
        case _:
            return {"error": outcome.reason}


def plan_trial(db: Connection, result_id: int, said: Mapping[str, str], without: Sequence[str], *,
               site: Site, instruments: Mapping[str, Instrument]) -> TrialRequest:
    """What to ask of a worker to try settings on a result; raises Iop4dError in words."""
    result = results.find(db, result_id)
    if result is None:
        raise Iop4dError(f"there is no result {result_id}; 'iop4d results' lists their ids")
    settings = parse(said)
    _check(result, settings, without, site, instruments)
    its = groups.members(db, result.group_id) if result.group_id else _frame_of(db, result)
    if not its:
        raise Iop4dError("none of its frames is measured now")
    needs_pixels = bool(PIXELS & settings.keys())
    if needs_pixels and len(its) > MOST_FRAMES:
        raise Iop4dError(f"it rests on {len(its)} frames; up to {MOST_FRAMES} are measured again")
    measured = groups.measured_group(db, result.group_id) if result.group_id \
        else groups.with_measurements(db, its)
    return TrialRequest(
        source=result.source, stored=measured, settings=tuple(settings.items()),
        without=tuple(without),
        frames=tuple(reduction_of(db, site, frame, instruments) for frame in its)
        if needs_pixels else ())


def _check(result: Result, settings: Tried, without: Sequence[str], site: Site,
           instruments: Mapping[str, Instrument]) -> None:
    if result.mode == STACK:
        raise Iop4dError("it is the sum of a night's frames: try settings on the result of one")
    if result.instrument not in instruments:
        raise Iop4dError(f"the instrument {result.instrument} is no longer in the site file")
    if not settings and not without:
        raise Iop4dError("choose at least one other setting, or a calibrator to leave out")
    unknown = set(without) - {use["source"] for use in result.calibrators}
    if unknown:
        raise Iop4dError(f"{', '.join(sorted(unknown))}: no calibrator of this result")
    if result.mode != "polarimetry" and any(name.startswith("polarimetry.") for name in settings):
        raise Iop4dError("a result without polarimetry has no settings of [polarimetry]")
    with_settings(site, settings, instrument=result.instrument, source=result.source)


def _frame_of(db: Connection, result: Result) -> list[Frame]:
    id_ = results.frame_ids(db, [result.id]).get(result.id)
    frame = None if id_ is None else frames.find(db, id_)
    return [] if frame is None or not frames.is_measured(frame) else [frame]


def reduction_of(db: Connection, site: Site, frame: Frame,
                 instruments: Mapping[str, Instrument]) -> ReduceRequest:
    """How a frame is reduced again with the masters that it was reduced with; it writes nothing."""
    facts = frames.facts_of(frame)
    if not Path(frame.path).exists():
        raise Iop4dError(f"the raw file {frame.name} was removed: try settings that need no pixels")
    refs = []
    for id_, revision in frame.masters:
        master = masters.by_id(db, id_)
        if not master.path:
            raise Iop4dError(f"its master {master.kind} has no file")
        ref: MasterRef = ref_of(master, facts, instruments[facts.instrument])
        refs.append(ref if revision == master.revision else replace(
            ref, revision=revision, path=master_path(site, master, revision)))
    reference = frame.reference_id
    return ReduceRequest(
        path=Path(frame.path), facts=facts, masters=tuple(refs), reduced_path=None,
        preview_path=None, seen_at=frame.seen_at,
        reference=None if reference is None else reference_frames.star_list(db, reference),
        doubts=(*frame.info.get("doubts", ()), *begun_within(db, frame)))
