"""The catalogue in the database: read whole, written row by row in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import cast

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Catalogue, Source, SourceKind, canonical
from iop4d.store import schema
from iop4d.store.database import Connection, Transaction, finite, number
from iop4d.store.nodes import of_node, seen_now

_VERSION = "catalogue_version"
_FOLLOWED = "catalogue_version_of_results"


def version(db: Connection) -> int:
    """The catalogue's version; it rises with every change."""
    row = db.by(schema.Meta, "key", _VERSION)
    return int(row.value) if row else 0


def follow(tx: Transaction, version: int) -> bool:
    """Note that this node's results rest on a version from now on; whether they rested on another.
    """
    key = of_node(_FOLLOWED, tx.node)
    row = tx.get(schema.Meta, schema.Meta.key == key)
    tx.replace(schema.Meta, key=key, value=version)
    return row is not None and row.value != version


def is_followed(db: Connection) -> bool:
    """Whether the daemon saw the catalogue as it is now, and has results rest on it; of several,
    whether those did that are seen."""
    now, keys = version(db), {of_node(_FOLLOWED, node) for node in {db.node, *seen_now(db)}}
    rows = db.select(schema.Meta).where(schema.Meta.key.in_(keys))
    return [row.value for row in rows] == [now] * len(keys)


def load(db: Connection) -> Catalogue:
    """The whole catalogue; where the database is only read, once for each version."""
    now = version(db)
    if db.kept is not None and (found := db.kept.get(_VERSION)) and found.version == now:
        return cast(Catalogue, found)
    rows = db.select(schema.Source).order_by(schema.Source.id)
    loaded = Catalogue(version=now, sources=tuple(map(_from_row, rows)))
    if db.kept is not None:
        db.kept[_VERSION] = loaded
    return loaded


def find(db: Connection, name: str) -> Source:
    """The source of any of its names; raises CatalogueError when there is none."""
    wanted = canonical(name)
    sources = load(db).sources
    for source in sources:
        if wanted in map(canonical, (source.name, *source.other_names)):
            return source
    names = {canonical(n): n for s in sources for n in (*s.other_names, s.name)}
    close = list(dict.fromkeys(
        [names[n] for n in names if wanted and wanted in n]
        + [names[n] for n in get_close_matches(wanted, names, n=3, cutoff=0.7)]))
    hint = f"; did you mean {', '.join(close[:5])}?" if close else ""
    raise CatalogueError(f"no source is named '{name}'{hint}")


def save(tx: Transaction, sources: Iterable[Source]) -> tuple[int, int]:
    """Add new sources and replace those of the same name; (added, replaced).

    A source keeps its id. Raises CatalogueError if a name would belong to two sources.
    """
    sources = list(sources)
    existing = {canonical(row.name): row.id for row in tx.select(schema.Source)}
    added = replaced = 0
    for source in sources:
        values = _to_row(source)
        if (id_ := existing.get(canonical(source.name))) is not None:
            tx.update(schema.Source, **values).where(schema.Source.id == id_).execute()
            replaced += 1
        else:
            tx.create(schema.Source, **values)
            added += 1
    check_names(load(tx).sources)
    tx.replace(schema.Meta, key=_VERSION, value=version(tx) + 1)
    return added, replaced


def check_names(sources: tuple[Source, ...]) -> None:
    """Raise CatalogueError if a name belongs to two sources."""
    owner: dict[str, str] = {}
    for source in sources:
        for name in {canonical(n) for n in (source.name, *source.other_names)}:
            if name in owner:
                raise CatalogueError(
                    f"'{source.name}' and '{owner[name]}' share a name: each name belongs to one "
                    "source only")
            owner[name] = source.name


def _from_row(row: schema.Source) -> Source:
    return Source(
        id=row.id, name=row.name, other_names=tuple(row.other_names), ra_deg=row.ra_deg,
        dec_deg=row.dec_deg, kind=SourceKind(row.kind), calibrates=tuple(row.calibrates),
        magnitudes={band: (mag, number(err)) for band, (mag, err) in row.magnitudes.items()},
        p=number(row.p), p_err=number(row.p_err), chi_deg=number(row.chi_deg),
        chi_err_deg=number(row.chi_err_deg), redshift=number(row.redshift),
        aperture_arcsec=number(row.aperture_arcsec), extinction=dict(row.extinction),
        colours={name: (value, number(err)) for name, (value, err) in row.colours.items()},
        interstellar=_four(row.interstellar), tags=tuple(row.tags), note=row.note)


def _four(values: list[float]) -> tuple[float, float, float, float] | None:
    if len(values) != 4:
        return None
    q, q_err, u, u_err = values
    return q, q_err, u, u_err


def _to_row(source: Source) -> dict[str, object]:
    return {
        "name": source.name, "other_names": list(source.other_names), "ra_deg": source.ra_deg,
        "dec_deg": source.dec_deg, "kind": source.kind.value,
        "calibrates": list(source.calibrates),
        "magnitudes": {band: [mag, finite(err)] for band, (mag, err) in source.magnitudes.items()},
        "p": finite(source.p), "p_err": finite(source.p_err), "chi_deg": finite(source.chi_deg),
        "chi_err_deg": finite(source.chi_err_deg), "redshift": finite(source.redshift),
        "aperture_arcsec": finite(source.aperture_arcsec), "extinction": dict(source.extinction),
        "colours": {name: [value, finite(err)] for name, (value, err) in source.colours.items()},
        "interstellar": list(source.interstellar or ()), "tags": list(source.tags),
        "note": source.note,
    }
