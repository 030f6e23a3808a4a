"""What makes a night hard: the sky's, the telescope's and the camera's share in it.

Each is a plain parameter that changes nothing by default: such frames are the same to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from iop4d.simulator.camera import Ccd, Image, Window
from iop4d.simulator.sky import BANDS, Stars, tangent_plane

Floats = NDArray[np.float64]

_HOST_POINTS = 500  # points of light that a host galaxy is made of
_HOST_REACH = 6.0  # half-light radii at which it ends
_DRAW_FAINT = 47
_FAINT = (17.5, 21.5)  # R of the faint stars that crowd a field
_COLOURS = {"B": 1.0, "V": 0.4, "R": 0.0, "I": -0.4}  # of what is added, band minus R
_DEAD = 0.02  # sensitivity of a dead column


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions of a night.

    Of the sky: ``target_mag``: R of the quiet target, None: its field's. ``host``: (R, half-light
    radius in arcsec) of an unpolarised galaxy about the target, with the profile of de Vaucouleurs
    (1948). ``neighbour``: (R, arcsec, position angle) of a star beside the target.
    ``faint_stars``: more of R 17.5 to 21.5 per square arcminute. ``most_stars``: so many, the
    brightest, besides those of the catalogue; None: all. ``seeing``, ``clouds``: factors and
    magnitudes frame after frame, over and over. ``moon``: (magnitudes by which the sky is brighter,
    its change from side to side as a fraction).

    Of telescope and camera: ``donut_px``, ``trail_px``: outer radius and length of the image of a
    star out of focus, and trailed. ``mirrored``: the camera. ``off_arcmin``: how far (east, north)
    of the target the telescope points; ``header_off_arcmin``: how far the header says that it does.
    ``full_adu``: where the converter clips. ``dead_columns``: x on the CCD. ``hit``: part of the
    target's light that a cosmic ray adds, within ``hit_px`` of its centre, in every frame or those
    of ``hit_frames``, counted from 0. ``satellite``: the same part that the trail of one adds to an
    aperture of 1.3 FWHM, in the frames of ``hit_frames``. ``colour_terms``: of bands, against B-V:
    catalogue minus instrumental magnitude is a zero point plus this times B-V.
    """

    target_mag: float | None = None
    host: tuple[float, float] | None = None
    neighbour: tuple[float, float, float] | None = None
    faint_stars: float = 0.0
    most_stars: int | None = None
    seeing: tuple[float, ...] = (1.0,)
    clouds: tuple[float, ...] = (0.0,)
    moon: tuple[float, float] = (0.0, 0.0)
    donut_px: float = 0.0
    trail_px: float = 0.0
    mirrored: bool = False
    off_arcmin: tuple[float, float] = (0.0, 0.0)
    header_off_arcmin: tuple[float, float] = (0.0, 0.0)
    full_adu: float | None = None
    dead_columns: tuple[int, ...] = ()
    hit: float = 0.0
    hit_px: float = 1.5
    hit_frames: tuple[int, ...] = ()
    satellite: float = 0.0
    colour_terms: dict[str, float] = field(default_factory=dict)

    def seeing_of(self, number: int) -> float:
        """The factor of a frame's seeing; science frames are counted from 0."""
        return self.seeing[number % len(self.seeing)]

    def clouds_of(self, number: int) -> float:
        """Magnitudes of clouds before a frame."""
        return self.clouds[number % len(self.clouds)]

    def sky(self, window: Window, nx: int) -> tuple[float, Image | float]:
        """The factor of the moonlit sky, and its slope over a window of a CCD of ``nx`` pixels."""
        brighter, change = self.moon
        if not change:
            return 10.0 ** (0.4 * brighter), 0.0
        across = np.linspace(-change / 2, change / 2, nx)
        return 10.0 ** (0.4 * brighter), across[None, window.x:window.x + window.nx]

    def hits(self, number: int) -> bool:
        """Whether a cosmic ray hits the target in a frame."""
        return bool(self.hit) and (not self.hit_frames or number in self.hit_frames)

    def is_crossed(self, number: int) -> bool:
        """Whether a satellite crosses the target in a frame."""
        return bool(self.satellite) and (not self.hit_frames or number in self.hit_frames)


def camera_of(ccd: Ccd, conditions: Conditions) -> Ccd:
    """The camera with its converter clipping where it does."""
    return ccd if conditions.full_adu is None else replace(ccd, full_adu=conditions.full_adu)


def with_dead_columns(flat: Image, conditions: Conditions) -> Image:
    """The flat field of a camera some of whose columns hardly see light."""
    if conditions.dead_columns:
        flat = flat.copy()
        flat[:, list(conditions.dead_columns)] *= _DEAD
    return flat


def plane_of(ra: float, dec: float, *, crpix: tuple[float, float], angle_deg: float,
             scale_arcsec: float, conditions: Conditions) -> dict[str, float]:
    """The tangent plane of a camera that may be mirrored; see ``sky.tangent_plane``."""
    wcs = tangent_plane(ra, dec, crpix=crpix, angle_deg=angle_deg,
                        scale_arcsec=scale_arcsec)
    if conditions.mirrored:
        wcs |= {"CD1_1": -wcs["CD1_1"], "CD2_1": -wcs["CD2_1"]}
    return wcs


def pixels_of(east: float, north: float, *, wcs: dict[str, float]) -> tuple[float, float]:
    """(x, y) of an offset on the sky in arcminutes, near the middle of a tangent plane."""
    cd = np.array([[wcs["CD1_1"], wcs["CD1_2"]], [wcs["CD2_1"], wcs["CD2_2"]]])
    dx, dy = np.linalg.solve(cd, np.array([east, north]) / 60.0)
    return float(dx), float(dy)


def stars_of(stars: Stars, conditions: Conditions, seed: int, radius_arcmin: float) -> Stars:
    """A field's stars with those that the conditions add or take away; the target is the first.

    A host galaxy is many points of light of the kind ``host``, a neighbour and faint stars are
    stars without a name.
    """
    if conditions.most_stars is not None:
        stars = _brightest(stars, conditions.most_stars)
    if conditions.neighbour is not None:
        mag, arcsec, angle = conditions.neighbour
        east, north = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        stars = _more(stars, np.array([arcsec * east]), np.array([arcsec * north]),
                      np.array([mag]), "star")
    if conditions.faint_stars:
        rng = np.random.default_rng([seed, _DRAW_FAINT])
        n = rng.poisson(conditions.faint_stars * math.pi * radius_arcmin**2)
        r, turn = 60.0 * radius_arcmin * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
        # As many more for each magnitude as in the Milky Way, a factor of two.
        low, high = (2.0**limit for limit in _FAINT)
        mags = np.log2(rng.uniform(low, high, n))
        stars = _more(stars, r * np.sin(turn), r * np.cos(turn), mags, "star")
    if conditions.host is not None:
        stars = _more(stars, *_galaxy(*conditions.host), "host")
    return stars


def _brightest(stars: Stars, count: int) -> Stars:
    """Those of the catalogue, and so many of the others."""
    others = np.flatnonzero(stars.name == "")
    order = others[np.argsort(stars.magnitudes["R"][others])][:count]
    kept = np.sort(np.concatenate([np.flatnonzero(stars.name != ""), order]))
    return Stars(name=stars.name[kept], kind=stars.kind[kept], ra=stars.ra[kept],
                 dec=stars.dec[kept],
                 magnitudes={band: mag[kept] for band, mag in stars.magnitudes.items()})


def _more(stars: Stars, east: Floats, north: Floats, mag: Floats, kind: str) -> Stars:
    """With more stars, at arcseconds from the target; ``mag``: R."""
    n = mag.size
    return Stars(
        name=np.concatenate([stars.name, np.full(n, "", dtype=stars.name.dtype)]),
        kind=np.concatenate([stars.kind, np.full(n, kind, dtype="U10")]),
        ra=np.concatenate([stars.ra, stars.ra[0] + east / 3600.0 / math.cos(
            math.radians(float(stars.dec[0])))]),
        dec=np.concatenate([stars.dec, stars.dec[0] + north / 3600.0]),
        magnitudes={band: np.concatenate([stars.magnitudes[band], mag + _COLOURS[band]])
                    for band in BANDS})


def _galaxy(mag: float, half_arcsec: float) -> tuple[Floats, Floats, Floats]:
    """East, north (arcsec) and R of the points of a galaxy, each with the same light."""
    r = np.linspace(0.0, _HOST_REACH, 4001)
    light = np.cumsum(r * np.exp(-7.669 * (r**0.25 - 1.0)))
    part = (np.arange(_HOST_POINTS) + 0.5) / _HOST_POINTS
    radius = np.interp(part, light / light[-1], r)
    radius *= half_arcsec / float(np.median(radius))
    turn = np.arange(_HOST_POINTS) * math.pi * (3.0 - math.sqrt(5.0))  # the golden angle
    each = np.full(_HOST_POINTS, mag + 2.5 * math.log10(_HOST_POINTS))
    return radius * np.sin(turn), radius * np.cos(turn), each


def satellite_trail(shape: tuple[int, ...], x: float, y: float, *, turn: float, light: float,
                    fwhm: float) -> Image:
    """A line through a place that adds ``light`` to an aperture of 1.3 ``fwhm`` (pixels) there."""
    rows, columns = np.ogrid[:shape[0], :shape[1]]
    off = (columns - x) * math.sin(turn) - (rows - y) * math.cos(turn)
    sigma = fwhm / 2.3548
    height = light / (2.6 * fwhm) / (sigma * math.sqrt(2.0 * math.pi))
    return np.asarray(height * np.exp(-0.5 * (off / sigma) ** 2))


def smeared(light: Image, conditions: Conditions) -> Image:
    """Starlight out of focus or trailed."""
    for kernel in (_ring(conditions.donut_px), _line(conditions.trail_px)):
        if kernel is not None:
            spread: Image = fftconvolve(light, kernel, mode="same").astype(light.dtype)
            light = np.clip(spread, 0.0, None)
    return light


def _ring(outer: float) -> Image | None:
    """The pupil of a telescope with a third of its diameter obstructed, as a donut."""
    if not outer:
        return None
    half = math.ceil(outer) + 1
    y, x = np.mgrid[-half:half:complex(0, 10 * half + 1), -half:half:complex(0, 10 * half + 1)]
    inside = (np.hypot(x, y) <= outer) & (np.hypot(x, y) >= 0.33 * outer)
    return _binned(inside.astype(float), half)


def _line(length: float) -> Image | None:
    """A trail along x, a tenth as far along y."""
    if not length:
        return None
    half = math.ceil(length / 2) + 1
    fine = np.zeros((10 * half + 1, 10 * half + 1))
    for t in np.linspace(-0.5, 0.5, 400):
        fine[5 * half + round(0.5 * t * length), 5 * half + round(5 * t * length)] += 1.0
    return _binned(fine, half)


def _binned(fine: Floats, half: int) -> Image:
    """A kernel on a grid of a fifth of a pixel, on whole pixels and of sum 1."""
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    rows, columns = np.indices(fine.shape)
    np.add.at(kernel, ((rows + 2) // 5, (columns + 2) // 5), fine)
    kernel /= kernel.sum()
    return kernel
