"""Simulated frames through the reduction without the daemon: for accuracy and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iop4d.config.load import parse_site
from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    MasterRef,
    MasterRequest,
    MeasuredFrame,
    Outcome,
    Reduced,
    ReduceRequest,
    StarList,
    Value,
)
from iop4d.model.source import Catalogue
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.science.tan import from_cards
from iop4d.simulator.frames import write_frame
from iop4d.simulator.night import Night, SimulatedFrame
from iop4d.simulator.plan import POLARIMETRY, NightPlan
from iop4d.simulator.setups import setup_of
from iop4d.simulator.sky import index_folder
from iop4d.store.catalogue_csv import parse

_MASTER_KINDS = ("BIAS", "DARK", "FLAT")
_CAMERA_DARK_S = 30.0


class Lab:
    """A worker's bench in a folder, with a catalogue; ``settings``: more of its site file."""

    def __init__(self, folder: Path, catalogue_csv: str = "", settings: str = "") -> None:
        self.folder = folder
        sources = tuple(parse(catalogue_csv)) if catalogue_csv else ()
        self.bench = Workbench(WorkerContext(
            site=parse_site(f'[astrometry]\nindex = ["{index_folder()}"]\n{settings}',
                            root=folder),
            catalogue=Catalogue(version=1, sources=sources)))

    def put(self, frame: SimulatedFrame) -> Path:
        """Write a frame; where it lies."""
        write_frame(frame, self.folder)
        return self.folder / frame.name

    def classify(self, path: Path) -> tuple[FrameFacts, float]:
        """What a frame is, and the core-seconds it took to tell."""
        outcome = self.bench.perform(ClassifyRequest(path=path))
        assert isinstance(outcome, Done), outcome
        assert isinstance(outcome.value, Classified)
        return outcome.value.facts, outcome.core_s

    def masters(self, made: Iterable[SimulatedFrame]) -> tuple[MasterRef, ...]:
        """Masters of frames that were put here: bias, then dark, then flat."""
        return self.masters_of([self.folder / frame.name for frame in made
                                if frame.kind in _MASTER_KINDS])

    def masters_of(self, paths: Iterable[Path]) -> tuple[MasterRef, ...]:
        """Masters of calibration frames: bias, then dark, then flat."""
        read = [(path, self.classify(path)[0]) for path in paths]
        masters: list[MasterRef] = []
        for kind in (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT):
            mine = [(path, facts) for path, facts in read if facts.kind is kind]
            if not mine:
                continue
            facts = mine[0][1]
            output = self.folder / "masters" / f"{kind}.fits"
            output.parent.mkdir(exist_ok=True)
            value_of(self.bench.perform(MasterRequest(
                kind=facts.kind, facts=facts, inputs=tuple(path for path, _ in mine),
                masters=tuple(masters), output=output)))
            masters.append(MasterRef(id=len(masters) + 1, kind=facts.kind, path=output,
                                     origin=facts.origin))
        return tuple(masters)

    def reduce(self, path: Path, facts: FrameFacts, masters: tuple[MasterRef, ...],
               whole: StarList | None = None, *, keep: bool = False) -> Outcome:
        """Reduce a frame; ``keep``: write the reduced image and its preview besides."""
        return self.bench.perform(ReduceRequest(
            path=path, facts=facts, masters=masters, reference=whole,
            reduced_path=path.with_suffix(".reduced.fits") if keep else None,
            preview_path=path.with_suffix(".png") if keep else None))


def camera_masters(instrument: str, folder: Path, *, whole: bool = False) -> tuple[MasterRef, ...]:
    """The masters of an instrument, whose camera does not change from night to night.

    ``whole``: of what photometry frames read, of which polarimetry frames take their cut.
    ``folder``, where they are put, is made, and must last as long as they are used.
    """
    folder.mkdir(parents=True)
    lab = Lab(folder)
    night = Night(NightPlan(
        instrument=instrument, mode=POLARIMETRY, groups=0, window_masters=not whole,
        night=setup_of(instrument).sample_night, dark_exptime_s=_CAMERA_DARK_S))
    made = list(night.frames())
    paths = [lab.put(frame) for frame in made]
    masters = lab.masters(made)
    for path in paths:
        path.unlink()
    return masters


def value_of(outcome: Outcome) -> Value:
    """The value of a request that has to succeed."""
    assert isinstance(outcome, Done), outcome
    return outcome.value


def reduced_of(outcome: Outcome) -> Reduced | None:
    """What was measured on a frame, or None if it could not be reduced."""
    value = outcome.value if isinstance(outcome, Done) else None
    return value if isinstance(value, Reduced) else None


def measured_frame(number: int, facts: FrameFacts, found: Reduced) -> MeasuredFrame:
    """A frame as its series or group takes it."""
    return MeasuredFrame(
        id=number, facts=facts, measurements=found.measurements, fwhm_arcsec=found.fwhm_arcsec,
        airmass=found.airmass, bjd_tdb=found.bjd_tdb, flags=found.frame_flags,
        field_stars=found.field_stars, sky_angle_deg=from_cards(found.wcs).up_deg,
        aperture_arcsec=found.aperture_px * found.fwhm_arcsec / found.fwhm_px)


def star_list(found: Reduced) -> StarList | None:
    """A whole frame as sub-frames take it; None where it is not sure enough to place them."""
    if not found.stars:
        return None
    x, y, flux = (tuple(column) for column in zip(*found.stars, strict=True))
    return StarList(frame=1, x=x, y=y, flux=flux, wcs=found.wcs, binning=2, blended=tuple(
        sorted({m.source for m in found.measurements if m.flags & Flag.BLENDED})))
