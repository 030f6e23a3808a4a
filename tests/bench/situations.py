"""The situations of hard nights: what the sky, the telescope, the camera and the catalogue do."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from iop4d.config.site import Polarimetry
from iop4d.instruments.discovery import find_instruments
from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.simulator.conditions import Conditions
from iop4d.simulator.night import jd_of_evening
from iop4d.simulator.plan import PHOTOMETRY, POLARIMETRY, NightPlan
from iop4d.simulator.setups import Setup, setup_of
from iop4d.simulator.sky import field_of, load_sky
from tests.bench.nights import PEAK_ADU, exposure_s, mag_of_peak, night_of

ALL = QUANTITIES = ("mag", "q", "u", "p", "chi")
CHECK_STARS = 8  # of each field that are listed as targets besides
_SEEING = 1.9  # arcsec, in the zenith
#: Scatter of the transparency from frame to frame, a fraction: that for which the errors of groups
#: allow by default ([polarimetry] transparency_scatter); a perfectly steady sky has smaller ones.
_TRANSPARENCY = Polarimetry().transparency_scatter / MAG_PER_RELATIVE_FLUX
_FULL = 65535.0  # ADU at which all the converters clip
_CONSTANTS = {i.name: i.polarimeter for i in find_instruments()}

Rows = list[dict[str, str]]


def _as_it_is(path: Path, _number: int) -> Path:
    return path


def _all(rows: Rows) -> Rows:
    return rows


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A situation. ``conditions``: of (setup, positions of a group); ``catalogue``: changes the
    rows of the catalogue; ``container``: packs a file, by its number. ``judged``: the quantities
    that have a truth. ``own_masters``: the camera's are not those of other nights. ``clean``:
    nothing is wrong with most of what is measured, which is to have no flag. ``hopeless``: it may
    give no result at all. ``shared``: quantities whose errors are mostly those that all numbers
    share, and say nothing of the random ones. ``short``: instruments besides AndorT90 that have it
    in the short form, where they are slow."""

    name: str
    conditions: Callable[[Setup], Conditions] = lambda _: Conditions()
    polarisation: tuple[float, float] = (0.08, 35.0)
    where: str = "S50716+714"
    seeing: float = _SEEING
    exposure: float = 1.0  # times the usual one
    peak_adu: float = PEAK_ADU  # to which the usual one brings the target
    plan: Mapping[str, Any] = field(default_factory=dict)
    catalogue: Callable[[Rows], Rows] = _all
    container: Callable[[Path, int], Path] = _as_it_is
    judged: tuple[str, ...] = QUANTITIES
    own_masters: bool = False
    clean: bool = False
    hopeless: bool = False
    shared: tuple[str, ...] = ()
    short: tuple[str, ...] = ()


def _given(**values: Any) -> Callable[[Setup], Conditions]:
    """The same conditions for every instrument."""
    return lambda _: Conditions(**values)


def _arcsec(setup: Setup, arcsec: float) -> float:
    return arcsec / setup.ccd.pixel_arcsec


def _hit(part: float) -> Callable[[Setup], Conditions]:
    """A cosmic ray on one position of each group, and on one photometry frame of four."""
    def made(setup: Setup) -> Conditions:
        n = len(setup.optics.angles_deg)
        whole = int(setup.part is not None)
        return Conditions(hit=part, hit_frames=tuple(range(1 + whole, 40 * n, n)))
    return made


def _satellite(part: float) -> Callable[[Setup], Conditions]:
    """The trail of one across the same frames."""
    return lambda setup: replace(_hit(0.0)(setup), satellite=part)


def _dead(setup: Setup) -> Conditions:
    """Two dead columns through the target's image, as the camera reads it."""
    window = setup.polarimetry or setup.photometry
    x = window.x + window.nx // 2 if window else setup.ccd.shape[1] // 2
    return Conditions(dead_columns=(x, x + 1, x + 40))


def _clipped(full: float) -> Callable[[Setup], Conditions]:
    """A target that a minute brings to twice what the converter holds."""
    return lambda setup: Conditions(
        full_adu=full, target_mag=mag_of_peak(setup, 2.0 * full, 60.0, _SEEING))


def _one_calibrator(rows: Rows) -> Rows:
    """The brightest but one."""
    calibrators = sorted((r for r in rows if r["kind"] == "calibrator"),
                         key=lambda r: float(r["mag_R"]))
    return [r for r in rows if r["kind"] != "calibrator" or r is calibrators[1]]


def _wrong_calibrator(rows: Rows) -> Rows:
    """One catalogue magnitude is half a magnitude off."""
    wrong = next(r for r in rows if r["kind"] == "calibrator")
    return [r | {"mag_R": f"{float(r['mag_R']) + 0.5:.4f}"} if r is wrong else r for r in rows]


def _mixed(path: Path, number: int) -> Path:
    """As it is, gzipped, or tile-compressed, in turn."""
    if number % 3 == 0:
        return path
    if number % 3 == 1:
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    else:
        packed = path.with_name(path.name + ".fz")
        with fits.open(path) as units:
            fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(
                np.array(units[0].data), units[0].header, compression_type="RICE_1")]).writeto(
                    packed)
    path.unlink()
    return packed


_QU = ("q", "u")
SITUATIONS: tuple[Situation, ...] = (
    Situation(name="easy", clean=True, short=("DIPOL",)),
    Situation(name="seeing 4", clean=True, seeing=4.0),
    Situation(name="moon", clean=True, conditions=_given(moon=(3.0, 0.8))),
    Situation(name="clouds", clean=True, conditions=_given(clouds=(0.0, 0.6, 0.2, 1.0, 0.4))),
    Situation(name="donut", conditions=lambda s: Conditions(donut_px=_arcsec(s, 4.0))),
    Situation(name="trail", clean=True, conditions=lambda s: Conditions(trail_px=_arcsec(s, 5.0))),
    Situation(name="crowd", clean=True, where="BLLac", conditions=_given(faint_stars=30.0),
              shared=("mag",)),  # of a star that hides under the target, on every frame
    Situation(name="bright neighbour", conditions=_given(neighbour=(9.5, 30.0, 70.0))),
    Situation(name="close neighbour", conditions=_given(neighbour=(15.5, 5.0, 200.0))),
    Situation(name="blend", conditions=_given(neighbour=(14.5, 1.8, 200.0))),
    *(Situation(name=f"hit {part} %", conditions=_hit(part / 100.0),
                short=("DIPOL",) if part == 10 else ()) for part in (1, 3, 10, 30)),
    Situation(name="dead columns", conditions=_dead, own_masters=True),
    Situation(name="isp", clean=True, shared=ALL, where="BLLac",
              plan={"interstellar": (-0.008, 0.006)}),
    Situation(name="host", clean=True, polarisation=(0.0, 0.0), judged=_QU, conditions=_given(
        host=(13.7, 8.0), target_mag=14.3, seeing=(1.0, 1.05, 1.1, 1.2, 0.95))),
    Situation(name="changing seeing", clean=True,
              conditions=_given(seeing=(1.0, 1.5, 0.8, 1.3, 1.1))),
    Situation(name="faint", clean=True, polarisation=(0.15, 120.0),
              conditions=_given(target_mag=17.5)),
    Situation(name="short exposures", clean=True, conditions=lambda s: Conditions(
        target_mag=mag_of_peak(s, PEAK_ADU, 5.0, _SEEING))),
    Situation(name="p 0.5 %", clean=True, polarisation=(0.005, 20.0)),
    Situation(name="p 0", clean=True, polarisation=(0.0, 0.0)),
    Situation(name="turned", shared=ALL, plan={"turned_deg": 37.0}),
    Situation(name="turned alone", shared=ALL, plan={"turned_deg": 37.0, "turns_with": False}),
    Situation(name="mirrored", conditions=_given(mirrored=True), judged=("mag", "p")),
    Situation(name="pointing", clean=True, conditions=_given(
        off_arcmin=(0.8, -0.6), header_off_arcmin=(25.0, 15.0))),
    Situation(name="five stars", conditions=_given(most_stars=0), where="4C38.41"),
    Situation(name="one calibrator", clean=True, catalogue=_one_calibrator),
    Situation(name="wrong calibrator", catalogue=_wrong_calibrator),
    Situation(name="colour term", shared=ALL, where="3C66A",  # calibrators disagree, and say so
              conditions=_given(colour_terms={"R": 0.1})),
    Situation(name="saturated calibrators", exposure=4.0),
    Situation(name="saturated", conditions=_clipped(_FULL), peak_adu=2.0 * _FULL),
    Situation(name="14 bit", conditions=_clipped(16383.0), peak_adu=2.0 * 16383.0),
    Situation(name="12 bit", conditions=_given(full_adu=4095.0), peak_adu=1500.0),
    Situation(name="containers", clean=True, container=_mixed),
    *(Situation(name=f"satellite {part} %", conditions=_satellite(part / 100.0))
      for part in (5, 50)),
)


def plan_of(situation: Situation, instrument: str, seed: int, *, groups: int = 0,
            frames: int = 0) -> NightPlan:
    """The situation's night with an instrument: so many groups, or frames of photometry."""
    setup = setup_of(instrument)
    where = field_of(situation.where)
    night = _night(situation.where, setup.sample_night)
    polarimeter = _CONSTANTS[instrument]
    assert polarimeter is not None
    conditions = situation.conditions(setup)
    calibration = 7 if situation.own_masters else 0
    plan = NightPlan(
        instrument=instrument, seed=seed, fields=(where.object,), night=night,
        mode=POLARIMETRY if groups else PHOTOMETRY, groups=groups, frames=frames,
        seeing_arcsec=situation.seeing, transparency=_TRANSPARENCY, drift_phase=(seed % 97) / 97.0,
        exptime_s=situation.exposure * exposure_s(
            setup, where.quiet_mag if conditions.target_mag is None else conditions.target_mag,
            situation.seeing, situation.peak_adu),
        n_bias=calibration, n_dark=calibration, n_flat=calibration,
        constants=polarimeter.constants_at(jd_of_evening(night)), conditions=conditions,
        polarisation={where.object: situation.polarisation})
    return replace(plan, **situation.plan)


@cache
def _night(where: str, sample: str) -> str:
    """A night in whose evening a field stands high."""
    return night_of(field_of(where), sample)


def catalogue_of(situation: Situation, plan: NightPlan) -> str:
    """The catalogue, whose magnitudes are true but for what the situation makes of them."""
    text = load_sky().catalogue_csv(fields=(field_of(plan.fields[0]),), check_stars=CHECK_STARS)
    rows = situation.catalogue(list(csv.DictReader(io.StringIO(text))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
