"""A ledger of one camera, and a worker that answers without reading pixels."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.ledger import FoundFile
from iop4d.ledger.plan import Claim
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    Classified,
    ClassifyRequest,
    Done,
    MasterBuilt,
    MasterRequest,
    Outcome,
    Reduced,
    ReduceRequest,
    SeriesCalibrated,
)
from iop4d.model.result import Measurement, ResultValue
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Result
from tests.conftest import FakeClock, LedgerAlone, work_off
from tests.support.rows import rows

NIGHT_JD = 2459831.4
CALIBRATION = ("bias-1.fit", "bias-2.fit", "bias-3.fit",
               "flat-R-4.fit", "flat-R-5.fit", "flat-R-6.fit")


class Bench:
    """A ledger with files in a folder and a worker that answers from what it is told."""

    def __init__(self, site: Site, database: Database, clock: FakeClock) -> None:
        self.site = site
        self.database = database
        self.clock = clock
        self.told: list[int] = []
        self.mag = 14.0
        self.ledger = LedgerAlone(
            database=database, site=site, clock=clock, on_results=self.told.extend,
            instruments={i.name: i for i in find_instruments(site.camera)})

    def drop(self, *names: str, content: str = "", folder: str = "raw", wanted: bool = False,
             ) -> list[int]:
        found = []
        for name in names:
            path = self.site.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or content:
                path.write_text(content or name, encoding="utf-8")
            info = path.stat()
            found.append(FoundFile(archive="raw", path=path, size=info.st_size,
                                   mtime_ns=info.st_mtime_ns, completed_at=self.clock(),
                                   wanted=wanted))
        return self.ledger.accept(found)

    def answer(self, claim: Claim) -> Outcome:
        request = claim.request
        if isinstance(request, ClassifyRequest):
            return Done(value=Classified(facts=facts_of(request.path.name), size=1,
                                         sha256=request.path.read_text(encoding="utf-8")))
        if isinstance(request, MasterRequest):
            names = tuple(path.name for path in request.inputs)
            return Done(value=MasterBuilt(sha256=",".join(names), n_frames=len(names), level=300.0,
                                          scatter=1.0, used=names))
        if isinstance(request, CalibrateRequest):
            return Done(value=SeriesCalibrated(results=tuple(
                (frame.id, result_of(frame.facts, self.mag)) for frame in request.frames)))
        assert isinstance(request, ReduceRequest)
        return Done(value=reduced(request, self.mag))

    def work(self, answer: Callable[[Claim], Outcome] | None = None) -> list[str]:
        """Do all there is to do; labels in the order in which it was done."""
        return work_off(self.ledger, self.clock, answer or self.answer, most=500)

    def frames(self, name: str) -> list[Frame]:
        """The frames of a name."""
        return rows(self.database, Frame, Frame.name == name)

    def frame(self, name: str) -> Frame:
        """The first of these."""
        return self.frames(name)[0]

    def state(self, name: str) -> str:
        return self.frame(name).state

    def result(self) -> Result:
        """The one that there is."""
        (result,) = rows(self.database, Result)
        return result


def facts_of(name: str) -> FrameFacts:
    """bias-1, flat-R-2, science-R-3 and so on; a second number is the day of the night."""
    kind, *rest = name.split(".", maxsplit=1)[0].split("-")
    band = rest[0] if kind in ("flat", "science") else None
    number = int(rest[-1])
    return FrameFacts(telescope="OSN-T090", instrument="AndorT90", kind=FrameKind(kind),
                      night="2022-09-08" if "old" not in name else "2022-09-01",
                      jd_start=NIGHT_JD + number / 1000, exptime_s=60.0, shape=(1024, 1024),
                      binning=2, band=band)


def result_of(facts: FrameFacts, mag: float) -> ResultValue:
    return ResultValue(
        source="BL Lac", band=facts.band or "", mode="photometry", jd_mid=facts.jd_mid,
        bjd_tdb=float("nan"), exptime_s=60.0, mag=mag, mag_err=0.01, zero_point=21.5,
        zero_point_err=0.01, n_calibrators=3, fwhm_arcsec=2.0, airmass=1.1, flags=0)


def reduced(request: ReduceRequest, mag: float) -> Reduced:
    nan = float("nan")
    value = result_of(request.facts, mag)
    return Reduced(
        wcs={}, n_detected=100, n_matched=50, wcs_rms_px=0.05, fwhm_px=2.6, fwhm_arcsec=2.0,
        sky=100.0, sky_sigma=5.0, aperture_px=3.3, annulus_px=(5.5, 9.9), airmass=1.1,
        bjd_tdb=nan, results=(value,), measurements=(Measurement(
            source="BL Lac", x=1.0, y=2.0, flux=1000.0, flux_err=5.0, mag_inst=-7.5,
            mag_inst_err=0.005, snr=200.0, sky=100.0, flags=0),))
