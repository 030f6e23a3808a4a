"""``iop4d catalogue interstellar``: a field's polarisation by dust, from its stars."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.cli.output import json_option, write_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.instruments.base import Instrument
    from iop4d.science.interstellar import FieldMean, GroupOfField
    from iop4d.store.database import Connection


@click.command("interstellar")
@click.argument("source")
@click.option("--instrument", help="Only groups of this instrument.")
@click.option("--write", is_flag=True, help="Write the value to the catalogue.")
@json_option
@site_options
@click.pass_context
def interstellar(ctx: click.Context, source: str, instrument: str | None, write: bool,
                 as_json: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Measure the interstellar polarisation of the field of SOURCE from its stars.

    All polariser groups of all nights count: what their field stars share is polarisation by dust,
    the instrument's own, and the transparency, which averages out. Prints the mean of each
    instrument and of all, with errors. An instrument whose zero angle is not measured is left out.
    With --write the mean becomes the catalogue's, and results are computed again with it.
    """
    from iop4d.instruments.discovery import find_instruments
    from iop4d.model.polarimeter import Analyser
    from iop4d.model.units import UNKNOWN_ANGLE_ERR
    from iop4d.science.interstellar import combined, mean_of_groups
    from iop4d.store import catalogue

    site = load(ctx, site_after, overrides_after)
    tools = {i.name: i for i in find_instruments(site.camera, site.polarimeter)
             if i.polarimeter is not None and i.polarimeter.analyser is Analyser.POLARISER}
    if instrument is not None and instrument not in tools:
        raise Iop4dError(f"no instrument with a polariser is called '{instrument}'; there are "
                         f"{', '.join(tools) or 'none'}")
    database = open_database(site, read_only=not write)
    with database.read() as db:
        target = catalogue.find(db, source)
        groups = {name: _groups(db, target.name, tool) for name, tool in tools.items()
                  if instrument in (None, name)}
    means: dict[str, FieldMean] = {}
    lines: list[str] = []
    for name, seen in groups.items():
        placed = [group for group in seen if group.angle_err_deg < UNKNOWN_ANGLE_ERR]
        if len(placed) < len(seen):
            lines.append(f"{name}: {len(seen) - len(placed)} groups left out, whose zero angle is "
                       f"not measured: 'iop4d calibrate-polarisation {name}' measures it")
        if (mean := mean_of_groups(placed)) is not None:
            means[name] = mean
            lines.append(f"{name}: {_text(mean)}, from {mean.groups} groups")
        elif placed:
            lines.append(f"{name}: {len(placed)} groups, at least 3 are needed")
    for line in [] if as_json else lines:
        click.echo(line)
    if not means:
        raise Iop4dError(f"no field stars of three polariser groups of {target.name} are stored, "
                         "of an instrument whose zero angle is measured")
    best = combined(list(means.values()))
    if not as_json:
        click.echo(f"{target.name}: {_text(best)}")
    if write:
        with database.write() as tx:
            catalogue.save(tx, [replace(target, interstellar=(
                best.q, best.q_err, best.u, best.u_err))])
    if as_json:
        write_json({"source": target.name, "mean": best, "instruments": means, "written": write})
    elif write:
        click.echo(f"Written to the catalogue at {time.strftime('%H:%M:%S', time.gmtime())} UTC.")


def _groups(db: Connection, source: str, tool: Instrument) -> list[GroupOfField]:
    from iop4d.model.errors import StageError
    from iop4d.reduction.interstellar import group_of_field
    from iop4d.store import groups

    found = []
    for id_ in groups.of_source(db, source, tool.name):
        frames = groups.measured_group(db, id_)
        with suppress(StageError):  # of nights for which no constants hold
            if frames and (one := group_of_field(frames, tool)) is not None:
                found.append(one)
    return found


def _text(mean: FieldMean) -> str:
    return (f"q {100 * mean.q:+.3f} ± {100 * mean.q_err:.3f} %, "
            f"u {100 * mean.u:+.3f} ± {100 * mean.u_err:.3f} %")
