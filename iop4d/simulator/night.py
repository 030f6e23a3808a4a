"""A simulated night: makes the frames of a plan, and says what is true about each."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.model.polarimeter import Analyser
from iop4d.simulator.almanac import dark_hours, is_high, seconds_until_dawn
from iop4d.simulator.camera import (
    Ccd,
    Image,
    Psf,
    Window,
    bias_level,
    dark_current,
    expose,
    flat_field,
    scintillation,
    star_light,
)
from iop4d.simulator.conditions import (
    Conditions,
    camera_of,
    pixels_of,
    plane_of,
    satellite_trail,
    smeared,
    stars_of,
    with_dead_columns,
)
from iop4d.simulator.frames import SimulatedFrame, StarTruth, Truth, write_frame
from iop4d.simulator.headers import Shot
from iop4d.simulator.plan import POLARIMETRY, Flare, NightPlan, Planned, checked, schedule
from iop4d.simulator.polarised import Optics, draw, in_two_images, on_sky, seen, through_polariser
from iop4d.simulator.setups import Setup
from iop4d.simulator.sky import (
    FIELD_RADIUS_ARCMIN,
    FIELDS,
    Field,
    Sky,
    Stars,
    airmass,
    field_of,
    load_sky,
    project,
)

__all__ = ["Flare", "Night", "NightPlan", "SimulatedFrame", "StarTruth", "Truth", "jd_of_evening",
           "project"]

Floats = NDArray[np.float64]

_EXTINCTION = {"B": 0.25, "V": 0.15, "R": 0.10, "I": 0.06}  # magnitudes per airmass
_EVENING = 0.30  # days after the local noon that begins the night
_NOON_JD = 2440587.5 + 0.5 + 3.3846 / 360.0  # of 1970-01-01 at the OSN's longitude
_TARGET_P = (0.02, 0.25)  # range of degrees of polarisation that the seed draws
_POINTING_PX = 40.0  # by which a telescope that is set anew for each field misses
# Random numbers besides those of the frames come from streams of their own, by these numbers; the
# frames of a plan without polarisation are those of earlier versions, to the last bit.
_DRAW_STARS, _DRAW_NIGHT, _DRAW_HIT = 41, 43, 53


def jd_of_evening(night: str) -> float:
    """JD(UTC) at which a night's first frame is taken."""
    days = (date.fromisoformat(night) - date(1970, 1, 1)).days
    return _NOON_JD + days + _EVENING


@dataclass(frozen=True, kw_only=True)
class _Images:
    """The images of a frame's stars: pixels, light; ``ordinary`` is empty where there is one each.

    ``chosen``: which of the field's stars have an image near the frame.
    """

    chosen: NDArray[np.bool_]
    x: Floats
    y: Floats
    extraordinary: Floats
    ordinary: Floats
    offset: tuple[float, float] | None

    def all(self) -> tuple[Floats, Floats, Floats]:
        """x, y and light of every image."""
        if self.offset is None:
            return self.x, self.y, self.extraordinary
        dx, dy = self.offset
        return (np.concatenate([self.x, self.x + dx]), np.concatenate([self.y, self.y + dy]),
                np.concatenate([self.extraordinary, self.ordinary]))


@dataclass
class Night:
    """Makes the frames of a plan, in order of time. The same plan gives the same bytes."""

    plan: NightPlan
    sky: Sky = field(default_factory=load_sky)

    def __post_init__(self) -> None:
        self._setup: Setup = checked(self.plan)
        self._hard: Conditions = self.plan.conditions
        self._ccd: Ccd = camera_of(self._setup.ccd, self._hard)
        self._stars: dict[Field, Stars] = {}
        self._optics: Optics = self._setup.optics
        self._rng = np.random.default_rng(self.plan.seed)
        self._start = dark_hours(self.plan.night)[0] if self.plan.dark else \
            jd_of_evening(self.plan.night)
        ny, nx = self._ccd.shape
        self._whole = Window(x=0, y=0, nx=nx, ny=ny)
        drawn = np.random.default_rng([self.plan.seed, _DRAW_NIGHT])
        turn, dx, dy = np.clip(drawn.normal(0.0, 1.0, 3), -2.0, 2.0)
        self._angle = self._setup.angle_deg[0] + self._setup.angle_deg[1] * float(turn) \
            + self.plan.turned_deg
        (x, y), (sx, sy) = self._optics.offset_px, self._optics.spread_px
        self._offset = (x + sx * float(dx), y + sy * float(dy))
        self._miss = drawn.uniform(-_POINTING_PX, _POINTING_PX, (len(FIELDS), 2))
        self._stokes: dict[Field, tuple[Floats, Floats]] = {}

    @cached_property
    def _flat(self) -> Image:
        return with_dead_columns(flat_field(self._ccd), self._hard)

    @cached_property
    def _bias(self) -> Image:
        return bias_level(self._ccd)

    @cached_property
    def _dark(self) -> Image | None:
        return dark_current(self._ccd) if self._ccd.dark_e_s else None

    def frames(self) -> Iterator[SimulatedFrame]:
        """Biases, darks, flats of each band, then science frames."""
        night = schedule(self.plan, self._setup, is_high=self._is_high, ends_s=seconds_until_dawn(
            self.plan.night)) if self.plan.dark else schedule(self.plan, self._setup)
        for planned in night:
            if planned.where is None:
                yield self._calibration(planned)
            else:
                yield self._science(planned, planned.where)

    def _is_high(self, where: Field, at_s: float) -> bool:
        stars = self._stars_of(where)
        return is_high(self._start + at_s / 86400.0, float(stars.ra[0]), float(stars.dec[0]))

    def _calibration(self, planned: Planned) -> SimulatedFrame:
        window = self._reads(self.plan.mode if self.plan.window_masters else "photometry")
        light = np.zeros(window.shape, dtype=self._ccd.dtype)
        if planned.kind == "FLAT":
            light = self._rng.uniform(18000, 32000) * window.of(self._flat)
        return self._frame(planned, window, self._expose(light, window, planned.exptime_s))

    def _reads(self, mode: str) -> Window:
        """What is read of the CCD, sub-frames aside."""
        setup = self._setup
        return (setup.polarimetry if mode == POLARIMETRY else setup.photometry) or self._whole

    def _expose(self, light: Image, window: Window, exptime_s: float, cosmic_rays: int = 0,
                hits: tuple[tuple[int, int, float], ...] = ()) -> NDArray[np.uint16]:
        dark = None if self._dark is None or not exptime_s else (
            window.of(self._dark) * self._dark.dtype.type(exptime_s))
        return expose(self._ccd, light, self._rng, cosmic_rays=cosmic_rays, hits=hits, dark_e=dark,
                      bias=window.of(self._bias))

    def _frame(self, planned: Planned, window: Window, data: NDArray[np.uint16], *,
               pointing: tuple[float, float] | None = None) -> SimulatedFrame:
        shot = Shot(
            kind=planned.kind, instrument=self._setup.name, binning=self._setup.binning,
            jd_start=self._start + planned.at_s / 86400, exptime_s=planned.exptime_s,
            window=window, band=planned.band, number=planned.number, plate_deg=planned.plate_deg,
            object=planned.where.object if planned.where else "", pointing_deg=pointing,
            flipped=self.plan.flipped, fts=self.plan.fts)
        return SimulatedFrame(
            name=self._setup.file_name(shot), kind=planned.kind, header=self._setup.header(shot),
            data=np.ascontiguousarray(data[::-1]) if self.plan.flipped else data,
            at_s=planned.at_s + planned.exptime_s)

    def _science(self, planned: Planned, where: Field) -> SimulatedFrame:
        rng, ccd, plan, band, hard = self._rng, self._ccd, self.plan, planned.band, self._hard
        jd_mid = self._start + planned.at_s / 86400 + plan.exptime_s / 2 / 86400
        stars = self._stars_of(where)
        mags = stars.magnitudes[band].copy()
        mags[0] = self._target_mag(where, mags[0], stars.magnitudes["R"][0], planned.hours)
        air = airmass(jd_mid, stars.ra[0], stars.dec[0])
        clouds = plan.cloud_mag * rng.random() ** 2 if plan.cloud_mag else 0.0
        clouds += hard.clouds_of(planned.index)
        seeing = plan.seeing_arcsec * air**0.6 * rng.normal(1.0, 0.03)
        seeing *= hard.seeing_of(planned.index)
        window = self._window(planned, where)
        wcs = self._wcs(planned, where, window, stars)
        clear = 1.0
        if plan.transparency and planned.mode == POLARIMETRY:
            clear = max(1.0 + plan.transparency * rng.standard_normal(), 0.1)
        faded = mags + _EXTINCTION[band] * air + clouds
        if term := hard.colour_terms.get(band, 0.0):
            faded -= term * (stars.magnitudes["B"] - stars.magnitudes["V"])
        psf = Psf(fwhm_px=seeing / ccd.pixel_arcsec)
        images = self._images(planned, where, wcs, window, stars, psf, jd_mid)
        flux = clear * plan.exptime_s * 10 ** (
            0.4 * (ccd.zero_point[band] - faded[images.chosen]))
        flux *= 1 + scintillation(ccd, plan.exptime_s, air) * rng.standard_normal(flux.size)
        sky = float(plan.exptime_s * ccd.pixel_arcsec**2 * 10 ** (
            0.4 * (ccd.zero_point[band] - ccd.sky_mag[band])) * (1 + clouds))
        light = self._starlight(planned, images, flux, psf, window)
        moon, slope = hard.sky(window, self._whole.nx)
        sky *= moon
        light += sky * (1 + self._slope(window) + slope)
        light *= window.of(self._flat)
        hits = plan.cosmic_rays * window.nx * window.ny / (self._whole.nx * self._whole.ny)
        data = self._expose(light, window, plan.exptime_s, round(hits),
                            self._hits(planned, images, flux))
        frame = self._frame(planned, window, data, pointing=self._pointing(stars))
        truth = Truth(
            name=frame.name, source=where.source, band=band, exptime_s=plan.exptime_s,
            jd_mid=jd_mid, target_mag=float(mags[0]), wcs=wcs, fwhm_arcsec=float(seeing),
            sky_adu=sky, extinction_mag=float(clouds), airmass=air, density=where.density,
            stars=self._star_truth(where, images, mags, stars, data),
            instrument=self._setup.name, mode=planned.mode, polariser_deg=planned.plate_deg,
            group=planned.group, pair_offset=images.offset, origin=(window.x, window.y),
            transparency=clear, **self._target_polarisation(planned, where))
        return SimulatedFrame(name=frame.name, kind=frame.kind, header=frame.header,
                              data=frame.data, at_s=frame.at_s, truth=truth)

    def _starlight(self, planned: Planned, images: _Images, flux: Floats, psf: Psf,
                   window: Window) -> Image:
        """The light of all images and trails on a window, ADU; ``flux``: of the chosen stars."""
        x, y, part = images.all()
        light = star_light(
            x, y, np.resize(flux, part.size) * part, psf, window.shape, whole=self._ccd.shape,
            origin=(window.x, window.y), dtype=self._ccd.dtype)
        light = smeared(light, self._hard)
        for trail in self._trails(planned, images, flux, psf, window):
            light += trail
        return light

    def _pointing(self, stars: Stars) -> tuple[float, float]:
        """(RA, Dec) that the header tells, degrees: near the target, or off by what the night has.
        """
        east, north = self._hard.header_off_arcmin
        east /= math.cos(math.radians(stars.dec[0]))
        return (stars.ra[0] + self._rng.uniform(-30, 30) / 3600 + east / 60,
                stars.dec[0] + self._rng.uniform(-30, 30) / 3600 + north / 60)

    def _stars_of(self, where: Field) -> Stars:
        """The stars of a field under the night's conditions."""
        if where not in self._stars:
            self._stars[where] = stars_of(self.sky.stars(where), self._hard, self.plan.seed,
                                          FIELD_RADIUS_ARCMIN)
        return self._stars[where]

    def _hits(self, planned: Planned, images: _Images,
              flux: Floats) -> tuple[tuple[int, int, float], ...]:
        """(x, y, electrons) of the cosmic ray that hits the target's (extraordinary) image."""
        if not self._hard.hits(planned.index) or not images.chosen[0]:
            return ()
        rng = np.random.default_rng([self.plan.seed, _DRAW_HIT, planned.index])
        reach, turn = self._hard.hit_px * math.sqrt(rng.random()), rng.uniform(0.0, 2 * math.pi)
        return ((round(float(images.x[0]) + reach * math.cos(turn)),
                 round(float(images.y[0]) + reach * math.sin(turn)),
                 self._hard.hit * float(flux[0]) * self._ccd.gain_e_adu),)

    def _trails(self, planned: Planned, images: _Images, flux: Floats, psf: Psf,
                window: Window) -> Iterator[Image]:
        """The trail of a satellite across the target, in each of its images."""
        if not self._hard.is_crossed(planned.index) or not images.chosen[0]:
            return
        rng = np.random.default_rng([self.plan.seed, _DRAW_HIT, planned.index])
        reach, turn = 0.5 * psf.fwhm_px * rng.uniform(-1.0, 1.0), rng.uniform(0.0, math.pi)
        for dx, dy in ((0.0, 0.0), *((images.offset,) if images.offset else ())):
            yield satellite_trail(
                window.shape, float(images.x[0]) + dx - reach * math.sin(turn),
                float(images.y[0]) + dy + reach * math.cos(turn), turn=turn, fwhm=psf.fwhm_px,
                light=self._hard.satellite * float(flux[0]) / (2.0 if images.offset else 1.0),
            ).astype(self._ccd.dtype)

    def _slope(self, window: Window) -> Image:
        """Of the sky, which is brighter on one side."""
        slope = np.linspace(-0.01, 0.01, self._whole.nx)[None, :].astype(self._ccd.dtype)
        return slope[:, window.x:window.x + window.nx]

    def _target_mag(self, where: Field, mag: float, mag_red: float, hours: float) -> float:
        """Slow variation of every target, and the flare of the first; colour stays."""
        turn = sum(map(ord, where.source)) % 10 / 10.0 + self.plan.drift_phase
        phase = 2 * math.pi * (hours / 9.0 + turn)
        quiet = where.quiet_mag if self._hard.target_mag is None else self._hard.target_mag
        mag = mag + (quiet - mag_red) + 0.05 * math.sin(phase)
        if self.plan.flare is not None and where == field_of(self.plan.fields[0]):
            mag -= self.plan.flare.brightening(hours)
        return mag

    def _aim(self, planned: Planned, where: Field) -> tuple[float, float]:
        """0-based pixel of the CCD to which the telescope puts the target."""
        reads = self._reads(planned.mode)
        miss = self._miss[FIELDS.index(where)] if self._setup.part else (0.0, 0.0)
        # The target is seen as far on the other side of where the telescope points.
        dx, dy = pixels_of(*(-arcmin for arcmin in self._hard.off_arcmin),
                           wcs=self._plane(0.0, 0.0, (0.0, 0.0), self._angle))
        return (reads.x + reads.nx / 2 - 0.5 + float(miss[0]) + dx,
                reads.y + reads.ny / 2 - 0.5 + float(miss[1]) + dy)

    def _plane(self, ra: float, dec: float, crpix: tuple[float, float],
               angle_deg: float) -> dict[str, float]:
        return plane_of(ra, dec, crpix=crpix, angle_deg=angle_deg,
                        scale_arcsec=self._ccd.pixel_arcsec, conditions=self._hard)

    def _window(self, planned: Planned, where: Field) -> Window:
        """What is read; a sub-frame has the middle between the target's images in its middle."""
        if not planned.part or self._setup.part is None:
            return self._reads(planned.mode)
        nx, ny = self._setup.part
        x, y = self._aim(planned, where)
        dx, dy = self._optics.offset_px  # the observer knows no better
        return Window(x=round(x + dx / 2 - nx / 2), y=round(y + dy / 2 - ny / 2), nx=nx, ny=ny)

    def _wcs(self, planned: Planned, where: Field, window: Window,
             stars: Stars) -> dict[str, float]:
        """A tangent plane, the target where the telescope is aimed at, to some pixels."""
        rng, jitter, (x, y) = self._rng, self._setup.jitter_px, self._aim(planned, where)
        angle = self._angle + rng.normal(0, 0.02)
        crpix = (x - window.x + 1.0 + rng.uniform(-jitter, jitter),
                 y - window.y + 1.0 + rng.uniform(-jitter, jitter))
        return self._plane(stars.ra[0], stars.dec[0], crpix, angle)

    def _images(self, planned: Planned, where: Field, wcs: dict[str, float], window: Window,
                stars: Stars, psf: Psf, jd: float) -> _Images:
        """Where stars are seen, and what part of its light each image has."""
        x, y = project(wcs, stars.ra, stars.dec)
        margin = max(40.0, 4.0 * psf.fwhm_px)
        chosen = _near(x, y, window, margin)
        polarised = planned.mode == POLARIMETRY
        double = self._optics.is_double and (polarised or self._optics.stays)
        offset = self._offset
        if self._optics.offsets_px and planned.plate_deg is not None:
            offset = self._optics.offsets_px[self._optics.angles_deg.index(planned.plate_deg)]
        if double:
            chosen |= _near(x + offset[0], y + offset[1], window, margin)
        extraordinary, ordinary = np.ones(int(chosen.sum())), np.zeros(0)
        if double or polarised:
            constants = self.plan.constants or self._optics.constants_at(jd)
            if self.plan.turns_with:  # with the polariser: angles are counted from further east
                constants = replace(constants,
                                    angle_deg=constants.angle_deg + self.plan.turned_deg)
            q, u = self._stars_stokes(where)
            q, u = seen(q[chosen], u[chosen], constants)
            angle = planned.plate_deg or 0.0
            if self._optics.analyser is Analyser.FIXED:
                angle /= 2.0  # as of a plate that turns the light as far
            if double:
                ordinary, extraordinary = in_two_images(q, u, angle, ratio=self.plan.beam_ratio)
            else:
                extraordinary = through_polariser(q, u, angle)
        return _Images(chosen=chosen, x=x[chosen], y=y[chosen], extraordinary=extraordinary,
                       ordinary=ordinary, offset=offset if double else None)

    def _stars_stokes(self, where: Field) -> tuple[Floats, Floats]:
        """q and u of a field's stars on the sky; the target is the first."""
        if where not in self._stokes:
            rng = np.random.default_rng([self.plan.seed, _DRAW_STARS, FIELDS.index(where)])
            p, chi = rng.uniform(*_TARGET_P), rng.uniform(0.0, 180.0)
            for name, given in self.plan.polarisation.items():
                if field_of(name) == where:
                    p, chi = given
            kind = self._stars_of(where).kind
            q, u = draw(rng, kind.size, self.plan.field_polarisation)
            q[kind == "host"] = u[kind == "host"] = 0.0
            q, u = q + self.plan.interstellar[0], u + self.plan.interstellar[1]
            q[0], u[0] = on_sky(p, chi)
            self._stokes[where] = (q, u)
        return self._stokes[where]

    def _target_polarisation(self, planned: Planned, where: Field) -> dict[str, float | None]:
        if planned.mode != POLARIMETRY and not self._optics.stays:
            return {}
        q, u = (float(v[0]) for v in self._stars_stokes(where))
        return {"p": math.hypot(q, u), "chi_deg": math.degrees(math.atan2(u, q)) / 2 % 180.0,
                "q": q, "u": u}

    def _star_truth(self, where: Field, images: _Images, mags: Floats, stars: Stars,
                    data: NDArray[np.uint16]) -> StarTruth:
        mag = mags[images.chosen]
        order = np.argsort(mag)
        x, y = images.x[order], images.y[order]
        full = self._is_full(data, x, y)
        ordinary: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
        if images.offset is not None:
            ordinary = (x + images.offset[0], y + images.offset[1])
            full |= self._is_full(data, *ordinary)
        q, u = self._stokes.get(where, (np.zeros(0), np.zeros(0)))
        if q.size:
            q, u = q[images.chosen][order], u[images.chosen][order]
        return StarTruth(
            x=np.round(x, 4).tolist(), y=np.round(y, 4).tolist(),
            mag=np.round(mag[order], 5).tolist(), name=stars.name[images.chosen][order].tolist(),
            saturated=full.tolist(), ordinary_x=np.round(ordinary[0], 4).tolist(),
            ordinary_y=np.round(ordinary[1], 4).tolist(), q=np.round(q, 6).tolist(),
            u=np.round(u, 6).tolist())

    def _is_full(self, data: NDArray[np.uint16], x: Floats, y: Floats) -> NDArray[np.bool_]:
        ny, nx = data.shape
        ix = np.clip(np.rint(x).astype(int), 0, nx - 1)
        iy = np.clip(np.rint(y).astype(int), 0, ny - 1)
        return np.asarray(data[iy, ix] >= self._ccd.full_adu)


def _near(x: Floats, y: Floats, window: Window, margin: float) -> NDArray[np.bool_]:
    return np.asarray((x > -margin) & (x < window.nx + margin)
                      & (y > -margin) & (y < window.ny + margin))


def write_night(night: Night, folder: Path, *, truth_path: Path | None = None,
                speed: float | None = None, is_over: Callable[[], bool] = lambda: False,
                wrote: Callable[[SimulatedFrame], None] = lambda _: None) -> int:
    """Write a night into ``folder/<yyyy-mm-dd>/``; how many frames were written.

    ``speed``: times faster than real that frames appear; None: as fast as they are made. Biases and
    flats, which are taken before the night, come without delay. ``truth_path``: a file that gets
    the truth of each science frame as a line of JSON.
    """
    place = folder / night.plan.night
    began: tuple[float, float] | None = None
    count = 0
    for frame in night.frames():
        if speed is not None and frame.truth is not None:
            began = began or (time.monotonic(), frame.at_s)
            due = began[0] + (frame.at_s - began[1]) / speed
            while time.monotonic() < due and not is_over():
                time.sleep(min(0.1, max(due - time.monotonic(), 0.0)))
        if is_over():
            break
        write_frame(frame, place)
        count += 1
        if truth_path is not None and frame.truth is not None:
            with truth_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(frame.truth.to_json()) + "\n")
        wrote(frame)
    return count
