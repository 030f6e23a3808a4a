"""Sources of the catalogue: targets, calibrators and standards."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum

from iop4d.model.units import degrees_between


def canonical(name: str) -> str:
    """A name without what observers leave out: case, blanks, dashes and underscores.

    ``BL Lac``, ``bllac`` and ``BL_LAC`` are one; ``+`` stays, since it is part of positions. Every
    comparison of names of sources, wherever it is made, is one of these.
    """
    return re.sub(r"[\s_\-−‐‑–]+", "", name).casefold()


def similar(name: str, names: Collection[str]) -> str:
    """Which names somebody may have meant, to end a message with; empty if none is like it."""
    by_form = {canonical(one): one for one in names}
    near = [by_form[form] for form in get_close_matches(canonical(name), by_form, n=3)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


DEFAULT_ERROR = 0.03  # mag, of a catalogue magnitude without error; authors differ by up to 0.08
SAME_ARCSEC = 2.0  # within which two positions are of one star: no seeing parts them


def catalogue_error(error: float) -> float:
    """The error of a catalogue magnitude, of one without a usual one."""
    return error if math.isfinite(error) and error > 0 else DEFAULT_ERROR


class SourceKind(StrEnum):
    """What a source is for."""

    TARGET = "target"
    CALIBRATOR = "calibrator"
    STANDARD = "standard"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of the catalogue.

    ``ra_deg``, ``dec_deg``: ICRS degrees. ``magnitudes``: band to (magnitude, error), error NaN if
    unknown. ``p`` is the degree of polarisation as a fraction, ``chi_deg`` east of north.
    ``calibrates``: names of the targets this star serves. ``aperture_arcsec``: radius in which the
    source is measured whatever the seeing, NaN: as the frame's seeing asks. ``extinction``: band to
    the Galaxy's, magnitudes. ``colours``: such as ``B-V`` to (magnitude, error). ``interstellar``:
    (q, q_err, u, u_err) of the dust before the source, fractions. ``tags``: names of the groups of
    sources that it belongs to. ``note``: Markdown.
    """

    name: str
    ra_deg: float
    dec_deg: float
    kind: SourceKind
    other_names: tuple[str, ...] = ()
    calibrates: tuple[str, ...] = ()
    magnitudes: dict[str, tuple[float, float]] = field(default_factory=dict)
    p: float = float("nan")
    p_err: float = float("nan")
    chi_deg: float = float("nan")
    chi_err_deg: float = float("nan")
    redshift: float = float("nan")
    aperture_arcsec: float = float("nan")
    extinction: dict[str, float] = field(default_factory=dict)
    colours: dict[str, tuple[float, float]] = field(default_factory=dict)
    interstellar: tuple[float, float, float, float] | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    id: int = 0


def arcsec_between(one: Source, other: Source) -> float:
    """Angle between two sources, arcsec."""
    return 3600.0 * degrees_between(one.ra_deg, one.dec_deg, other.ra_deg, other.dec_deg)


def listed_in(sources: Iterable[Source], band: str) -> dict[str, tuple[float, float]]:
    """The catalogue magnitudes of sources in a band with their errors, usual ones for unknown."""
    return {source.name: (mag, catalogue_error(err)) for source in sources
            for mag, err in [source.magnitudes.get(band, (math.nan, math.nan))]}


def tagged(sources: Iterable[Source]) -> dict[str, tuple[str, ...]]:
    """The names of the sources of each tag of the catalogue."""
    found: dict[str, list[str]] = {}
    for source in sources:
        for tag in source.tags:
            found.setdefault(tag, []).append(source.name)
    return {tag: tuple(names) for tag, names in found.items()}


def twice(sources: Iterable[Source]) -> list[tuple[Source, Source]]:
    """The pairs of sources at one place, under two names."""
    ordered = sorted(sources, key=lambda source: source.dec_deg)
    found = []
    for i, one in enumerate(ordered):
        for other in ordered[i + 1:]:
            if 3600.0 * (other.dec_deg - one.dec_deg) >= SAME_ARCSEC:
                break
            if arcsec_between(one, other) < SAME_ARCSEC:
                found.append((one, other) if one.id <= other.id else (other, one))
    return found


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All sources at one moment; ``version`` rises with every change."""

    version: int
    sources: tuple[Source, ...]

    def named(self, name: str) -> Source | None:
        """The source of a name, its own or another, as ``canonical`` compares them."""
        wanted = canonical(name)
        return next((s for s in self.sources if wanted and wanted in map(
            canonical, (s.name, *s.other_names))), None)

    def of_object(self, said: str) -> Source | None:
        """The source that a header's OBJECT names: all of it, or else its first words.

        So ``BL Lac field 2`` is BL Lac, where no source is named like the whole.
        """
        words = re.findall(r"[^\s_]+", said)
        return next((found for n in range(len(words), 0, -1)
                     if (found := self.named("".join(words[:n])))), None)

    def calibrators_of(self, target: str) -> tuple[Source, ...]:
        """The sources that calibrate a target, by the target's name; each star once.

        Of a star that stands twice the first counts, with the bands that only the other has.
        """
        found: list[Source] = []
        for source in self.sources:
            if target not in source.calibrates:
                continue
            same = next((i for i, other in enumerate(found)
                         if arcsec_between(other, source) < SAME_ARCSEC), None)
            if same is None:
                found.append(source)
            else:
                found[same] = replace(found[same], magnitudes={
                    **source.magnitudes, **found[same].magnitudes})
        return tuple(found)
