"""A ledger of polarimetry groups with workers that know their answers."""

from __future__ import annotations

from dataclasses import replace

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.instruments.telescopes import T090
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.model.frame import AstrometryFrom, FrameFacts, FrameKind
from iop4d.model.messages import (
    Classified,
    ClassifyRequest,
    Done,
    Failed,
    Outcome,
    PolarimetryRequest,
    Polarised,
    Reduced,
    ReduceRequest,
)
from iop4d.model.polarimeter import Analyser, InstrumentalPolarisation, Polarimeter
from iop4d.model.result import ResultValue
from iop4d.store import groups as group_store
from iop4d.store.database import Database
from iop4d.store.results import Selection, select
from iop4d.store.schema import Frame, Group, Result
from tests.conftest import FakeClock, LedgerAlone, work_off
from tests.support.rows import first, rows

JD = 2459831.4
ANGLES = (0.0, 22.5, 45.0, 67.5)
FEWEST = 3


def polarimeter() -> Instrument:
    """A camera with a half-wave plate that needs no masters."""
    return Instrument(
        name="Pol", telescope=T090, scale_arcsec=0.4, gain_e_adu=1.0, read_noise_e=5.0,
        saturation_adu=6e4, masters=(), recognises=lambda _: True,
        read=lambda header, name: facts_of(name), sources={},
        polarimeter=Polarimeter(
            analyser=Analyser.HALF_WAVE_PLATE, angles_deg=ANGLES, fewest=FEWEST,
            constants=(InstrumentalPolarisation(q0=0, q0_err=0, u0=0, u0_err=0, angle_deg=0,
                                                angle_err_deg=0),)))


def facts_of(name: str) -> FrameFacts:
    """``p22.5-3.fits``: at 22.5 degrees, 3 minutes into the night; s: a sub-frame, w: a whole one.
    """
    kind, number = name.removesuffix(".fits").rsplit("-", 1)
    angle = None if kind.startswith("w") else float(kind[1:])
    return FrameFacts(
        telescope="OSN-T090", instrument="Pol", kind=FrameKind.SCIENCE, night="2022-09-08",
        jd_start=JD + float(number) / 1440, exptime_s=30.0, shape=(100, 100), binning=2, band="R",
        object="BLLac", mode="photometry" if angle is None else "polarimetry",
        polariser_deg=angle, beams=2, subframe=kind.startswith("s"))


class Bench:
    """A ledger whose worker polarises by counting frames."""

    def __init__(self, site: Site, database: Database, clock: FakeClock) -> None:
        self.site, self.database, self.clock = site, database, clock
        self.failing: set[str] = set()
        self.cloudy: set[str] = set()  # frames that only another frame of their field places
        self.beams = 2
        self.ledger = LedgerAlone(database=database, site=site, clock=clock,
                             instruments={"Pol": polarimeter()})

    def drop(self, *names: str) -> list[int]:
        found = []
        for name in names:
            path = self.site.root / "raw" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name, encoding="utf-8")
            info = path.stat()
            found.append(FoundFile(archive="raw", path=path, size=info.st_size,
                                   mtime_ns=info.st_mtime_ns, completed_at=self.clock()))
        return self.ledger.accept(found)

    def answer(self, claim: Claim) -> Outcome:
        request = claim.request
        if isinstance(request, ClassifyRequest):
            facts = replace(facts_of(request.path.name), beams=self.beams)
            return Done(value=Classified(facts=facts, size=1, sha256=request.path.name))
        if isinstance(request, PolarimetryRequest):
            return Done(value=polarised(request))
        assert isinstance(request, ReduceRequest)
        return self.reduce(request)

    def reduce(self, request: ReduceRequest) -> Outcome:
        if request.path.name in self.failing:
            return Failed(stage="read", reason="clouds")
        if request.path.name in self.cloudy:
            if request.reference is None:
                return Failed(stage="solve", reason="7 stars detected")
            return Done(value=replace(
                reduced(request), astrometry_from=AstrometryFrom.FRAME, stars=()))
        if request.facts.subframe and request.reference is None:
            return Failed(stage="reference", reason="waits for a whole frame")
        return Done(value=reduced(request))

    def work(self) -> list[str]:
        return work_off(self.ledger, self.clock, self.answer)

    def groups(self) -> list[tuple[str, ...]]:
        """The frames of each group, in order of time, of groups that hold any."""
        with self.database.read() as db:
            named = [tuple(frame.name for frame in group_store.members(db, group.id))
                     for group in db.select(Group)]
        return sorted(names for names in named if names)

    def selected(self) -> list[Result]:
        """The results that count, in order of time."""
        with self.database.read() as db:
            return sorted(select(db, Selection()), key=lambda row: row.jd_mid)

    def results(self) -> list[tuple[tuple[str, ...], float]]:
        """(frames, p) of the results that count."""
        return sorted((tuple(row.frames), row.p) for row in self.selected())

    def frame(self, name: str) -> Frame:
        return first(self.database, Frame, Frame.name == name)

    def states(self) -> set[str]:
        """The states of all frames."""
        return {row.state for row in rows(self.database, Frame)}


def polarised(request: PolarimetryRequest) -> Polarised:
    """p is the number of frames, in percent."""
    n = len(request.frames)
    if n < FEWEST:
        return Polarised(results=(), refused=(("BL Lac", f"measured at {n} positions"),))
    facts = request.frames[0].facts
    return Polarised(results=(ResultValue(
        source="BL Lac", band="R", mode="polarimetry", jd_mid=facts.jd_mid, bjd_tdb=facts.jd_mid,
        exptime_s=30.0, mag=14.0, mag_err=0.01, zero_point=21.0, zero_point_err=0.01,
        n_calibrators=3, fwhm_arcsec=2.0, airmass=1.1, flags=0, p=n / 100, p_err=0.001, q=n / 100,
        q_err=0.001, u=0.0, u_err=0.001, method="fit"),))


def reduced(request: ReduceRequest) -> Reduced:
    whole = request.facts.mode == "photometry"
    return Reduced(
        wcs={"CRVAL1": 1.0}, n_detected=10, n_matched=5, wcs_rms_px=0.1, fwhm_px=5.0,
        fwhm_arcsec=2.0, sky=100.0, sky_sigma=5.0, aperture_px=6.0, annulus_px=(10.0, 18.0),
        airmass=1.1, bjd_tdb=request.facts.jd_mid, measurements=(), results=(), target="BL Lac",
        stars=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)) if whole else (),
        astrometry_from=AstrometryFrom.QUADS if request.facts.subframe else AstrometryFrom.INDEX)


FIRST = ("p0-0.fits", "p22.5-1.fits", "p45-2.fits", "p67.5-3.fits")
SECOND = ("p0-4.fits", "p22.5-5.fits", "p45-6.fits")
