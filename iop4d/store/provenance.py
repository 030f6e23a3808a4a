"""What a number rests on: its frames, masters, calibrators, settings and software."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from iop4d.config import Site
from iop4d.model.errors import Iop4dError
from iop4d.model.flags import DESCRIPTIONS, Flag
from iop4d.store import spectral
from iop4d.store.database import Connection, Transaction
from iop4d.store.results import VALUES
from iop4d.store.schema import (
    Frame,
    Group,
    Master,
    Measurement,
    Meta,
    Result,
    ResultFrame,
    ResultHistory,
)

_SECTIONS = ("masters", "astrometry", "photometry", "polarimetry")
_NO_NUMBERS = {"masters": ("build_delay",)}  # when work is done, not what comes of it
_MEASURED = ("x", "y", "flux", "flux_err", "snr", "sky")
_FOUND = ("fwhm_px", "fwhm_arcsec", "aperture_px", "annulus_px", "sky", "sky_sigma", "n_detected",
          "n_matched", "wcs_rms_px", "astrometry_from", "airmass", "warnings", "software",
          "settings")


def settings_of(site: Site) -> dict[str, Any]:
    """The settings that change numbers, as plain values."""
    plain: dict[str, Any] = {name: asdict(getattr(site, name)) for name in _SECTIONS}
    for name, keys in _NO_NUMBERS.items():
        for key in keys:
            del plain[name][key]
    plain["astrometry"]["index"] = [str(path) for path in site.astrometry.index]
    for table in ("camera", "polarimeter", "colour_term"):
        plain[table] = [asdict(section) for section in getattr(site, table, ())]
    loaded: dict[str, Any] = json.loads(json.dumps(plain, default=str))
    return loaded


def settings_key(site: Site) -> str:
    """A short name of the settings, the same for the same ones."""
    text = json.dumps(settings_of(site), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def keep_settings(tx: Transaction, site: Site) -> str:
    """Keep the settings of now under their name, so that results can show them later."""
    key = settings_key(site)
    tx.insert(Meta, key=f"settings/{key}",
              value=settings_of(site)).on_conflict_ignore().execute()
    return key


def explain(db: Connection, result_id: int, *, index_minutes: float) -> dict[str, Any]:
    """Everything a result rests on, as plain values; raises Iop4dError where there is none.

    ``index_minutes``: within which another band's result makes a spectral index with it.
    """
    result = db.get(Result, Result.id == result_id)
    if result is None:
        raise Iop4dError(f"there is no result {result_id}; 'iop4d results' lists their ids")
    frames = list(db.select(Frame).join(ResultFrame).where(ResultFrame.result == result_id)
                  .order_by(Frame.jd_start, Frame.name))
    values = {name: getattr(result, name) for name in (
        "id", "source", "telescope", "instrument", "night", "mode", *VALUES, "provisional",
        "withdrawn", "software", "revision") if name != "flags"}
    values |= spectral.columns(spectral.indices(db, [result], index_minutes).get(result_id))
    return {
        "result": values,
        "flags": {str(flag.name).lower(): DESCRIPTIONS[flag]
                  for flag in Flag if result.flags & flag},
        "human_flags": result.human_flags,
        "methods": result.methods,
        "group": _group(db, result.group_id),
        "calibrators": result.calibrators,
        "frames": _frames(db, frames, result.source),
        "files": result.frames,
        "masters": _masters(db, frames),
        "settings": _settings(db, frames),
        "history": [{"revision": row.revision, "replaced_at": row.replaced_at, **row.was}
                    for row in db.select(ResultHistory).where(
                        ResultHistory.result == result_id).order_by(ResultHistory.revision)],
    }


def _frames(db: Connection, frames: list[Frame], source: str) -> list[dict[str, Any]]:
    """Frames with what was measured of a source, by one query however many there are."""
    measured: dict[int, list[dict[str, Any]]] = {frame.id: [] for frame in frames}
    columns = [getattr(Measurement, name) for name in _MEASURED]
    rows = db.select(Measurement, Measurement.frame_id, Measurement.beam, Measurement.flags,
                     *columns).where(
        Measurement.frame.in_(list(measured)) & (Measurement.source == source)
    ).order_by(Measurement.beam)
    for frame_id, beam, flags, *values in rows.tuples():
        measured[frame_id].append(
            {"beam": beam, **dict(zip(_MEASURED, values, strict=True)),
             "flags": [str(f.name).lower() for f in Flag if flags & f]})
    return [{
        "id": frame.id, "name": frame.name, "path": frame.path, "sha256": frame.sha256,
        "jd_start": frame.jd_start, "exptime_s": frame.exptime_s,
        "polariser_deg": frame.polariser_deg, "reference": frame.reference_id,
        "masters": frame.masters,
        **{name: frame.info.get(name) for name in _FOUND},
        "measured": measured[frame.id],
    } for frame in frames]


def _group(db: Connection, group_id: int | None) -> dict[str, Any] | None:
    group = db.get(Group, Group.id == group_id) if group_id is not None else None
    return None if group is None else {
        "id": group.id, "state": group.state, "angles": group.angles, "reason": group.reason}


def _masters(db: Connection, frames: list[Frame]) -> list[dict[str, Any]]:
    used = {(id_, revision) for frame in frames for id_, revision in frame.masters}
    rows = {row.id: row for row in db.select(Master).where(
        Master.id.in_(list({id_ for id_, _ in used})))} if used else {}
    return [{
        "id": id_, "revision": revision, "newest_revision": row.revision,
        "kind": row.kind, "night": row.night, "band": row.band, "layout": row.layout,
        "n_frames": row.n_frames, "level": row.level, "scatter": row.scatter,
        "path": row.path, "frames": row.frames, "left_out": row.left_out}
        for id_, revision in sorted(used) if (row := rows.get(id_)) is not None]


def _settings(db: Connection, frames: list[Frame]) -> dict[str, Any]:
    keys = sorted({frame.info.get("settings") or "" for frame in frames} - {""})
    rows = {key: db.get(Meta, Meta.key == f"settings/{key}") for key in keys}
    return {key: row.value for key, row in rows.items() if row is not None}
