"""One row of a table with everything that belongs to it, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iop4d.model import flags as quality
from iop4d.store import pages, schema, tonight
from iop4d.store.database import Connection
from iop4d.store.jobs import OF_A_FRAME, JobKind
from iop4d.store.results import standing
from iop4d.store.schema import (
    Alert,
    AlertStep,
    Frame,
    Job,
    Master,
    Outbox,
    Result,
    Summary,
)
from iop4d.store.tables import LISTINGS
from iop4d.store.tables.listing import one
from iop4d.store.trigger_table import Trigger

_MOST = 1000  # of what belongs to one row
_MEASURED = ("source", "beam", "x", "y", "flux", "flux_err", "mag_inst", "mag_inst_err", "snr",
             "sky", "neighbours", "psf_flux", "psf_flux_err")

Details = dict[str, Any]


def _frame(db: Connection, found: Details) -> None:
    row = db.by_id(Frame, found["id"])
    found.update(info=row.info, trace=row.trace, detector=row.detector, masters=[
        {"id": master.id, "kind": master.kind, "night": master.night, "revision": revision}
        for master, revision in pages.masters_of(db, row)])
    found["measurements"] = [
        {name: getattr(line, name) for name in _MEASURED} | {"flags": quality.names(line.flags)}
        for line in pages.measurements(db, row.id)]
    found["results"] = [
        {"id": result.id, "source": result.source, "band": result.band, "mag": result.mag,
         "mag_err": result.mag_err, "p": result.p}
        for result in pages.with_results(db, [row])[0].results]
    found["jobs"] = _jobs(db, [kind.value for kind in OF_A_FRAME], row.id)


def _jobs(db: Connection, kinds: list[str], key: int) -> list[Details]:
    rows = db.select(Job).where(Job.kind.in_(kinds) & (Job.key == key)).order_by(Job.id)
    return [{"id": job.id, "kind": job.kind, "state": job.state, "attempts": job.attempts,
             "crashes": job.crashes, "reason": job.reason, "changed_at": job.changed_at}
            for job in rows]


def _group(db: Connection, found: Details) -> None:
    of = found["id"]
    found["frames"] = [
        {"id": id_, "name": name, "polariser_deg": angle, "jd_start": jd}
        for id_, name, angle, jd in db.select(
            Frame, Frame.id, Frame.name, Frame.polariser_deg, Frame.jd_start).where(
            Frame.group_id == of).order_by(Frame.jd_start).limit(_MOST).tuples()]
    found["results"] = [id_ for (id_,) in standing(db, Result.id).where(
        Result.group_id == of).order_by(Result.id).limit(_MOST).tuples()]
    found["jobs"] = _jobs(db, [JobKind.POLARIMETRY.value], of)


def _master(db: Connection, found: Details) -> None:
    row = db.by_id(Master, found["id"])
    found.update(frames=row.frames, left_out=row.left_out, masters=row.masters,
                 jobs=_jobs(db, [JobKind.MASTER.value], row.id))


def _night(db: Connection, found: Details) -> None:
    night = found["night"]
    found["states"], found["kinds"] = pages.night_states(db, night), pages.night_kinds(db, night)
    found["by_source"] = [
        {"source": line.source, "band": line.band, "count": line.count, "good": line.good,
         "mean": line.mean, "brightest": line.brightest, "faintest": line.faintest,
         "last": line.last.id} for line in tonight.bands(tonight.points(db, night))]


def _alert(db: Connection, found: Details) -> None:
    row = db.by_id(Alert, found["id"])
    found["points"] = row.points
    found["steps"] = [
        {"at": step.at, "state": step.state, "by": step.by, "note": step.note}
        for step in db.select(AlertStep).where(AlertStep.alert == row.id).order_by(AlertStep.id)]
    found["messages"] = [
        {"id": mail.id, "channel": mail.channel, "recipient": mail.recipient, "state": mail.state,
         "sent_at": mail.sent_at, "last_error": mail.last_error}
        for mail in db.select(Outbox).where(Outbox.alert == row.id).order_by(Outbox.id)]


def _trigger(db: Connection, found: Details) -> None:
    found["content"] = db.by_id(Trigger, found["id"]).content


def _summary(db: Connection, found: Details) -> None:
    row = db.get(Summary, Summary.night == found["night"])
    found["facts"] = None if row is None else row.facts


def _source(db: Connection, found: Details) -> None:
    rows = db.rows('SELECT s."id", s."name" FROM "source" AS s, json_each(s."calibrates") AS n '
                   'WHERE n.value = ? ORDER BY s."name" LIMIT ?', found["name"], _MOST)
    found["calibrated_by"] = [{"id": id_, "name": name} for id_, name in rows]
    found["results"] = standing(db).where(Result.source == found["name"]).count()
    last = standing(db).where((Result.source == found["name"]) & Result.mag.is_null(False)) \
        .order_by(Result.jd_mid.desc(), Result.id.desc()).first()
    found["last"] = None if last is None else {
        "id": last.id, "jd_mid": last.jd_mid, "band": last.band, "mag": last.mag,
        "mag_err": last.mag_err, "flags": quality.names(last.flags)}


_MORE: dict[str, Callable[[Connection, Details], None]] = {
    "frames": _frame, "groups": _group, "masters": _master, "nights": _night, "alerts": _alert,
    "summaries": _summary, "triggers": _trigger, "sources": _source}


def everything(db: Connection, table: str, key: Any) -> Details | None:
    """A row of a table with all that belongs to it; None if there is none."""
    found = one(db, LISTINGS[table], key)
    if found is not None and table in _MORE:
        _MORE[table](db, found)
    return found


def id_of_source(db: Connection, name: str) -> int | None:
    """The number of a source of the catalogue by its own name."""
    row = db.by(schema.Source, "name", name)
    return None if row is None else int(row.id)
