"""A light curve as it is chosen: gathered from the database, and packed for a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.source import Source
from iop4d.store.database import Connection
from iop4d.web.curves.choice import Choice
from iop4d.web.curves.colours import ColourSeries, colours, pairs_of
from iop4d.web.curves.columns import Series, on_turn
from iop4d.web.curves.others import others_of
from iop4d.web.curves.packing import Packer
from iop4d.web.curves.thinning import MOST, thinned, thinned_colours
from iop4d.web.curves.whole import source_curve

_SECOND = 1.0 / 86400.0
#: Steps in which numbers travel: finer than what people read.
_STEPS = {"jd": 0.1 * _SECOND, "y": 1e-4, "y_err": 1e-4, "y_common": 1e-4, "y_limit": 1e-3,
          "p": 1e-3, "p_err": 1e-3, "p_common": 1e-3, "p_limit": 1e-2, "chi": 1e-2,
          "chi_err": 1e-2, "chi_common": 1e-2, "q": 1e-3, "q_err": 1e-3, "u": 1e-3, "u_err": 1e-3}
_WHOLE = ("id", "flags", "state")
_BRIGHT = ("jd", "y", "y_err", "y_common", "y_limit")
_OF_P = ("p", "p_err", "p_common", "p_limit", "chi", "chi_err", "chi_common")
_OF_QU = ("q", "q_err", "u", "u_err")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment of a source for a line across its plots: a trigger, by the JD of its notice."""

    source: str
    jd: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A light curve: its points, the means of its nights, and its colours.

    ``every_night``: also those of a single point. ``total``: how many points there are, of which
    ``series`` may have fewer. ``pairs``: the colours that can be chosen; ``pair``: the one that is.
    ``marks``: lines across it; ``others``: what others measured, of which ``total`` counts none.
    ``lines``: by source, what the catalogue says, to compare with.
    """

    choice: Choice
    series: tuple[Series, ...] = ()
    nights: tuple[Series, ...] = ()
    every_night: tuple[Series, ...] = ()
    colours: tuple[ColourSeries, ...] = ()
    total: int = 0
    pairs: tuple[str, ...] = ()
    pair: str = ""
    marks: tuple[Mark, ...] = ()
    others: tuple[Series, ...] = ()
    lines: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def shown(self) -> int:
        """How many points it has."""
        return sum(one.size for one in self.series)

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands of its points."""
        return tuple(dict.fromkeys(one.band for one in self.series))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The instruments of its points."""
        return tuple(sorted({one.instrument for one in self.series}))


def gathered(db: Connection, choice: Choice, *, now_jd: float, minutes: float,
             most: int = MOST) -> Curve:
    """The light curve of a choice. ``minutes``: between two points that make a colour.

    ``most``: about how many points at most, and how many means of nights and colours.
    """
    since, until = choice.limits(now_jd)
    found = [source_curve(db, source, choice.quantity, since, until) for source in choice.sources]
    series = [one for curve in found for one in curve.series]
    every_night = [_beside(night, one) for curve in found
                   for night, one in zip(curve.nights(), curve.series, strict=True)]
    nights = [_of_several(one, choice) for one in every_night]
    pairs = pairs_of([one.band for one in series if np.isfinite(one.columns["mag"]).any()])
    pair = choice.colour if choice.colour in pairs else pairs[0] if pairs else ""
    others = [one for source in choice.sources if choice.others
              for one in others_of(db, source, choice.quantity, since, until)]
    return Curve(choice=choice, series=tuple(thinned(series, most)),
                 nights=tuple(n for n in thinned(nights, most) if n.size),
                 every_night=tuple(every_night), others=tuple(others),
                 colours=tuple(thinned_colours(colours(series, pair, minutes), most))
                 if pair else (),
                 total=sum(one.size for one in series), pairs=tuple(pairs), pair=pair)


def _of_several(nights: Series, choice: Choice) -> Series:
    """Beside the points themselves the mean of one alone would say nothing."""
    columns = nights.columns
    return nights if choice.points == "nights" else nights.only(
        (columns["n"] > 1) | (columns["n_p"] > 1))


def _beside(nights: Series, points: Series) -> Series:
    """The nights with their angles beside those of their points."""
    if not nights.size or not np.isfinite(nights.columns["chi"]).any():
        return nights
    known = np.isfinite(points.columns["chi"])
    chain = points.columns["jd"][known], points.columns["chi"][known]
    if not len(chain[0]):
        return nights
    at = np.clip(np.searchsorted(chain[0], nights.columns["jd"]), 0, len(chain[0]) - 1)
    near, mine = chain[1][at], nights.columns["chi"]
    return replace(nights, columns=nights.columns | {
        "chi": near + (mine - near + 90.0) % 180.0 - 90.0})


def packed(curve: Curve, **more: Any) -> bytes:
    """The light curve for a browser."""
    packer, names = Packer(), _BRIGHT + (_OF_QU if curve.choice.pol == "qu" else ()) + _OF_P
    header = {
        "sources": [{"name": name, "lines": curve.lines.get(name, {})}
                    for name in curve.choice.sources],
        "series": [_of_series(packer, one, names, whole=_WHOLE) for one in curve.series],
        "nights": [_of_series(packer, one, names, whole=("n", "night")) for one in curve.nights],
        "others": [_of_series(packer, one, names, whole=()) for one in curve.others],
        "colours": [{"source": one.source, "telescope": one.telescope, "pair": curve.pair,
                     "columns": {"jd": packer.numbers(one.jd, _STEPS["jd"]),
                                 "c": packer.numbers(one.value, 1e-4),
                                 "c_err": packer.numbers(one.err, 1e-4)}}
                    for one in curve.colours],
        "marks": [{"source": one.source, "jd": one.jd, "text": one.text} for one in curve.marks],
        "pairs": curve.pairs, "pair": curve.pair, "total": curve.total, "shown": curve.shown,
        "flags": {int(flag): str(flag.name).lower().replace("_", " ") for flag in Flag}, **more}
    return packer.packed(header)


def _of_series(packer: Packer, series: Series, names: Sequence[str], *,
               whole: Sequence[str]) -> dict[str, Any]:
    columns = {name: packer.numbers(series.columns[name], _STEPS[name]) for name in names
               if name in series.columns}
    for name in whole:
        columns[name] = packer.whole(series.columns[name])
    return {"source": series.source, "band": series.band, "telescope": series.telescope,
            "instrument": series.instrument, "n": series.size, "columns": columns}


def lines_of(entry: Source, curve: Curve) -> dict[str, Any]:
    """The catalogue's values of a source, for lines to compare with; the angle on the turn on which
    its points are."""
    found: dict[str, Any] = {"mag": {band: mag for band, (mag, _) in entry.magnitudes.items()
                                     if np.isfinite(mag)}}
    if np.isfinite(entry.p):
        found["p"] = 100.0 * entry.p
    if np.isfinite(entry.chi_deg):
        mine = [one.columns["chi"] for one in curve.series if one.source == entry.name]
        found["chi"] = on_turn(entry.chi_deg, np.concatenate(mine)) if mine else entry.chi_deg
    return found
