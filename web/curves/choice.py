"""What a light curve shows: of which sources, when, and how; the same in every address."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from iop4d.model.units import MomentError, end_jd_of_text, jd_of_text, utc_of_jd

#: Most sources of one plot.
MOST_SOURCES = 24
#: Name in the address to what people read.
PERIODS = {"tonight": "Tonight", "30d": "30 days", "1y": "1 year", "all": "All"}
QUANTITIES = {"mag": "magnitude", "nucleus": "magnitude without the host",
              "dereddened": "magnitude, dereddened", "flux": "flux [mJy]"}
POLARISATION = {"p": "p and χ", "qu": "q and u"}
AXES = {"utc": "UTC", "mjd": "MJD", "jd": "JD"}
POINTS = {"all": "points and nightly means", "points": "points", "nights": "nightly means"}
_DAYS = {"30d": 30.0, "1y": 365.25}
_MARGIN = 1e-6  # days
#: JD between which every point is.
ALWAYS = (0.0, 1e7)
_SWITCHES = ("bars", "lines", "flagged", "others")


class ChoiceError(ValueError):
    """A value of the address that is none of those that there are."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """``since``, ``until``: JD of a period of one's own, which ``period`` does not name then.

    ``bands``, ``instruments``: those shown, empty for all. ``colour``: two bands such as ``B-R``;
    empty: the two farthest apart. ``bars``: error bars; ``lines``: values of the catalogue;
    ``flagged``: points with a flag too; ``others``: points that others measured. ``NAMED``: JD that
    an address can name, of the years 1900 to 2132; an earlier or later date means these. ``noons``:
    when noon is at the site's telescopes, as parts of a JD; no address has it.
    """

    NAMED: ClassVar[tuple[float, float]] = (2415021.0, 2499999.0)

    sources: tuple[str, ...] = ()
    period: str = "all"
    since: float | None = None
    until: float | None = None
    bands: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    quantity: str = "mag"
    pol: str = "p"
    colour: str = ""
    axis: str = "utc"
    points: str = "all"
    bars: bool = True
    lines: bool = True
    flagged: bool = True
    others: bool = True
    noons: tuple[float, ...] = (0.0,)

    @property
    def has_own_period(self) -> bool:
        """Whether it has a beginning or an end of its own."""
        return self.since is not None or self.until is not None

    def limits(self, now_jd: float) -> tuple[float, float]:
        """The JD between which points are shown."""
        if self.has_own_period:
            return (ALWAYS[0] if self.since is None else self.since - _MARGIN,
                    ALWAYS[1] if self.until is None else self.until + _MARGIN)
        if self.period == "tonight":
            return min(math.floor(now_jd - noon) + noon for noon in self.noons), ALWAYS[1]
        days = _DAYS.get(self.period)
        return (ALWAYS[0] if days is None else now_jd - days), ALWAYS[1]

    def query(self, *, with_sources: bool = True, **other: Any) -> str:
        """As the query of an address; without what is as usual. ``other``: values to change."""
        wanted = {"period": self.period, "from": self.since, "to": self.until,
                  "bands": ",".join(self.bands), "instruments": ",".join(self.instruments),
                  "quantity": self.quantity, "pol": self.pol, "colour": self.colour,
                  "axis": self.axis, "points": self.points, "bars": self.bars, "lines": self.lines,
                  "flagged": self.flagged, "others": self.others} | other
        if "period" in other:
            wanted |= {"from": None, "to": None}
        pairs = [("source", name) for name in self.sources] if with_sources else []
        for name, value in wanted.items():
            if value not in (_USUAL.get(name), None, ""):
                pairs.append((name, str(int(value)) if isinstance(value, bool)
                              else f"{value:.5f}" if isinstance(value, float) else str(value)))
        return urlencode(pairs)

    @property
    def from_text(self) -> str:
        """The beginning as the form has it."""
        return "" if self.since is None else utc_of_jd(self.since, "%Y-%m-%dT%H:%M")

    @property
    def to_text(self) -> str:
        """The end as the form has it."""
        return "" if self.until is None else utc_of_jd(self.until, "%Y-%m-%dT%H:%M")


_USUAL: Mapping[str, Any] = {
    "period": "all", "quantity": "mag", "pol": "p", "axis": "utc", "points": "all", "bars": True,
    "lines": True, "flagged": True, "others": True}


def choice_of(args: MultiDict[str, str], sources: tuple[str, ...]) -> Choice:
    """What the query of an address asks for; raises ChoiceError."""
    since, until = _moment(args, "from", jd_of_text), _moment(args, "to", end_jd_of_text)
    if since is not None and until is not None and until < since:
        raise ChoiceError("to: expected a time after from")
    # A form without scripts sends a hidden 0 before the box that is ticked.
    switches: dict[str, Any] = {name: args.getlist(name)[-1] not in ("0", "false", "no")
                for name in _SWITCHES if args.getlist(name)}
    return Choice(
        sources=sources[:MOST_SOURCES], since=since, until=until,
        period=_one_of(args, "period", PERIODS), bands=_names(args, "bands"),
        instruments=_names(args, "instruments"), quantity=_one_of(args, "quantity", QUANTITIES),
        pol=_one_of(args, "pol", POLARISATION), axis=_one_of(args, "axis", AXES),
        points=_one_of(args, "points", POINTS), colour=args.get("colour", "")[:20].strip(),
        **switches)


def _moment(args: MultiDict[str, str], name: str, read: Callable[[str], float]) -> float | None:
    text = args.get(name, "").strip()
    if not text:
        return None
    try:
        jd = read(text)
    except MomentError as error:
        raise ChoiceError(f"{name}: {error}") from error
    return min(max(jd, Choice.NAMED[0]), Choice.NAMED[1])


def _one_of(args: MultiDict[str, str], name: str, known: Mapping[str, str]) -> str:
    usual = str(_USUAL[name])
    value = args.get(name, "").strip() or usual
    if value not in known:
        raise ChoiceError(f"{name}: expected {' or '.join(known)}")
    return value


def _names(args: MultiDict[str, str], name: str) -> tuple[str, ...]:
    """Names with commas between them, or the same name of the query several times."""
    found = (part.strip()[:60] for text in args.getlist(name) for part in text.split(","))
    return tuple(dict.fromkeys(part for part in found if part))[:40]
