"""A site with a frame of BL Lac's field that is kept, its calibrators measured, and star lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from iop4d.config import Site
from iop4d.fits.write import write_image
from iop4d.model.source import Source
from iop4d.science.tan import Wcs
from iop4d.store import catalogue, schema
from iop4d.store.database import Database, Transaction
from tests.web import observatory

RA, DEC = 330.680390, 42.277778  # BL Lac
NAME = "2200+420"
WCS = Wcs(ra0=RA, dec0=DEC, x0=300.0, y0=300.0, cd=((-1.0 / 3600, 0.0), (0.0, 1.0 / 3600)))
COLUMNS = ("objID,raMean,decMean,nDetections,gMeanPSFMag,gMeanPSFMagErr,gMeanApMagStd,rMeanPSFMag,"
           "rMeanPSFMagErr,rMeanApMagStd,iMeanPSFMag,iMeanPSFMagErr,iMeanApMagStd,iMeanKronMag")
_FRAMES = 6
VARIES = 12


def pan_starrs() -> str:
    """A table as MAST gives it: three stars that can calibrate, one of them variable (number 12,
    on our own frames), one that is too faint."""
    return "\n".join([COLUMNS, _star(11, 1.5, 15.0), _star(12, 2.4, 14.0), _star(14, -2.6, 15.5),
                      _star(13, -3.2, 19.0)]) + "\n"


def _star(number: int, north_arcmin: float, r: float) -> str:
    mags = ",".join(f"{mag:.3f},0.002,0.004" for mag in (r + 0.6, r, r - 0.2))
    return f"{number},{RA - 0.03:.6f},{DEC + north_arcmin / 60.0:.6f},60,{mags},{r - 0.2:.3f}"


def fill(root: Path) -> Site:
    """The site, with its daemon's database filled."""
    site = observatory.site(root)
    observatory.fill(site, hostile=False)
    path = root / "reduced" / "field.fits"
    path.parent.mkdir(exist_ok=True)
    database = Database(site.database)
    with database.write() as tx:
        source = catalogue.find(tx, NAME)
        stars = catalogue.load(tx).calibrators_of(NAME)
        write_image(path, _image((source, *stars)), WCS.cards())
        for number in range(_FRAMES):
            _frame(tx, number, path, stars)
        for row in tx.select(schema.Result).where(schema.Result.source == NAME):
            tx.set_by_key(schema.Result, row.id, calibrators=[
                {"source": star.name, "zero_point": 23.4, "zero_point_err": 0.01, "weight": 0.2,
                 "residual": 0.004 * (-1) ** place, "why_not": "too far off" if place == 1 else ""}
                for place, star in enumerate(stars)])
    database.close()
    return site


def _image(stars: tuple[Source, ...]) -> np.ndarray:
    image = np.random.default_rng(1).normal(200.0, 4.0, (600, 600)).astype(np.float32)
    x, y = WCS.to_pixel([s.ra_deg for s in stars], [s.dec_deg for s in stars])
    for i, j in zip(x, y, strict=True):
        if 4 < i < 595 and 4 < j < 595:
            image[round(j) - 2:round(j) + 3, round(i) - 2:round(i) + 3] += 4000.0
    return image


def _frame(tx: Transaction, number: int, path: Path, stars: tuple[Source, ...]) -> None:
    rng = np.random.default_rng(number)
    frame = tx.create(
        schema.Frame, archive="t220", path=f"/raw/f{number}", telescope="T220",
        night=f"2026-01-0{1 + number}", name=f"f{number}.fit", size=1, mtime_ns=1, state="done",
        kind="science", instrument="CAFOS", band="R", object="BLLac", exptime_s=60.0,
        jd_start=2461042.3 + number, binning=1, ny=600, nx=600, reduced_path=str(path),
        info={"wcs": WCS.cards(), "fwhm_px": 4.0, "sky_sigma": 4.0}, completed_at=1.0, seen_at=1.0,
        changed_at=1.0)
    cloud = rng.normal(0.0, 0.2)
    for star in stars:
        x, y = WCS.to_pixel([star.ra_deg], [star.dec_deg])
        mag = star.magnitudes["R"][0] - 21.0 + cloud + rng.normal(0.0, 0.004)
        tx.create(schema.Measurement, frame=frame.id, source=star.name, x=x[0], y=y[0],
                  mag_inst=mag, mag_inst_err=0.005, flags=0)
    tx.create(schema.Measurement, frame=frame.id, source=NAME, x=300.0, y=300.0, mag_inst=-8.0,
              mag_inst_err=0.005, flags=0)
    tx.create(schema.FrameStars, frame=frame.id, stars=_star_list(number, cloud, stars))


def _star_list(number: int, cloud: float, stars: tuple[Source, ...]) -> list[list[float]]:
    rng = np.random.default_rng(100 + number)
    found = [(s.ra_deg, s.dec_deg, s.magnitudes["R"][0]) for s in stars]
    for line in pan_starrs().splitlines()[1:]:
        name, ra, dec, *rest = line.split(",")
        change = 0.2 * (-1) ** number if int(name) == VARIES else 0.0
        found.append((float(ra), float(dec), float(rest[4]) - 0.3 + change))
    x, y = WCS.to_pixel([one[0] for one in found], [one[1] for one in found])
    flux = [10.0 ** (-0.4 * (mag - 25.0 + cloud + rng.normal(0.0, 0.004))) for _, _, mag in found]
    return [[float(a), float(b), float(c)] for a, b, c in zip(x, y, flux, strict=True)]
