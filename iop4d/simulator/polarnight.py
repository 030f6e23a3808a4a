"""A simulated night of polarimetry: groups of frames, and what is true about each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iop4d.simulator.camera import Psf, bias_level, flat_field, scintillation, star_light
from iop4d.simulator.headers import Shot
from iop4d.simulator.night import SimulatedFrame, jd_of_evening, project
from iop4d.simulator.rigs import RIGS, Rig
from iop4d.simulator.sky import Field, Sky, Stars, field_of, load_sky

Floats = NDArray[np.float64]

_EXTINCTION = {"B": 0.25, "V": 0.15, "R": 0.10, "I": 0.06}
_AIRMASS = 1.2
_HIGH = 1.3  # airmass below which a field stands high
_LATITUDE, _LONGITUDE = 37.1, -3.0  # of all three telescopes, roughly
_FIELD_POLARISED = 0.002  # scatter of q and of u of stars that are no targets
_FAINTEST = 19.5  # magnitude of stars that are drawn
_BEAM_RATIO = 0.005  # by which the left beam is brighter, and the right one fainter
_DRIFT_PX = 4.0  # of the field from frame to frame


@dataclass(frozen=True, kw_only=True)
class PolarPlan:
    """A night of one instrument on one field.

    ``transparency``: relative scatter from frame to frame; ``missing``: chance of each frame to be
    missing; ``mag``: of the target, drawn between 13 and 15.5 if None; ``positions``: of a group,
    the instrument's if empty; ``whole``: take a frame of the whole field first, where the
    polarimetry frames are sub-frames; ``clear``: no magnitudes of cloud beyond the transparency.
    """

    instrument: str
    seed: int = 1
    night: str = ""
    field: str = "S50716+714"
    band: str = "R"
    groups: int = 2
    seeing_arcsec: float = 2.0
    transparency: float = 0.05
    missing: float = 0.0
    mag: float | None = None
    p: float | None = None
    positions: tuple[float, ...] = ()
    exptime_s: float | None = None
    n_bias: int = 5
    n_dark: int = 3
    n_flat: int = 5
    whole: bool = True
    flipped: bool = False


@dataclass(frozen=True, kw_only=True)
class PolarTruth:
    """What is true about a frame: of the target, on the sky; ``wcs`` of the right images."""

    name: str
    instrument: str
    source: str
    band: str
    group: int
    angle: float | None
    jd_mid: float
    mag: float
    p: float
    chi_deg: float
    transparency: float
    wcs: dict[str, float]
    offset: tuple[float, float] | None
    fwhm_arcsec: float

    @property
    def q(self) -> float:
        """Q/I on the sky."""
        return self.p * math.cos(math.radians(2 * self.chi_deg))

    @property
    def u(self) -> float:
        """U/I on the sky."""
        return self.p * math.sin(math.radians(2 * self.chi_deg))


@dataclass(frozen=True, kw_only=True)
class PolarFrame(SimulatedFrame):
    """A raw frame with what is true about it; None for calibration frames."""

    polar: PolarTruth | None = None


@dataclass(frozen=True)
class _Scene:
    """One group: the target's polarisation and magnitude."""

    number: int
    p: float
    chi_deg: float
    mag: float


@dataclass
class PolarNight:
    """Makes the frames of a plan, in order of time; the same plan gives the same bytes."""

    plan: PolarPlan
    sky: Sky = field(default_factory=load_sky)

    def __post_init__(self) -> None:
        self.rig: Rig = RIGS[self.plan.instrument]
        self._rng = np.random.default_rng([self.plan.seed, self.rig.ccd.seed])
        self._where: Field = field_of(self.plan.field)
        self._stars: Stars = self._bright(self.sky.stars(self._where))
        self._start = self._when()
        rng, rig = self._rng, self.rig
        self._own_q, self._own_u = rng.normal(0.0, _FIELD_POLARISED, (2, self._stars.ra.size))
        nominal = rig.constants(self._start)
        self._q0 = rng.normal(nominal.q0, nominal.q0_err)
        self._u0 = rng.normal(nominal.u0, nominal.u0_err)
        self._angle = rng.normal(nominal.angle_deg, nominal.angle_err_deg)
        self._turn = rng.normal(*rig.sky_angle)
        self.offset = None if rig.offset is None else (
            float(rng.normal(rig.offset[0], rig.spread[0])),
            float(rng.normal(rig.offset[1], rig.spread[1])))

    def _when(self) -> float:
        """JD(UTC) of the first frame: a time of night at which the field stands high.

        Of the plan's night; else of the rig's or, month by month, one before it.
        """
        best, best_mass = 0.0, math.inf
        first = jd_of_evening(self.plan.night or self.rig.night)
        for month in range(1 if self.plan.night else 12):
            for hour in range(9):
                jd = first - 30.0 * month + hour / 24.0
                mass = _true_airmass(jd, float(self._stars.ra[0]), float(self._stars.dec[0]))
                if mass < best_mass:
                    best, best_mass = jd, mass
            if best_mass < _HIGH:
                break
        return best

    @staticmethod
    def _bright(stars: Stars) -> Stars:
        keep = (stars.magnitudes["R"] < _FAINTEST) | (stars.name != "")
        return Stars(name=stars.name[keep], kind=stars.kind[keep], ra=stars.ra[keep],
                     dec=stars.dec[keep],
                     magnitudes={band: mags[keep] for band, mags in stars.magnitudes.items()})

    @cached_property
    def _flat(self) -> Floats:
        return flat_field(self.rig.ccd).astype(np.float32)

    @cached_property
    def _bias(self) -> Floats:
        return bias_level(self.rig.ccd).astype(np.float32)

    @property
    def mag(self) -> float:
        """The target's quiet magnitude."""
        return self.plan.mag if self.plan.mag is not None else self._where.quiet_mag

    @property
    def exptime_s(self) -> float:
        """An exposure that brings the target to the rig's peak, as observers choose it."""
        if self.plan.exptime_s is not None:
            return self.plan.exptime_s
        ccd, fwhm = self.rig.ccd, self.plan.seeing_arcsec / self.rig.ccd.pixel_arcsec
        part = 0.75 / fwhm**2 / (1.0 if self.offset is None else 2.0)
        rate = 10 ** (0.4 * (ccd.zero_point[self.plan.band] - self.mag)) * part
        return float(np.clip(round(self.rig.peak_adu / rate), 2.0, self.rig.longest_s))

    def frames(self) -> Iterator[PolarFrame]:
        """Biases, darks, flats, a whole frame where there are sub-frames, then the groups."""
        at = 0.0
        for shot, level in self._calibration():
            at += 2.0
            yield self._plain(shot, level, at)
        at += 60.0
        rng, plan = self._rng, self.plan
        numbers = iter(range(1, 10_000))
        if self.rig.window is not None and plan.whole:
            scene = self._scene(0)
            yield self._light(scene, None, at, next(numbers))
            at += self.exptime_s + 8.0
        for group in range(1, plan.groups + 1):
            scene = self._scene(group)
            for angle in plan.positions or self.rig.angles:
                number = next(numbers)
                if rng.random() >= plan.missing:
                    yield self._light(scene, angle, at, number)
                at += self.exptime_s + 4.0
            at += 60.0

    def _scene(self, number: int) -> _Scene:
        rng, plan = self._rng, self.plan
        p = plan.p if plan.p is not None else rng.uniform(0.02, 0.25)
        return _Scene(number, float(p), float(rng.uniform(0.0, 180.0)),
                      float(self.mag + rng.normal(0.0, 0.05)))

    def _calibration(self) -> Iterator[tuple[Shot, float]]:
        """(what the header tells, ADU of light)."""
        plan, rig = self.plan, self.rig
        kinds = [("BIAS", "", 0.0, plan.n_bias), ("FLAT", plan.band, 4.0, plan.n_flat)]
        if rig.dark:
            kinds.insert(1, ("DARK", "", 30.0, plan.n_dark))
        for kind, band, exptime, count in kinds:
            for number in range(1, count + 1):
                level = self._rng.uniform(18000, 32000) if kind == "FLAT" else 0.0
                yield Shot(
                    kind=kind, jd_start=0.0, exptime_s=exptime, shape=rig.ccd.shape,
                    binning=rig.binning, object=kind.capitalize(), band=band,
                    origin=rig.origin, number=number, flipped=plan.flipped), level

    def _plain(self, shot: Shot, level: float, at: float) -> PolarFrame:
        shot = Shot(**{**vars(shot), "jd_start": self._start + at / 86400})
        data = self._read_out(level * self._flat, shot, whole=True)
        return PolarFrame(name=self.rig.name(shot), kind=shot.kind, header=self.rig.header(shot),
                          data=data, at_s=at + shot.exptime_s)

    def _light(self, scene: _Scene, angle: float | None, at: float, number: int) -> PolarFrame:
        rng, rig, plan = self._rng, self.rig, self.plan
        jd = self._start + at / 86400
        clear = max(rng.normal(1.0, plan.transparency), 0.3)
        seeing = plan.seeing_arcsec * rng.normal(1.0, 0.03)
        psf = Psf(fwhm_px=seeing / rig.ccd.pixel_arcsec)
        whole = angle is None or rig.window is None
        wcs, origin = self._wcs(whole)
        ny, nx = shape = rig.ccd.shape if whole or rig.window is None else rig.window
        x, y = project(wcs, self._stars.ra, self._stars.dec)
        left, right = self._beams(scene, angle, clear)
        light = np.zeros(shape)
        images = [(x, y, right)]
        if self.offset is not None:
            images.append((x + self.offset[0], y + self.offset[1], left))
        for px, py, flux in images:
            near = (px > -40) & (px < nx + 40) & (py > -40) & (py < ny + 40)
            if near.any():
                light += star_light(px[near], py[near], flux[near], psf, shape)
        sky = self.exptime_s * rig.ccd.pixel_arcsec**2 * 10 ** (
            0.4 * (rig.ccd.zero_point[plan.band] - rig.ccd.sky_mag[plan.band]))
        window = (slice(origin[1], origin[1] + ny), slice(origin[0], origin[0] + nx))
        shot = Shot(
            kind="LIGHT", jd_start=jd, exptime_s=self.exptime_s, shape=shape, binning=rig.binning,
            object=self._where.object, band=plan.band, angle=angle, number=number,
            pointing_deg=(float(self._stars.ra[0] + rng.uniform(-20, 20) / 3600),
                          float(self._stars.dec[0] + rng.uniform(-20, 20) / 3600)),
            origin=(origin[0] + rig.origin[0], origin[1] + rig.origin[1]), flipped=plan.flipped)
        data = self._read_out((light + sky) * self._flat[window], shot, window=window)
        name = rig.name(shot)
        truth = PolarTruth(
            name=name, instrument=rig.ccd.name, source=self._where.source, band=plan.band,
            group=scene.number, angle=angle, jd_mid=jd + self.exptime_s / 2 / 86400, mag=scene.mag,
            p=scene.p, chi_deg=scene.chi_deg, transparency=clear, wcs=wcs, offset=self.offset,
            fwhm_arcsec=float(seeing))
        return PolarFrame(name=name, kind="LIGHT", header=rig.header(shot), data=data,
                          at_s=at + self.exptime_s, polar=truth)

    def _beams(self, scene: _Scene, angle: float | None, clear: float) -> tuple[Floats, Floats]:
        """ADU of the left and the right image of every star; with one beam only the right one."""
        plan, rig, rng = self.plan, self.rig, self._rng
        mags = self._stars.magnitudes[plan.band].copy()
        mags[0] = scene.mag
        flux = self.exptime_s * clear * 10 ** (0.4 * (
            rig.ccd.zero_point[plan.band] - mags - _EXTINCTION[plan.band] * _AIRMASS))
        flux *= 1 + scintillation(rig.ccd, self.exptime_s, _AIRMASS) * rng.standard_normal(
            flux.size)
        q, u = self._own_q.copy(), self._own_u.copy()
        two = math.radians(2 * scene.chi_deg)
        q[0], u[0] = scene.p * math.cos(two), scene.p * math.sin(two)
        back = math.radians(-2 * self._angle)
        seen_q = q * math.cos(back) - u * math.sin(back) + self._q0
        seen_u = q * math.sin(back) + u * math.cos(back) + self._u0
        phase = math.radians((4 if rig.half_wave else 2) * (angle or 0.0))
        m = seen_q * math.cos(phase) + seen_u * math.sin(phase)
        if self.offset is None:
            return np.zeros(0), flux * (1 + m if angle is not None else 1.0)
        return (flux / 2 * (1 + _BEAM_RATIO) * (1 + m), flux / 2 * (1 - _BEAM_RATIO) * (1 - m))

    def _wcs(self, whole: bool) -> tuple[dict[str, float], tuple[int, int]]:
        """(FITS keywords of the right images' tangent plane, window's origin on the camera)."""
        rng, rig = self._rng, self.rig
        ny, nx = rig.ccd.shape
        turn = math.radians(self._turn + rng.normal(0, 0.02))
        scale = rig.ccd.pixel_arcsec / 3600.0
        cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
        dx, dy = self.offset or (0.0, 0.0)
        # Observers bring the middle between the two images to the middle of the camera.
        x = nx / 2 - dx / 2 + rng.normal(0, _DRIFT_PX)
        y = ny / 2 - dy / 2 + rng.normal(0, _DRIFT_PX)
        origin = (0, 0)
        if not whole and rig.window is not None:
            origin = ((nx - rig.window[1]) // 2, (ny - rig.window[0]) // 2)
        return {"CRVAL1": float(self._stars.ra[0]), "CRVAL2": float(self._stars.dec[0]),
                "CRPIX1": x - origin[0] + 1.0, "CRPIX2": y - origin[1] + 1.0,
                "CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos}, origin

    def _read_out(self, light: Floats, shot: Shot, *, whole: bool = False,
                  window: tuple[slice, slice] = (slice(None), slice(None))) -> NDArray[np.uint16]:
        """Noise, bias, dark current and clipping, in float32: a whole DIPOL frame has 11.7 Mpx."""
        rng, ccd = self._rng, self.rig.ccd
        electrons = np.asarray(light, dtype=np.float32) * np.float32(ccd.gain_e_adu)
        electrons += np.float32(self.rig.dark * shot.exptime_s * ccd.gain_e_adu)
        np.clip(electrons, 0, None, out=electrons)
        if float(electrons.mean()) > 100:
            electrons += np.sqrt(electrons) * rng.standard_normal(
                electrons.shape, dtype=np.float32)
        elif electrons.any():
            electrons = rng.poisson(electrons).astype(np.float32)
        electrons += np.float32(ccd.read_noise_e) * rng.standard_normal(
            electrons.shape, dtype=np.float32)
        adu = electrons / np.float32(ccd.gain_e_adu) + self._bias[window]
        data = np.clip(np.rint(adu), 0, ccd.full_adu).astype(np.uint16)
        return data[::-1].copy() if shot.flipped else data


def _true_airmass(jd: float, ra_deg: float, dec_deg: float) -> float:
    """Secant of the zenith distance; infinite below 10 degrees of altitude."""
    sidereal = (280.46061837 + 360.98564736629 * (jd - 2451545.0) + _LONGITUDE) % 360.0
    hour, lat, dec = (math.radians(v) for v in (sidereal - ra_deg, _LATITUDE, dec_deg))
    sine = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(hour)
    return 1.0 / sine if sine > 0.17 else math.inf
