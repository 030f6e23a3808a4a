"""How high sources stand tonight over the site's telescopes, as small pictures (SVG)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
from markupsafe import Markup

from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.units import jd_of_unix, unix_of_jd, utc_of_jd
from iop4d.science.visibility import HIGH_DEG, NightSky, night_sky
from iop4d.web.axes import Scale

_UNIX_EPOCH = date(1970, 1, 1)
_WIDTH, _HEIGHT = 120.0, 30.0  # of the small picture
_WIDE, _HIGH, _LEFT, _BOTTOM = 640.0, 240.0, 44.0, 26.0  # of the large one
_TOP_DEG = 90.0
_SMALL = Scale(low=0.0, high=_TOP_DEG, start=_HEIGHT, end=0.0)


@dataclass(frozen=True, kw_only=True)
class Tonight:
    """How a source stands tonight. ``hours``: in the dark and above 30 degrees; ``highest_deg``:
    in the dark, at ``highest_jd``; ``moon_deg``: how far from it the Moon stands at midnight."""

    hours: float
    highest_deg: float
    highest_jd: float
    moon_deg: float
    line: str  # points of the small picture's line
    altitudes: tuple[float, ...]

    @property
    def words(self) -> str:
        """The same as a sentence."""
        if self.highest_deg < 0:
            return "does not rise in the dark"
        return (f"{self.hours:.1f} h above {HIGH_DEG:.0f}° in the dark, highest "
                f"{self.highest_deg:.0f}° at {utc_of_jd(self.highest_jd, '%H:%M')} UTC, "
                f"{self.moon_deg:.0f}° from the Moon")


@dataclass(frozen=True, kw_only=True)
class Night:
    """A night over a telescope, and its sky."""

    telescope: Telescope
    date: str
    sky: NightSky

    @property
    def moon(self) -> str:
        """The Moon in words."""
        up = float(self.sky.moon_deg[self.sky.is_dark].max(initial=-90.0))
        return (f"Moon {100 * self.sky.moon_lit:.0f} % lit, "
                + (f"up to {up:.0f}° in the dark" if up > 0 else "below the horizon in the dark"))

    @property
    def dark(self) -> str:
        """When it is dark, UTC."""
        jd = self.sky.jd[self.sky.is_dark]
        return f"{utc_of_jd(float(jd[0]), '%H:%M')} to {utc_of_jd(float(jd[-1]), '%H:%M')} UTC" \
            if jd.size else "never"


def telescopes_of(site: Site) -> tuple[Telescope, ...]:
    """The telescopes of a site whose place is known, one for each place; those of its archives
    first. Without any, those of all instruments."""
    return _telescopes(site.camera, site.polarimeter,
                       tuple(archive.telescope for archive in site.archive))


@lru_cache(maxsize=4)
def _telescopes(camera: tuple[object, ...], polarimeter: tuple[object, ...],
                named: tuple[str, ...]) -> tuple[Telescope, ...]:
    placed = [one.telescope for one in find_instruments(camera, polarimeter)  # type: ignore[arg-type]
              if one.telescope.is_placed]
    mine = sorted((one for one in placed if one.name in named),
                  key=lambda one: named.index(one.name)) or placed
    return tuple({(round(one.latitude_deg, 1), round(one.longitude_deg, 1)): one
                  for one in reversed(mine)}.values())[::-1]


def tonight(telescope: Telescope, now: float) -> Night:
    """The night that runs or comes at a moment (Unix seconds)."""
    return _night(telescope, night_of(jd_of_unix(now), telescope))


@lru_cache(maxsize=8)
def _night(telescope: Telescope, night: str) -> Night:
    noon = (date.fromisoformat(night) - _UNIX_EPOCH).days * 86400.0 + 43200.0
    midnight = jd_of_unix(noon + 43200.0 - telescope.longitude_deg / 360.0 * 86400.0)
    return Night(telescope=telescope, date=night, sky=night_sky(
        midnight, latitude_deg=telescope.latitude_deg, longitude_deg=telescope.longitude_deg))


def tracks(night: Night, places: tuple[tuple[float, float], ...]) -> tuple[Tonight, ...]:
    """How sources at ICRS (RA, Dec) in degrees stand in a night."""
    return _tracks(night.telescope, night.date, places)


@lru_cache(maxsize=8)
def _tracks(telescope: Telescope, night: str,
            places: tuple[tuple[float, float], ...]) -> tuple[Tonight, ...]:
    if not places:
        return ()
    sky = _night(telescope, night).sky
    ra, dec = np.array(places).T
    altitudes = sky.altitudes_deg(ra, dec)
    in_dark = np.where(sky.is_dark, altitudes, -90.0)
    hours, best = sky.observable_hours(altitudes), in_dark.argmax(axis=1)
    apart = sky.from_moon_deg(ra, dec)
    return tuple(Tonight(
        hours=float(hours[n]), highest_deg=float(in_dark[n, best[n]]),
        highest_jd=float(sky.jd[best[n]]), moon_deg=float(apart[n]), line=_line(altitudes[n]),
        altitudes=tuple(altitudes[n].tolist())) for n in range(len(places)))


def _line(altitudes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    """The points of a line of the small picture, each half hour, where it is above the horizon."""
    x = np.linspace(0.0, _WIDTH, altitudes.size)
    return " ".join(f"{a:.0f},{_SMALL(max(h, -2.0)):.0f}"
                    for a, h in zip(x[::2].tolist(), altitudes[::2].tolist(), strict=True))


def night_symbol(night: Night) -> Markup:
    """What all small pictures of a night share: the dark hours, 30 degrees, and the Moon."""
    first, last = _dark(night, _WIDTH)
    high = _SMALL(HIGH_DEG)
    return Markup(
        '<svg width="0" height="0" aria-hidden="true" class="symbols"><symbol id="night" '
        'viewBox="0 0 120 30"><rect class="dark" x="{:.0f}" y="0" width="{:.0f}" height="30"/>'
        '<path class="high" d="M0 {:.0f}H120"/><polyline class="moon" points="{}"/></symbol></svg>'
    ).format(first, max(last - first, 0.0), high, _line(night.sky.moon_deg))


def small(track: Tonight) -> Markup:
    """A source's altitude through the night, beside what ``night_symbol`` has."""
    return Markup(
        '<svg class="track" viewBox="0 0 120 30" width="120" height="30" role="img" '
        'aria-label="Altitude tonight: {0}"><title>{0}</title><use href="#night"/>'
        '<polyline class="alt" points="{1}"/></svg>').format(track.words, track.line)


def large(night: Night, track: Tonight, now: float) -> Markup:
    """Altitude against UTC of a source and the Moon, with the dark hours and the present moment."""
    jd = night.sky.jd
    width = _WIDE - _LEFT
    x = Scale(low=float(jd[0]), high=float(jd[-1]), start=_LEFT, end=_WIDE)
    y = Scale(low=0.0, high=_TOP_DEG, start=_HIGH - _BOTTOM + 4.0, end=4.0).inside

    def line(altitudes: tuple[float, ...]) -> str:
        return " ".join(f"{x(float(t)):.1f},{y(h):.1f}"
                        for t, h in zip(jd, altitudes, strict=True))

    first, last = (_LEFT + part for part in _dark(night, width))
    parts = [Markup('<rect class="dark" x="{:.1f}" y="4" width="{:.1f}" height="{:.1f}"/>').format(
        first, max(last - first, 0.0), _HIGH - _BOTTOM)]
    parts += [Markup('<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" '
                     'text-anchor="end">{}°</text>').format(
        _LEFT, y(deg), _WIDE, _LEFT - 5, max(y(deg) + 4, 18), deg) for deg in (0, 30, 60, 90)]
    start = unix_of_jd(float(jd[0]))
    for hour in range(19):
        at = jd_of_unix((start // 3600 + 1 + hour) * 3600)
        if hour % 2 == 0 and at < jd[-1]:
            parts.append(Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')
                         .format(x(at), _HIGH - 4, utc_of_jd(at, "%H")))
    parts.append(Markup('<polyline class="moon" points="{}"/><polyline class="alt" points="{}"/>')
                 .format(line(tuple(night.sky.moon_deg.tolist())), line(track.altitudes)))
    if jd[0] < (at := jd_of_unix(now)) < jd[-1]:
        parts.append(Markup('<path class="now" d="M{:.1f} 4V{:.1f}"/>').format(
            x(at), _HIGH - _BOTTOM + 4))
    return Markup('<svg class="track large" viewBox="0 0 {:.0f} {:.0f}" role="img" '
                  'aria-label="Altitude against UTC: {}">{}</svg>').format(
        _WIDE, _HIGH, track.words, Markup("").join(parts))


def _dark(night: Night, width: float) -> tuple[float, float]:
    """Where the dark hours begin and end on a picture of some width."""
    at = np.flatnonzero(night.sky.is_dark)
    if not at.size:
        return 0.0, 0.0
    step = width / (night.sky.jd.size - 1)
    return float(at[0]) * step, float(at[-1]) * step
