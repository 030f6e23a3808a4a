"""The plots of a result's page: its calibrators, modulation, curve of growth and profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from iop4d.config import Site
from iop4d.fits.window import Cut
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import Iop4dError
from iop4d.model.units import decimal, plus_minus, utc_of_jd
from iop4d.reduction.modulation import Modulation, modulation_of
from iop4d.science import display
from iop4d.store.catalogue import load as load_catalogue
from iop4d.store.database import Connection
from iop4d.store.groups import measured_group
from iop4d.store.result_pages import Use
from iop4d.web.charts import Axis, Line, Panel, Point, plot
from iop4d.web.held import Held
from iop4d.web.reader import RefusedError
from iop4d.web.tiles import Pictures, Place

_LOOKS = 8  # of methods that are told apart
_NAMES = 8  # calibrators up to which an axis has their names
_PIXELS = 500  # of a profile that are drawn
_STRIP = 5.0  # px about a source without an aperture
_FARTHEST = 60.0  # px of a profile
_BEAMS = {"": "all light", "O": "ordinary image", "E": "extraordinary image"}


def calibrators(chain: dict[str, Any], here: str) -> Markup | None:
    """Each calibrator's own zero point on this frame, and the frame's; None without any.

    ``here``: the page's address, below which each star has its history.
    """
    uses = [use for use in chain["calibrators"] if use.get("zero_point") is not None]
    if not uses:
        return None
    result = chain["result"]
    names = [use["source"].split()[-1] for use in uses]
    if len(names) > _NAMES or len(set(names)) < len(names):
        names = [str(number) for number in range(1, len(names) + 1)]
    points = [Point(
        x=float(number), y=use["zero_point"], err=use.get("zero_point_err"),
        look="left" if use.get("why_not") else "used",
        href=f"{here}/stars/{quote(use['source'])}",
        title=f"{use['source']}: {plus_minus(use['zero_point'], use.get('zero_point_err'))}, "
              f"off by {decimal(use.get('residual'), 3)}"
              + (f", left out: {use['why_not']}" if use.get("why_not")
                 else f", weight {decimal(use.get('weight'), 2)}"))
        for number, use in enumerate(uses)]
    zero, err = result["zero_point"], result["zero_point_err"]
    across = [] if zero is None else [(zero, "now")] + (
        [(zero - err, ""), (zero + err, "")] if err else [])
    return plot(f"Zero points of {len(uses)} calibrators", [
        Panel(label="zero point [mag]", points=points, across=across, least=0.02)],
        Axis(label="calibrator", names=names))


def star_history(star: str, uses: Sequence[Use], result_id: int, root: str) -> Markup:
    """A calibrator's own zero point minus the frame's, over time."""
    points = [Point(
        x=use.jd_mid - 2400000.5, y=use.residual if use.residual is not None else math.nan,
        err=use.zero_point_err, href=f"{root}/results/{use.result}",
        look=("now" if use.result == result_id else "left" if use.why_not else "used"),
        title=f"{utc_of_jd(use.jd_mid)}: {decimal(use.residual, 3)}"
              + (f", left out: {use.why_not}" if use.why_not else "")) for use in uses]
    return plot(f"How far {star} is off, over time", [
        Panel(label="off by [mag]", points=points, across=[(0.0, "")], least=0.02, height=220)],
        Axis(label="MJD"))


def growth(curves: dict[str, list[list[float]]], aperture_arcsec: float | None) -> Markup | None:
    """Flux inside circles against their radius, with the aperture; None without any curve."""
    shown = {beam: rows for beam, rows in curves.items() if beam or len(curves) == 1}
    if not shown:
        return None
    points = [Point(x=row[0], y=row[1], err=row[2], look=f"b{beam}",
                    title=f"{row[0]:.2f} arcsec: {plus_minus(row[1], row[2], 1)} ADU/s")
              for beam, rows in shown.items() for row in rows if row[1] is not None]
    lines = [Line(points=[(row[0], row[1]) for row in rows if row[1] is not None],
                  look=f"m{number}", label=_BEAMS[beam] if len(shown) > 1 else "")
             for number, (beam, rows) in enumerate(shown.items())]
    upright = [] if aperture_arcsec is None else [(aperture_arcsec, "chosen", "aperture")]
    return plot("Curve of growth", [
        Panel(label="flux inside [ADU/s]", points=points, lines=lines, upright=upright)],
        Axis(label="radius [arcsec]"))


def profile(pictures: Pictures, path: str, site: Site, *, x: float, y: float,
            aperture_px: float | None, annulus_px: Sequence[float] | None) -> Markup | None:
    """The pixels about a source on a reduced frame by their distance, and their sums along x and
    y; None where they cannot be read."""
    reach = min(max([*(annulus_px or ()), 3 * (aperture_px or 5.0)]), _FARTHEST)
    half = math.ceil(reach) + 1
    place = Place(path=path, roots=(site.root,), cut=Cut())
    try:
        key = (place.stamp(), x, y, aperture_px, tuple(annulus_px or ()))
        return _PLOTS.get(key, lambda: _profile(
            pictures, place, (x, y), half, reach, aperture_px=aperture_px,
            annulus_px=annulus_px)) or None
    except RefusedError:
        return None


def _profile(pictures: Pictures, place: Place, centre: tuple[float, float], half: int,
             reach: float, *, aperture_px: float | None,
             annulus_px: Sequence[float] | None) -> Markup:
    x, y = centre
    left, low = round(x) - half, round(y) - half
    pixels = pictures.part(place, left, low, 2 * half + 1, 2 * half + 1)
    if not pixels.size:
        return Markup("")
    found = display.radial_profile(pixels, x - max(left, 0), y - max(low, 0), reach)
    step = max(1, found.distance.size // _PIXELS)
    upright = [] if aperture_px is None else [(aperture_px, "chosen", "aperture")]
    upright += [(radius, "edge", label) for radius, label in zip(
        annulus_px or (), ("sky from", "to"), strict=False)]
    radial = plot("Radial profile", [Panel(
        label="pixel [ADU]", upright=upright,
        dust=list(zip(found.distance[::step].tolist(), found.value[::step].tolist(), strict=True)),
        lines=[Line(points=list(zip(found.ring.tolist(), found.median.tolist(), strict=True)),
                    look="m1", label="median of a ring")])],
        Axis(label="distance [px]", low=0.0))
    return radial + _projections(pixels, x - max(left, 0), y - max(low, 0), reach,
                                 aperture_px or _STRIP)


def _projections(pixels: Any, x: float, y: float, reach: float, half_width: float) -> Markup:
    """The pixels summed across the aperture, along x and along y."""
    both = display.projections(pixels, x, y, reach, half_width)
    edges = [(side * half_width, "chosen", "aperture" if side > 0 else "") for side in (-1, 1)]
    return plot("Projections along x and along y", [
        Panel(label=f"along {name} [ADU]", height=110, upright=edges, lines=[
            Line(points=list(zip(one.offset.tolist(), one.value.tolist(), strict=True)),
                 look="m1")]) for name, one in zip("xy", both, strict=True)],
        Axis(label="from the source [px]"))


def modulation(db: Connection, chain: dict[str, Any], site: Site) -> Markup | None:
    """What each position of a group shows, with every method's curve; None of a single frame."""
    if chain["group"] is None:
        return None
    result = chain["result"]
    key = (result["id"], result["revision"], chain["group"]["id"], result["method"],
           tuple(frame["id"] for frame in chain["frames"]), str(site.polarimetry))
    try:
        return _PLOTS.get(key, lambda: _drawn(_modulation(db, chain, site), result["method"]))
    except (Iop4dError, ValueError):
        return None


#: Plots that were drawn last: who looks at one looks at it again, at each event of the live stream.
_PLOTS: Held[Any, Markup] = Held(4 << 20, len)


def _modulation(db: Connection, chain: dict[str, Any], site: Site) -> Modulation:
    result = chain["result"]
    instrument = _instruments(site.camera, site.polarimeter).get(result["instrument"])
    if instrument is None:
        raise Iop4dError(f"the instrument {result['instrument']} is no longer known")
    source = load_catalogue(db).named(result["source"])
    if source is None:
        raise Iop4dError(f"the source {result['source']} is no longer in the catalogue")
    return modulation_of(measured_group(db, chain["group"]["id"]), source, instrument=instrument,
                         settings=site.polarimetry, reported=result["method"])


@lru_cache(maxsize=2)
def _instruments(cameras: Any, polarimeters: Any) -> dict[str, Any]:
    return {one.name: one for one in find_instruments(cameras, polarimeters)}


def _drawn(seen: Modulation, reported: str) -> Markup:
    lines = [Line(points=[(a, 100 * v) for a, v in curve.points.tolist()],
                  look=f"m{number % _LOOKS}" + " chosen" * (curve.method == reported),
                  label=curve.method + ", reported" * (curve.method == reported))
             for number, curve in enumerate(seen.curves)]
    points = [Point(x=a, y=100 * v, err=100 * e, title=f"{a:g}°: {plus_minus(100 * v, 100 * e, 2)}"
                    f" %, frame {frame}") for a, v, e, frame in zip(
        seen.angles_deg.tolist(), seen.value.tolist(), seen.err.tolist(), seen.frames,
        strict=True)]
    panels = [Panel(label=f"{seen.quantity} [%]".replace("-", "−"), points=points, lines=lines,
                    height=230)]
    panels += [Panel(label="left over [%]", height=90, across=[(0.0, "")], points=[
        Point(x=a, y=100 * (v - at), err=100 * e) for a, v, at, e in zip(
            seen.angles_deg.tolist(), seen.value.tolist(), curve.at.tolist(), seen.err.tolist(),
            strict=True)]) for curve in seen.curves if curve.method == reported]
    return plot("Modulation of the flux over the positions of the group", panels,
                Axis(label=f"{seen.analyser} [°]"))
