"""Frames and what is measured on them: the rows, and how outcomes become rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import Reduced
from iop4d.model.result import Measurement
from iop4d.model.states import FrameState
from iop4d.store import schema
from iop4d.store.database import finite
from iop4d.store.schema import Frame, FrameStars
from iop4d.store.table import is_filled


def facts_of(frame: Frame) -> FrameFacts:
    """The facts of a classified frame's row."""
    return FrameFacts(
        telescope=frame.telescope, instrument=frame.instrument, kind=FrameKind(frame.kind),
        night=frame.night, jd_start=frame.jd_start, exptime_s=frame.exptime_s,
        shape=(frame.ny, frame.nx), binning=frame.binning, band=frame.band, object=frame.object,
        pointing_deg=None if frame.ra_deg is None else (frame.ra_deg, frame.dec_deg),
        mode=frame.mode, polariser_deg=frame.polariser_deg, beams=frame.beams,
        origin=(frame.x0, frame.y0), subframe=frame.subframe, flipped=frame.flipped)


def facts_columns(facts: FrameFacts) -> dict[str, Any]:
    """The columns of a frame's row that its facts fill."""
    ra, dec = facts.pointing_deg or (None, None)
    return {
        "telescope": facts.telescope, "instrument": facts.instrument, "kind": facts.kind.value,
        "night": facts.night, "jd_start": facts.jd_start, "exptime_s": facts.exptime_s,
        "ny": facts.shape[0], "nx": facts.shape[1], "binning": facts.binning, "band": facts.band,
        "object": facts.object, "ra_deg": ra, "dec_deg": dec, "mode": facts.mode,
        "polariser_deg": facts.polariser_deg, "beams": facts.beams, "x0": facts.origin[0],
        "y0": facts.origin[1], "subframe": facts.subframe, "flipped": facts.flipped,
    }


def known_files(archive: str) -> dict[str, tuple[int, int]]:
    """Path to (size, mtime_ns) of the newest version of every file known of an archive."""
    rows = (Frame.select(Frame.path, Frame.size, Frame.mtime_ns)
            .where(Frame.archive == archive).order_by(Frame.id).tuples())
    return {path: (size, mtime) for path, size, mtime in rows.iterator()}


def reduced_info(reduced: Reduced, core_s: float) -> dict[str, Any]:
    """What the reduction found, for the frame's ``info`` column."""
    plain = {name: getattr(reduced, name) for name in (
        "n_detected", "n_matched", "wcs_rms_px", "fwhm_px", "fwhm_arcsec", "sky", "sky_sigma",
        "aperture_px", "airmass", "bjd_tdb", "frame_flags", "astrometry_from")}
    info: dict[str, Any] = {
        name: finite(value) if isinstance(value, float) else value
        for name, value in plain.items()}
    return info | {"wcs": dict(reduced.wcs), "wcs_ordinary": dict(reduced.wcs_ordinary),
                   "annulus_px": list(reduced.annulus_px), "warnings": list(reduced.warnings),
                   "core_s": core_s,
                   "stages": {name: round(s, 5) for name, s in reduced.stages.items()}}


def save_measurements(frame: Frame, measurements: tuple[Measurement, ...]) -> None:
    """Replace a frame's measurements."""
    schema.Measurement.delete().where(schema.Measurement.frame == frame).execute()
    rows = []
    for measurement in measurements:
        values = asdict(measurement)
        rows.append({"frame": frame.id} | {
            name: finite(value) if isinstance(value, float) else value
            for name, value in values.items()})
    if rows:
        schema.Measurement.insert_many(rows).execute()


def save_stars(frame: Frame, reduced: Reduced) -> None:
    """Keep the field stars of a frame, where it has any, and its star list, where it has to serve.

    One frame's list serves all others of its night, camera and object; but of those by which
    sub-frames are placed all are kept.
    """
    FrameStars.delete().where(FrameStars.frame == frame).execute()
    stars = reduced.stars
    places_subframes = frame.beams > 1 and frame.mode == "photometry"
    if stars and not places_subframes and _has_star_list(frame):
        stars = ()
    if reduced.field_stars or stars:
        FrameStars.create(
            frame=frame, stars=[list(star) for star in stars],
            field=[[star.ra_deg, star.dec_deg, star.flux, star.flux_err]
                   for star in reduced.field_stars])


def _has_star_list(frame: Frame) -> bool:
    """Whether the list of another frame of the same night, camera and object is kept."""
    return not frame.object or bool(FrameStars.select().join(Frame).where(
        (Frame.telescope == frame.telescope) & (Frame.instrument == frame.instrument)
        & (Frame.night == frame.night) & (Frame.object == frame.object)
        & (Frame.binning == frame.binning) & is_filled(FrameStars.stars)).exists())


_NOT_STANDING = (FrameState.DUPLICATE, FrameState.SUPERSEDED)


def is_back(frame: Frame) -> bool:
    """Whether a file that another place of the same bytes replaced lies here again, alone.

    It was moved away and back, or what it was a duplicate of is gone.
    """
    if frame.state not in _NOT_STANDING or not frame.sha256:
        return False
    twins = Frame.select(Frame.path).where(
        (Frame.sha256 == frame.sha256) & (Frame.id != frame.id)
        & Frame.state.not_in(_NOT_STANDING)).tuples()
    return not any(Path(path).exists() for (path,) in twins)


def lies_again(frame: Frame) -> Frame | None:
    """Where the file of a frame lies, if not at its own path: at one that it had before."""
    if not frame.sha256 or Path(frame.path).exists():
        return None
    before = Frame.select().where(
        (Frame.sha256 == frame.sha256) & (Frame.id != frame.id)
        & Frame.state.in_(_NOT_STANDING)).order_by(Frame.id.desc())
    return next((row for row in before if Path(row.path).exists()), None)


def by_path(path: Path) -> Frame | None:
    """The newest version of the file at a path; only what tells it from another."""
    frame: Frame | None = (
        Frame.select(Frame.id, Frame.size, Frame.mtime_ns, Frame.sha256, Frame.state)
        .where(Frame.path == str(path)).order_by(Frame.id.desc()).first())
    return frame
