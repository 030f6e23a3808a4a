"""What is taken when in a simulated night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from iop4d.simulator import andor
from iop4d.simulator.atmosphere import Clouds, airmass, altitude_deg, dark_hours
from iop4d.simulator.bands import BANDS
from iop4d.simulator.camera import Camera
from iop4d.simulator.lightcurve import LightCurve
from iop4d.simulator.sky import Field, load_sky

_DAY_S = 86400.0
_FLAT_DUSK_DEG, _LIGHT_DUSK_DEG = -6.0, -15.0  # the Sun, when flats and lights begin
_READOUT_S = 4.0
_WAIT_S = 600.0  # until the next look, when no field is high enough


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A frame to be taken: ``number`` in the night from 0, which with the plan's seed decides all
    its noise; ``visit``: the pointing it belongs to."""

    number: int
    name: str
    kind: str
    jd_start: float
    exptime_s: float
    band: str | None = None
    field: Field | None = None
    visit: int = 0

    @property
    def jd_mid(self) -> float:
        """JD(UTC) of the middle of the exposure."""
        return self.jd_start + self.exptime_s / 2 / _DAY_S

    @property
    def jd_end(self) -> float:
        """JD(UTC) at which the shutter closes."""
        return self.jd_start + self.exptime_s / _DAY_S


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """A night of one camera; equal plans give equal bytes.

    ``night``: date of the evening; ``fields``: names of targets, taken in turns;
    ``frames_per_field``: light frames of each field and band; ``frames_per_visit``: so many of each
    band before the next field; ``seeing_arcsec``: FWHM at the zenith; ``clouds_mag``: extinction
    that passing clouds reach; ``moon_mag``: how much brighter than dark the sky is;
    ``rotation_deg``: of the camera, None: within 3 degrees by the seed; ``light_curves``: by the
    target's name, others follow from the seed; a field is taken only below ``airmass_limit``; None takes
    it at any time, even from below the horizon, as if at airmass 3.
    """

    seed: int = 1
    night: date = date(2025, 10, 18)
    fields: tuple[str, ...] = ("BLLac",)
    bands: tuple[str, ...] = ("R",)
    frames_per_field: int = 10
    frames_per_visit: int = 1
    exptime_s: float = 60.0
    overhead_s: float = 12.0
    seeing_arcsec: float = 1.8
    clouds_mag: float = 0.0
    moon_mag: float = 0.0
    n_bias: int = 10
    n_flat: int = 7
    rotation_deg: float | None = None
    airmass_limit: float | None = 2.5
    light_curves: Mapping[str, LightCurve] = field(default_factory=dict)
    camera: Camera = andor.ANDOR_T90

    def __post_init__(self) -> None:
        for band in self.bands:
            if band not in BANDS:
                raise ValueError(f"no simulated band '{band}'; there are {', '.join(BANDS)}")
        for name in self.fields:
            load_sky().field(name)

    @property
    def clouds(self) -> Clouds:
        """The night's clouds."""
        return Clouds(mag=self.clouds_mag, seed=self.seed)

    @property
    def rotation(self) -> float:
        """Degrees by which the camera is turned."""
        if self.rotation_deg is not None:
            return self.rotation_deg
        return float(np.random.default_rng([self.seed, 0x207]).uniform(-3.0, 3.0))

    def light_curve(self, of: Field) -> LightCurve:
        """How a target varies."""
        for name in (of.name, of.typed, *of.other_names):
            if name in self.light_curves:
                return self.light_curves[name]
        return LightCurve(seed=self.seed * 1000 + load_sky().fields.index(of))

    def first_light(self) -> float:
        """JD(UTC) of the first light frame, if a field is up."""
        dusk, _ = dark_hours(self.night, _LIGHT_DUSK_DEG)
        flats = self._flats(0)
        return max(dusk, flats[-1].jd_end + 60.0 / _DAY_S) if flats else dusk

    def exposures(self) -> list[Exposure]:
        """All frames in the order of time: bias, flats at dusk, then lights until dawn.

        Frames for which the night is too short, or whose field never rises high enough, are left
        out.
        """
        bias = self._bias()
        flats = self._flats(len(bias))
        return [*bias, *flats, *self._lights(len(bias) + len(flats))]

    def _bias(self) -> list[Exposure]:
        dusk, _ = dark_hours(self.night, _FLAT_DUSK_DEG)
        start = dusk - (self.n_bias * _READOUT_S + 60.0) / _DAY_S
        return [Exposure(number=i, name=andor.file_name("Bias", i + 1, None), kind="bias",
                         jd_start=start + i * _READOUT_S / _DAY_S, exptime_s=0.0)
                for i in range(self.n_bias)]

    def _flats(self, number: int) -> list[Exposure]:
        """Twilight flats: exposures grow as the sky darkens."""
        at, _ = dark_hours(self.night, _FLAT_DUSK_DEG)
        flats = []
        for band in self.bands:
            for i in range(self.n_flat):
                exptime = round(min(2.0 * 1.12 ** len(flats), 30.0), 1)
                flats.append(Exposure(
                    number=number + len(flats), name=andor.file_name("Flat", i + 1, band),
                    kind="flat", jd_start=at, exptime_s=exptime, band=band))
                at += (exptime + _READOUT_S) / _DAY_S
        return flats

    def _lights(self, number: int) -> list[Exposure]:
        fields = [load_sky().field(name) for name in self.fields]
        left = dict.fromkeys(range(len(fields)), self.frames_per_field)
        at, (_, dawn) = self.first_light(), dark_hours(self.night, _LIGHT_DUSK_DEG)
        lights: list[Exposure] = []
        taken: dict[str, int] = {}
        visit = turn = 0
        while any(left.values()) and at < dawn:
            which = self._next(fields, left, turn, at)
            if which is None:
                at += _WAIT_S / _DAY_S
                continue
            target, turn, visit = fields[which], which + 1, visit + 1
            for band in self.bands:
                for _ in range(min(self.frames_per_visit, left[which])):
                    if at >= dawn:
                        return lights
                    count = taken[target.typed + band] = taken.get(target.typed + band, 0) + 1
                    lights.append(Exposure(
                        number=number + len(lights), kind="light", jd_start=at, band=band,
                        name=andor.file_name(target.typed, count, band), visit=visit,
                        exptime_s=self.exptime_s, field=target))
                    at += (self.exptime_s + self.overhead_s) / _DAY_S
            left[which] -= min(self.frames_per_visit, left[which])
        return lights

    def _next(self, fields: list[Field], left: dict[int, int], turn: int, jd: float) -> int | None:
        """The next field in turn that has frames left and stands high enough."""
        for k in range(len(fields)):
            which = (turn + k) % len(fields)
            if left[which] > 0 and (self.airmass_limit is None or airmass_of(
                    fields[which], jd) < self.airmass_limit):
                return which
        return None


def airmass_of(where: Field, jd: float) -> float:
    """Airmass of a field."""
    return airmass(float(altitude_deg(jd, where.ra_deg, where.dec_deg)))
