"""``iop4d calibrate-colours``: an instrument's colour terms from the calibrators of many nights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import (
    NIGHT,
    check_instrument,
    check_order,
    load,
    open_database,
    site_options,
)
from iop4d.cli.output import json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.model.source import Catalogue, Source
    from iop4d.science.colour_terms import Slope
    from iop4d.store.instrumental import Instrumental

_FEWEST_STARS = 4


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A calibrator in a band: how far its catalogue magnitude is off those of its field."""

    field: str
    star: str
    colour: float
    offset: float
    err: float


@click.command("calibrate-colours")
@click.argument("instrument")
@click.option("--band", help="Only this band.")
@click.option("--colour", metavar="BAND-BAND",
              help="The colour to measure against; without it one that suits the band.")
@click.option("--since", type=NIGHT, metavar="NIGHT", help="Only nights from this one on.")
@click.option("--until", type=NIGHT, metavar="NIGHT", help="Only nights up to this one.")
@json_option
@site_options
@click.pass_context
def calibrate_colours(ctx: click.Context, instrument: str, band: str | None, colour: str | None,
                      since: str | None, until: str | None, as_json: bool, site_after: str | None,
                      overrides_after: tuple[str, ...]) -> None:
    """Measure the colour terms of INSTRUMENT from the calibrators of many nights.

    For each band it prints each calibrator's colour, how far its catalogue magnitude is off the
    others' of its field and what is left of that, and a [[colour_term]] section for the site file.
    The errors are raised by the scatter of the stars. Nothing is changed.
    """
    from iop4d.store import catalogue as store
    from iop4d.store.instrumental import instrumental

    check_order(since, until)
    site = load(ctx, site_after, overrides_after)
    check_instrument(site, instrument)
    with open_database(site, read_only=True).read() as db:
        known = store.load(db)
        names = [s.name for s in known.sources if s.calibrates]
        rows = [row for row in instrumental(db, names, band=band)
                if row.instrument == instrument and (not since or row.night >= since)
                and (not until or row.night <= until)]
    if not rows:
        raise Iop4dError(f"no photometry frame of {instrument} has a usable calibrator; "
                         "'iop4d instruments list' lists the instruments")
    facts = []
    for number, own in enumerate(sorted({row.band for row in rows})):
        of_band = [row for row in rows if row.band == own]
        if as_json:
            facts.append(_for_programs(instrument, own, of_band, known, colour))
            continue
        click.echo("\n" * bool(number), nl=False)
        _band(instrument, own, of_band, known, colour)
    if as_json:
        write_json(facts)


def _measured(band: str, rows: list[Instrumental], catalogue: Catalogue,
              names: tuple[str, ...]) -> tuple[str, list[Seen], Slope] | None:
    """The first of some colours for which there are enough stars, with them and its term."""
    for name in names:
        seen = offsets_of(rows, catalogue, band, name)
        found = _fit(seen)
        if found is not None:
            return name, seen, found
    return None


def _colours_for(band: str, asked: str | None) -> tuple[str, ...]:
    from iop4d.model.colours import COLOURS_OF

    return (asked,) if asked else COLOURS_OF.get(band, ())


def _for_programs(instrument: str, band: str, rows: list[Instrumental], catalogue: Catalogue,
                  asked: str | None) -> dict[str, Any]:
    """One band with its stars; without a term where too few have a colour."""
    facts: dict[str, Any] = {"instrument": instrument, "band": band,
                             "frames": len({row.frame for row in rows}),
                             "nights": sorted({row.night for row in rows})}
    measured = _measured(band, rows, catalogue, _colours_for(band, asked))
    if measured is None:
        return {**facts, "colour": None, "term": None, "term_err": None, "calibrators": []}
    name, seen, found = measured
    return {**facts, "colour": name, "term": found.term, "term_err": found.err,
            "chance": found.chance, "chi2": found.chi2, "dof": found.dof, "calibrators": [
                {"name": star.star, "field": star.field, "colour": star.colour,
                 "offset": star.offset, "offset_err": star.err, "left": float(left),
                 "used": bool(used)}
                for star, left, used in zip(seen, found.residual, found.used, strict=True)]}


def _band(instrument: str, band: str, rows: list[Instrumental], catalogue: Catalogue,
          asked: str | None) -> None:
    """Measure and print one band."""
    names = _colours_for(band, asked)
    if measured := _measured(band, rows, catalogue, names):
        name, seen, found = measured
        _print(instrument, band, name, rows, seen, found)
        return
    click.echo(f"{instrument} {band}: fewer than {_FEWEST_STARS} calibrators of different "
               f"{' or '.join(names) or 'colours'} in the catalogue's magnitudes")


def offsets_of(rows: list[Instrumental], catalogue: Catalogue, band: str,
               colour: str) -> list[Seen]:
    """Each calibrator's offset from the others of its field, over all frames of the field.

    A star that serves several sources counts once.
    """
    import numpy as np

    from iop4d.model.colours import colour_of
    from iop4d.model.source import catalogue_error
    from iop4d.science.ensemble import solve

    seen: dict[str, Seen] = {}
    for target in catalogue.sources:
        stars = [s for s in catalogue.calibrators_of(target.name)
                 if band in s.magnitudes and s.name not in seen
                 and math.isfinite(colour_of(s, colour)[0])]
        at = {star.name: i for i, star in enumerate(stars)}
        mine = [row for row in rows if row.source in at]
        frames = {frame: i for i, frame in enumerate(dict.fromkeys(row.frame for row in mine))}
        if len({row.source for row in mine}) < 2:
            continue
        estimates, errors = np.full((2, len(frames), len(stars)), np.nan)
        for row in mine:
            place = frames[row.frame], at[row.source]
            estimates[place] = stars[at[row.source]].magnitudes[band][0] - row.mag
            errors[place] = row.mag_err
        prior = np.array([catalogue_error(star.magnitudes[band][1]) for star in stars])
        ensemble = solve(estimates, errors, prior)
        seen |= {star.name: _seen(target, star, colour, ensemble.offsets[i],
                                  ensemble.offset_errs[i])
                 for i, star in enumerate(stars) if math.isfinite(ensemble.offsets[i])}
    return list(seen.values())


def _seen(target: Source, star: Source, colour: str, offset: float, err: float) -> Seen:
    from iop4d.model.colours import colour_of

    return Seen(field=target.name, star=star.name, colour=colour_of(star, colour)[0],
                offset=float(offset), err=float(err))


def _fit(seen: list[Seen]) -> Slope | None:
    import numpy as np

    from iop4d.science.colour_terms import slope

    if len(seen) < _FEWEST_STARS:
        return None
    fields = {name: i for i, name in enumerate(dict.fromkeys(s.field for s in seen))}
    return slope(np.array([s.offset for s in seen]), np.array([s.err for s in seen]),
                 np.array([s.colour for s in seen]), np.array([fields[s.field] for s in seen]))


def _print(instrument: str, band: str, colour: str, rows: list[Any], seen: list[Seen],
           found: Slope) -> None:
    nights = sorted({row.night for row in rows})
    click.echo(f"{instrument} {band} against {colour}: {found.n} of {len(seen)} stars in "
               f"{len({s.field for s in seen})} fields, {len({row.frame for row in rows})} frames "
               f"of {len(nights)} nights from {nights[0]} to {nights[-1]}; chi-square "
               f"{found.chi2:.1f} for {found.dof} degrees of freedom")
    click.echo(f"  {'calibrator':<24} {colour:>7} {'offset':>8} {'error':>7} {'left':>8}")
    for star, left, used in zip(seen, found.residual, found.used, strict=True):
        click.echo(f"  {star.star:<24} {star.colour:7.3f} {star.offset:+8.4f} {star.err:7.4f} "
                   f"{left:+8.4f}" + ("" if used else "  left out"))
    if found.chance > 0.05:
        click.echo(f"# no term is seen: by chance alone {100 * found.chance:.0f} % are as large")
    click.echo(f"# {found.n} stars, {len(nights)} nights, {nights[0]} to {nights[-1]}\n"
               f'[[colour_term]]\ninstrument = "{instrument}"\nband = "{band}"\n'
               f'colour = "{colour}"\nterm = {found.term:.4f}\nterm_err = {found.err:.4f}\n'
               f'since = "{nights[0]}"')
