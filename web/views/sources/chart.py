"""Finding charts of a field, made of the group's own last frame: for the page and to be printed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from flask import Blueprint, Response, abort, request
from numpy.typing import NDArray

from iop4d.fits.window import Cut, ImageFile
from iop4d.model.errors import Iop4dError
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import degrees_between, plus_minus, sexagesimal, utc_of_jd
from iop4d.reduction.finding_chart import SIZE, ChartMark, grey, printed
from iop4d.science import north_up
from iop4d.science.tan import from_cards
from iop4d.store import catalogue
from iop4d.store.database import Connection
from iop4d.store.field_stars import last_frame
from iop4d.store.schema import Frame
from iop4d.web.context import kept, parts, reading
from iop4d.web.heavy import heavy
from iop4d.web.reader import RefusedError, open_inside
from iop4d.web.views.sources.catalogue import known

blueprint = Blueprint("chart", __name__)

_FIELD, _LEAST, _MOST = 8.0, 2.0, 40.0  # arcmin
_KEPT = 12  # fields of 2 MB
_FORMS = {"png": ("PNG", "image/png"), "pdf": ("PDF", "application/pdf")}


@dataclass(frozen=True, kw_only=True)
class OnChart:
    """A star on the chart: parts of the field from its left and upper edges; ``key``: in links."""

    label: str
    x: float
    y: float
    kind: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A finding chart of a page. ``frame``: None where no frame with a solution is kept."""

    source: Source
    frame: Frame | None
    field_arcmin: float
    stars: list[OnChart] = field(default_factory=list)

    @property
    def below(self) -> str:
        """What the picture is of."""
        assert self.frame is not None
        return (f"{self.frame.telescope} {self.frame.instrument}, {self.frame.band}, "
                f"{utc_of_jd(self.frame.jd_start)[:16]} UTC, {self.frame.exptime_s:.0f} s")


def chart_of(db: Connection, source: Source, candidates: Iterable[Source] = ()) -> Chart:
    """The chart of a source with the stars of the catalogue in its field.

    ``candidates``: stars that are not in it; they are called by their numbers, from 1 on.
    """
    wide = field_wanted()
    return Chart(source=source, frame=_frame(db, source), field_arcmin=wide, stars=[
        one for one in (
            *(_on_chart(source, star, wide, star.kind.value, star.name)
              for star in in_field(db, source, wide)),
            *(_on_chart(source, star, wide, "candidate", str(number))
              for number, star in enumerate(candidates, start=1)))
        if 0.0 < one.x < 1.0 and 0.0 < one.y < 1.0])


def field_wanted() -> float:
    """The width of the field that the address asks for, arcmin."""
    try:
        wide = float(request.args.get("field", ""))
    except ValueError:
        return _FIELD
    return min(max(wide, _LEAST), _MOST) if math.isfinite(wide) else _FIELD


def in_field(db: Connection, source: Source, field_arcmin: float) -> list[Source]:
    """The sources of the catalogue within a field about one, that one first."""
    reach = field_arcmin / 60.0 * 0.71
    found = []
    for star in catalogue.load(db).sources:
        if abs(star.dec_deg - source.dec_deg) >= reach:
            continue
        near = degrees_between(star.ra_deg, star.dec_deg, source.ra_deg, source.dec_deg)
        if near < reach:
            found.append((near, star))
    return [star for _, star in sorted(found, key=lambda pair: pair[0])]


def short_name(star: Source, target: Source) -> str:
    """A star's name without that of its field: ``B`` of ``2200+420 B``."""
    return star.name.removeprefix(f"{target.name} ") if star.name != target.name else (
        next((name for name in star.other_names if " " in name), star.name))


@blueprint.get("/sources/<path:key>/chart.png")
@heavy
@reading
def picture(db: Connection, key: str) -> Response:
    """The field without marks, for the page to draw on."""
    source = known(db, key)
    answer = Response(grey(_pixels(db, source)), mimetype="image/png")
    # The page's address names the frame: a newer one is another picture.
    return kept(answer) if "frame" in request.args else answer


@blueprint.get("/sources/<path:key>/finding-chart.<any(png, pdf):form>")
@heavy
@reading
def print_form(db: Connection, key: str, form: str) -> Response:
    """The chart with its marks, to be printed or taken along."""
    source = known(db, key)
    pixels, chart = _pixels(db, source), chart_of(db, source)
    name = f"{source.name}, {', '.join(source.other_names)}".rstrip(", ")
    place = f"{sexagesimal(source.ra_deg, hours=True)} {sexagesimal(source.dec_deg)} (ICRS)"
    content = printed(
        pixels, [ChartMark(label=one.label, x=one.x, y=one.y, kind=SourceKind(one.kind))
                 for one in chart.stars],
        title=f"{name}\n{place}, field {chart.field_arcmin:g}'", below=chart.below,
        field_arcmin=chart.field_arcmin, form=_FORMS[form][0], table=[
            _magnitudes(star, source)
            for star in catalogue.load(db).calibrators_of(source.name)])
    answer = Response(content, mimetype=_FORMS[form][1])
    said = "".join(letter if letter.isascii() and letter.isalnum() else "-"
                   for letter in source.name)
    answer.headers["Content-Disposition"] = f'inline; filename="finding-chart-{said}.{form}"'
    return answer


def _magnitudes(star: Source, target: Source) -> str:
    """A calibrator's line under the printed chart."""
    return f"{short_name(star, target)}:  " + "   ".join(
        f"{band} {plus_minus(mag, err)}" for band, (mag, err) in star.magnitudes.items())


def _frame(db: Connection, source: Source) -> Frame | None:
    frame = last_frame(db, source.name, request.args.get("band", ""))
    solved = frame is not None and from_cards(frame.info.get("wcs") or {}).scale_arcsec > 0
    return frame if solved else None


def _pixels(db: Connection, source: Source) -> NDArray[np.float32]:
    frame = _frame(db, source)
    if frame is None:
        abort(404, "No reduced frame of this source is kept.")
    if frame.node != db.node:
        abort(404, f"The reduced frame lies on the machine of the node {frame.node}.")
    try:
        return _field(str(frame.reduced_path), frame.id, frame.changed_at, source.ra_deg,
                      source.dec_deg, field_wanted(), root=parts().site.root,
                      cards=tuple(sorted(frame.info["wcs"].items())))
    except (RefusedError, Iop4dError, OSError) as error:
        abort(404, f"The reduced frame {frame.name} cannot be read: {error}.")


@lru_cache(maxsize=_KEPT)
def _field(path: str, _frame_id: int, _changed_at: float, ra_deg: float, dec_deg: float,
           field_arcmin: float, *, root: Path,
           cards: tuple[tuple[str, float | int | str], ...]) -> NDArray[np.float32]:
    wcs = from_cards(dict(cards))
    with open_inside(path, [root]) as opened:
        file = ImageFile(opened, Cut(), scratch=root)
        x, y, nx, ny = north_up.window(wcs, file.shape, ra_deg, dec_deg, field_arcmin)
        if min(nx, ny) < 2:
            return np.full((SIZE, SIZE), np.nan, dtype=np.float32)
        return north_up.turned(file.part(x, y, nx, ny), (x, y), wcs, ra_deg, dec_deg,
                               field_arcmin=field_arcmin, size=SIZE)


def _on_chart(source: Source, star: Source, wide: float, kind: str, key: str) -> OnChart:
    x, y = north_up.places(np.array([star.ra_deg]), np.array([star.dec_deg]), source.ra_deg,
                           source.dec_deg, field_arcmin=wide)
    label = key if kind == "candidate" else short_name(star, source)
    return OnChart(label=label, x=float(x[0]), y=float(y[0]), kind=kind, key=key)
