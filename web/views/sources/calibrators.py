"""The calibrators of a source: on a finding chart, checked, their history, found and chosen."""

from __future__ import annotations

import importlib.util
import math
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from flask import Blueprint, abort, current_app, flash, redirect, request, url_for

from iop4d.fields import calibrators as pan_starrs
from iop4d.fields.calibrators import Calibrator, Found, merged
from iop4d.fields.star_list import StarTable, read
from iop4d.model.bands import band_order
from iop4d.model.errors import CatalogueError, Iop4dError
from iop4d.model.source import Source, SourceKind, listed_in, twice
from iop4d.science.calibrator_check import CheckedStar, check_stars
from iop4d.science.own_scatter import SeenStars, own_scatter
from iop4d.science.tan import from_cards
from iop4d.store import catalogue, catalogue_changes, catalogue_csv, recalibrated
from iop4d.store.calibrator_history import Use, uses_of
from iop4d.store.database import Connection
from iop4d.store.field_stars import StarsOfFrame, star_lists
from iop4d.store.instrumental import Instrumental, instrumental
from iop4d.web.auth import who
from iop4d.web.calibrator_charts import residuals
from iop4d.web.context import changing, parts, reading, render
from iop4d.web.heavy import heavy
from iop4d.web.remote import RemoteQuestions
from iop4d.web.views.sources.catalogue import can_undo, known, label_of
from iop4d.web.views.sources.chart import chart_of, in_field, short_name

blueprint = Blueprint("calibrators", __name__)

_RECENT = 200  # results of the source that tell how its calibrators do
_CHECKED = 12_000  # newest measurements of the calibrators that are checked
_LARGEST_TABLE = 8 << 20  # bytes of a file of stars
_MOST = 40  # candidates
_MAST = "iop4d.mast"
_MAST_SECONDS = 30.0  # for which a page waits for MAST
_SHOWN = 5  # changes


@dataclass(frozen=True, kw_only=True)
class Recent:
    """How a calibrator did lately in a band: on how many results it was used, and left out, its
    mean residual and weight."""

    used: int
    left_out: int
    residual: float | None
    weight: float | None
    why_not: str


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A star that may become a calibrator, with how it scatters on our own frames."""

    found: Calibrator
    n: int
    scatter: float
    varies: bool


# Looking.


@blueprint.get("/sources/<path:key>/calibrators")
@reading
def calibrators(db: Connection, key: str) -> str:
    """The calibrators of a source on its finding chart, and what each did lately."""
    return _page(db, known(db, key))


def _page(db: Connection, source: Source, wrong: str = "") -> str:
    chart = chart_of(db, source)
    serving = catalogue.load(db).calibrators_of(source.name)
    field = in_field(db, source, chart.field_arcmin)
    names = {star.name for star in serving}
    found = catalogue_changes.of_source(db, source.name, _SHOWN)
    return render(
        db, "calibrators.html", source=source, chart=chart, stars=serving, wrong=wrong,
        others=[star for star in field if star.kind is not SourceKind.TARGET
                and star.name not in names and star.name != source.name],
        pairs=twice(field), recent=_recent(uses_of(db, source.name, newest=_RECENT)),
        bands=_bands(serving), short_name=short_name, changes=found, label_of=label_of,
        progress=recalibrated.progress(db, found[0].targets, found[0].at) if found else None,
        can_undo=can_undo(db, found[0] if found else None), online=_may_ask_mast())


@blueprint.get("/sources/<path:key>/calibrators/check")
@heavy
@reading
def check(db: Connection, key: str) -> str:
    """Which calibrators vary or have a wrong magnitude, by all frames there are."""
    source = known(db, key)
    return render(db, "calibrators_check.html", source=source, short_name=short_name,
                  groups=_checked(db, source))


@blueprint.get("/sources/<path:key>/calibrators/history")
@reading
def history(db: Connection, key: str) -> str:
    """What a calibrator did to the zero points of a source through the nights."""
    source = known(db, key)
    star = known(db, request.args.get("star", ""))
    uses = uses_of(db, source.name, star.name)
    return render(
        db, "calibrator.html", source=source, star=star, uses=uses,
        picture=residuals(uses, request.script_root),
        nights=_by_night(uses), changes=catalogue_changes.of_source(db, star.name),
        label_of=label_of, serves=source.name in star.calibrates)


def _bands(stars: tuple[Source, ...]) -> list[str]:
    bands = {band for star in stars for band in star.magnitudes}
    return sorted(bands, key=band_order)


def _recent(uses: list[Use]) -> dict[str, dict[str, Recent]]:
    """By star and band."""
    by_star: dict[str, dict[str, list[Use]]] = {}
    for use in uses:
        by_star.setdefault(use.source, {}).setdefault(use.band, []).append(use)
    return {star: {band: _summed(mine) for band, mine in bands.items()}
            for star, bands in by_star.items()}


def _summed(uses: list[Use]) -> Recent:
    good = [use for use in uses if not use.why_not]
    known_ = [use.residual for use in (good or uses) if use.residual is not None]
    weights = [use.weight for use in good if use.weight is not None]
    return Recent(
        used=len(good), left_out=len(uses) - len(good),
        residual=fmean(known_) if known_ else None, weight=fmean(weights) if weights else None,
        why_not=next((use.why_not for use in reversed(uses) if use.why_not), ""))


def _by_night(uses: list[Use]) -> list[tuple[str, str, Recent]]:
    """(night, band, how it did), newest first."""
    nights: dict[tuple[str, str], list[Use]] = {}
    for use in uses:
        nights.setdefault((use.night, use.band), []).append(use)
    return [(night, band, _summed(mine))
            for (night, band), mine in sorted(nights.items(), reverse=True)]


def _checked(db: Connection, source: Source) -> list[tuple[str, str, int, int, list[CheckedStar]]]:
    """(camera, band, frames, nights, stars)."""
    stars = {one.name: one for one in catalogue.load(db).calibrators_of(source.name)}
    groups: dict[tuple[str, str], list[Instrumental]] = {}
    for row in instrumental(db, stars, newest=_CHECKED):
        groups.setdefault((row.instrument, row.band), []).append(row)
    return [(instrument, band, len({row.frame for row in rows}), len({row.night for row in rows}),
             check_stars(rows, listed_in(stars.values(), band)))
            for (instrument, band), rows in sorted(groups.items())]


# Choosing.


@blueprint.post("/sources/<path:key>/calibrators")
def serve(key: str) -> Any:
    """Have a star calibrate a source, or no more."""
    act = request.form.get("act", "")
    if act not in ("include", "exclude"):
        abort(400, "act: expected include or exclude")
    serves = act == "include"
    try:
        with changing() as tx:
            source, star = known(tx, key), known(tx, request.form.get("star", ""))
            catalogue_changes.serve(tx, star, source, serves=serves, by=who(), at=time.time(),
                                    why=request.form.get("why", "").strip()[:500])
    except CatalogueError as error:
        flash(f"{str(error)[:1].upper()}{str(error)[1:]}.", "warn")
        return redirect(url_for("calibrators.calibrators", key=key), code=303)
    now = "calibrates" if serves else "no longer calibrates"
    flash(f"{star.name} {now} {source.name}.", "good")
    return redirect(url_for("calibrators.calibrators", key=source.name) + "#changes", code=303)


@blueprint.post("/sources/<path:key>/calibrators/find")
def find(key: str) -> Any:
    """Candidates from a table of Pan-STARRS, or from MAST where the site file allows that."""
    request.max_content_length = _LARGEST_TABLE
    with parts().reader.connected() as db:
        source = known(db, key)
    try:
        radius = _radius(request.form.get("radius", ""))
        # Before its turn among the large answers: a server elsewhere holds up nobody.
        table = _table(source, radius)
    except Iop4dError as error:
        return _no_candidates(source, error)
    return _found(source, table, radius)


def _no_candidates(source: Source, error: Iop4dError) -> Any:
    why = str(error).replace("--without-scatter skips", "the box below skips")
    with parts().reader.connected() as db:
        return _page(db, source, wrong=f"No candidates: {why}."), 400


@heavy
@reading
def _found(db: Connection, source: Source, table: StarTable, radius: float) -> Any:
    try:
        found = pan_starrs.find(
            table, source, catalogue.load(db).sources, radius_arcmin=radius,
            demand_scatter="without_scatter" not in request.form)
    except Iop4dError as error:
        return _no_candidates(source, error)
    candidates = _candidates(db, source, found)
    return render(
        db, "candidates.html", source=source, candidates=candidates, found=found,
        chart=chart_of(db, source, [one.found.source for one in candidates]),
        table=catalogue_csv.write([one.found.source for one in candidates]))


@blueprint.post("/sources/<path:key>/calibrators/adopt")
def adopt(key: str) -> Any:
    """Add the chosen candidates to the catalogue."""
    chosen = set(request.form.getlist("star"))
    if not chosen:
        flash("No star was chosen.", "warn")
        return redirect(url_for("calibrators.calibrators", key=key), code=303)
    try:
        with changing() as tx:
            source, loaded = known(tx, key), catalogue.load(tx).sources
            stars = [star for star in catalogue_csv.parse(request.form.get("table", ""), loaded)
                     if star.name in chosen and star.kind is SourceKind.CALIBRATOR]
            catalogue_changes.adopt(
                tx, [replace(star, calibrates=tuple(dict.fromkeys(
                    (*star.calibrates, source.name)))) for star in merged(stars, loaded)],
                source, by=who(), at=time.time(), why="from Pan-STARRS")
    except CatalogueError as error:
        abort(400, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    flash(f"{len(stars)} calibrator{'s' * (len(stars) != 1)} added. New frames measure them; "
          "frames that are here already do when they are reduced again.", "good")
    return redirect(url_for("calibrators.calibrators", key=source.name) + "#changes", code=303)


def _radius(text: str) -> float:
    try:
        radius = float(text or 3.5)
    except ValueError:
        radius = math.nan
    if not 0.5 <= radius <= 30.0:
        raise CatalogueError(f"the radius is '{text}', expected 0.5 to 30 arcmin")
    return radius


def _may_ask_mast() -> bool:
    return parts().site.web.ask_mast and importlib.util.find_spec("astroquery") is not None


def _table(source: Source, radius: float) -> StarTable:
    """The stars that the form brings, or that MAST has."""
    sent = request.files.get("table")
    if sent is not None and sent.filename:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table"
            sent.save(path)
            return read(path, origin=Path(sent.filename).name)
    if "online" not in request.form:
        raise CatalogueError("choose a file with stars of Pan-STARRS")
    if not _may_ask_mast():
        raise CatalogueError("the site file does not allow to ask MAST ([web] ask_mast), or "
                             "astroquery is not installed")
    mast: RemoteQuestions = current_app.extensions.setdefault(
        _MAST, RemoteQuestions("MAST", _MAST_SECONDS))
    return mast.ask(lambda: pan_starrs.download(source, radius))


def _candidates(db: Connection, source: Source, found: Found) -> list[Candidate]:
    """The stars that were found, with how they scatter on our own frames."""
    stars = found.calibrators[:_MOST]
    serving = catalogue.load(db).calibrators_of(source.name)
    every = [*(one.source for one in stars), *serving]
    lists = _most_of_one_kind(star_lists(db, source.name))
    seen = own_scatter(
        [SeenStars(wcs=from_cards(one.wcs), x=x, y=y, flux=flux, fwhm_px=one.fwhm_px,
                   sky_sigma=one.sky_sigma)
         for one in lists for x, y, flux in [np.array(one.stars, dtype=np.float64).T]],
        np.array([star.ra_deg for star in every]), np.array([star.dec_deg for star in every]))
    return [Candidate(found=one, n=int(seen.n[number]), scatter=float(seen.scatter[number]),
                      varies=bool(seen.varies[number])) for number, one in enumerate(stars)]


def _most_of_one_kind(lists: list[StarsOfFrame]) -> list[StarsOfFrame]:
    """Those of the camera and band that has the most."""
    groups: dict[tuple[str, str], list[StarsOfFrame]] = {}
    for one in lists:
        groups.setdefault((one.instrument, one.band), []).append(one)
    return max(groups.values(), key=len, default=[])
