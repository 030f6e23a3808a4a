"""Instrumental magnitudes of some sources over all frames: what tells whether they vary."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from iop4d.model.flags import NEVER_CALIBRATES
from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.store.database import Connection
from iop4d.store.schema import Frame, Measurement


@dataclass(frozen=True, kw_only=True)
class Instrumental:
    """One magnitude: -2.5 log10(ADU/s) and its error, of a source on a frame."""

    instrument: str
    band: str
    night: str
    mode: str
    frame: int
    source: str
    mag: float
    mag_err: float

    @property
    def polarised(self) -> bool:
        """Whether it was taken behind a polariser."""
        return self.mode != "photometry"


def instrumental(db: Connection, sources: Collection[str], *,
                 band: str | None = None, newest: int | None = None) -> list[Instrumental]:
    """All good measurements of the sources on reduced frames, in order of time.

    Those with a flag that bars a star from zero points are left out. ``newest``: so many of the
    measurements that were made last.
    """
    query = (db.select(Measurement, Frame.instrument, Frame.band, Frame.night, Frame.mode, Frame.id,
                       Measurement.source, Measurement.mag_inst, Measurement.mag_inst_err)
             .join(Frame)
             .where(Measurement.source.in_(list(sources))
                    & (Measurement.beam == "")
                    & Measurement.mag_inst.is_null(False)
                    & Measurement.mag_inst_err.is_null(False)
                    & (Measurement.flags.bin_and(int(NEVER_CALIBRATES)) == 0)
                    & (Frame.kind == FrameKind.SCIENCE.value)
                    & (Frame.state == FrameState.DONE.value))
             .order_by(Frame.instrument, Frame.band, Frame.jd_start, Frame.id))
    if band is not None:
        query = query.where(Frame.band == band)
    if newest is not None:
        query = query.where(Measurement.id.in_(
            Measurement.select(Measurement.id).where(Measurement.source.in_(list(sources)))
            .order_by(Measurement.id.desc()).limit(newest)))
    return [Instrumental(instrument=instrument or "", band=own_band or "", night=night,
                         mode=mode or "", frame=frame, source=source, mag=mag, mag_err=mag_err)
            for instrument, own_band, night, mode, frame, source, mag, mag_err in query.tuples()]
