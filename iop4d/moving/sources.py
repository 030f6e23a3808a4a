"""IOP4's catalogue as sources of ours, beside those that are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iop4d.model.errors import CatalogueError
from iop4d.model.source import SAME_ARCSEC, Source, arcsec_between, canonical
from iop4d.moving.records import Row
from iop4d.store.catalogue_cells import source_of

_BANDS = "UBVRI"
_TARGETS = {"blazar": "", "tde": "tde", "grb": "grb", "ChL-AGN": "changing-look"}
_MAG = 0.005  # by which two catalogues' magnitudes must differ to be worth a line


@dataclass(kw_only=True)
class Sources:
    """``new``: to be added or, with more names, changed; ``names``: what IOP4 called each source to
    what it is called here; ``notes``: what a person should know, a line each."""

    new: list[Source] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    added: int = 0
    known: int = 0
    notes: list[str] = field(default_factory=list)


def convert(rows: Sequence[Row], here: Iterable[Source]) -> Sources:
    """IOP4's sources, held against those that are ``here`` by name and by place.

    A source that is here keeps all its values, and gets IOP4's names besides its own.
    """
    found = Sources()
    kept = {source.name: source for source in here}
    fresh: dict[str, Source] = {}
    for row in rows:
        name = str(row["name"])
        try:
            source = source_of(_cells(row))
        except CatalogueError as error:
            found.notes.append(f"{name or 'a source without a name'}: left out: {error}")
            continue
        same = _same(source, [*kept.values(), *fresh.values()])
        if same is None:
            fresh[source.name] = source
            found.names[name] = source.name
        else:
            found.names[name] = same.name
            _meet(found, source, same, kept, fresh)
        found.notes += _lost(row)
    before = {source.name: source for source in here}
    every = _serving(found, fresh, kept, rows)
    found.new = [source for name, source in every.items() if source != before.get(name)]
    found.added, found.known = len(fresh), len(found.names) - len(fresh)
    return found


def _cells(row: Row) -> dict[str, str]:
    kind = str(row.get("srctype") or "")
    star = kind not in _TARGETS
    polarised = row.get("p") is not None
    role = "standard" if polarised else "calibrator"
    cells: dict[str, Any] = {
        "name": row["name"], "other_names": row.get("other_names"), "ra": row.get("ra_hms"),
        "dec": row.get("dec_dms"), "kind": role if star else "target",
        "redshift": row.get("redshift"), "p": row.get("p"), "p_err": row.get("p_err"),
        "chi": row.get("chi"), "chi_err": row.get("chi_err"),
        "note": row.get("comment"), "tags": _TARGETS.get(kind, "")}
    for band in _BANDS:
        cells |= {f"mag_{band}": row.get(f"mag_{band}"), f"mag_{band}_err": row.get(
            f"mag_{band}_err")}
    return {name: "" if value is None else str(value).strip() for name, value in cells.items()}


def _lost(row: Row) -> list[str]:
    said = " ".join(str(row.get("metadata_str") or "").split())
    return [f"{row['name']}: its metadata '{said}' have no counterpart; DIPOL's method is chosen "
            "by [polarimetry] method"] if said else []


def _same(source: Source, others: Iterable[Source]) -> Source | None:
    names = {canonical(name) for name in (source.name, *source.other_names)}
    for other in others:
        if names & {canonical(name) for name in (other.name, *other.other_names)} \
                or arcsec_between(source, other) < SAME_ARCSEC:
            return other
    return None


def _meet(found: Sources, source: Source, same: Source, kept: dict[str, Source],
          fresh: dict[str, Source]) -> None:
    """A source that is here already: its other names are added, differences are named."""
    have = {canonical(name) for name in (same.name, *same.other_names)}
    more = [name for name in (source.name, *source.other_names) if canonical(name) not in have]
    taken = {canonical(name): other.name for other in (*kept.values(), *fresh.values())
             if other is not same for name in (other.name, *other.other_names)}
    free = tuple(name for name in dict.fromkeys(more) if canonical(name) not in taken)
    among = kept if same.name in kept else fresh
    among[same.name] = replace(same, other_names=(*same.other_names, *free))
    apart = arcsec_between(source, same)
    if apart >= SAME_ARCSEC:
        found.notes.append(f"{source.name}: {apart:.0f} arcsec from {same.name} here, whose place "
                           "is kept")
    found.notes += [f"{source.name}: {band} is {mag:.3f} in IOP4, {ours:.3f} of {same.name} here, "
                    "which is kept" for band, (mag, _) in source.magnitudes.items()
                    for ours in [same.magnitudes.get(band, (math.nan, 0.0))[0]]
                    if abs(ours - mag) > _MAG]


def _serving(found: Sources, fresh: dict[str, Source], kept: dict[str, Source],
             rows: Sequence[Row]) -> dict[str, Source]:
    """All sources, stars with the targets that they calibrate added to those they have."""
    every = {**kept, **fresh}
    for row in rows:
        name = found.names.get(str(row["name"]))
        if name is None:
            continue
        targets = [found.names[target] for target in row["calibrates"] if target in found.names]
        star = every[name]
        if targets:
            every[name] = replace(star, calibrates=tuple(dict.fromkeys(
                (*star.calibrates, *targets))))
    return every
