"""The stars of a field as frames saw them, whatever the catalogue knew of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iop4d.model.states import FrameState
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, FrameStars, Measurement
from iop4d.store.table import is_filled


@dataclass(frozen=True, kw_only=True)
class StarsOfFrame:
    """The star list of a whole frame: 0-based places and fluxes in ADU; ``wcs``: its cards."""

    frame: int
    instrument: str
    band: str
    night: str
    wcs: dict[str, Any]
    stars: tuple[tuple[float, float, float], ...]
    fwhm_px: float
    sky_sigma: float


def star_lists(db: Connection, source: str, most: int = 60) -> list[StarsOfFrame]:
    """The star lists of the newest frames on which a source was measured, one for each night,
    camera and object as a rule."""
    measured = Measurement.select(Measurement.frame).where(
        (Measurement.source == source) & (Measurement.beam == ""))
    rows = db.select(FrameStars, FrameStars.frame_id, FrameStars.stars, Frame.instrument,
                     Frame.band, Frame.night, Frame.info).join(Frame).where(
        FrameStars.frame.in_(measured) & is_filled(FrameStars.stars)
        & (Frame.state == FrameState.DONE.value)).order_by(
        FrameStars.frame_id.desc()).limit(most).tuples()
    return [StarsOfFrame(
        frame=id_, instrument=instrument or "", band=band or "", night=night, wcs=info["wcs"],
        stars=tuple(map(tuple, stars)), fwhm_px=info.get("fwhm_px") or 4.0,
        sky_sigma=info.get("sky_sigma") or 1.0)
        for id_, stars, instrument, band, night, info in rows if info.get("wcs")]


def last_frame(db: Connection, source: str, band: str = "") -> Frame | None:
    """The newest reduced frame on which a source was measured, with its file kept."""
    wanted = (Measurement.source == source) & (Frame.state == FrameState.DONE.value) \
        & Frame.reduced_path.is_null(False)
    if band:
        wanted &= Frame.band == band
    found: Frame | None = db.select(Frame).join(Measurement).where(wanted).order_by(
        Measurement.id.desc()).first()
    return found
