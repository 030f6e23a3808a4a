"""``iop4d instruments``: which there are, and how a frame is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, site_options
from iop4d.model.errors import CardError, FrameError

if TYPE_CHECKING:
    from iop4d.instruments.base import Header, Instrument
    from iop4d.model.frame import FrameFacts


@click.group()
def instruments() -> None:
    """List the instruments; explain how a frame is read."""


@instruments.command("list")
@site_options
@click.pass_context
def list_(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """List the instruments with their facts."""
    from iop4d.instruments.discovery import find_instruments

    site = load(ctx, site_after, overrides_after)
    for one in find_instruments(site.camera, site.polarimeter):
        masters = ", ".join(kind.value for kind in one.masters) or "none"
        click.echo(f"{one.name:<12} {one.telescope.name:<12} {one.scale_arcsec:.3f} arcsec/px  "
                   f"gain {one.gain_e_adu:g} e-/ADU  saturation {one.saturation_adu:g} ADU  "
                   f"masters: {masters}")


@instruments.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@site_options
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Explain how each frame is read, and which card is at fault when it can't be.

    Exits with 1 if any can't.
    """
    from iop4d.fits.read import read_header
    from iop4d.instruments.discovery import find_instruments

    site = load(ctx, site_after, overrides_after)
    found = find_instruments(site.camera, site.polarimeter)
    failed = False
    for path in files:
        click.echo(f"{path}")
        try:
            header = read_header(path)
            for line in _explain(header, path, found):
                click.echo(f"  {line}")
        except CardError as error:
            failed = True
            click.echo(f"  cannot be read: {error}")
            near = [f"{card} = {header[card]!r}" for card in sorted(header)
                    if card[:3] == error.card[:3] and card != error.card]
            if near:
                click.echo(f"  cards of similar names: {', '.join(near)}")
        except FrameError as error:
            failed = True
            click.echo(f"  cannot be used: {error}")
    sys.exit(failed)


def _explain(header: Header, path: Path,
             found: tuple[Instrument, ...]) -> list[str]:
    from iop4d.instruments.discovery import instrument_for
    from iop4d.model.units import utc_of_jd

    instrument = instrument_for(header, found)
    facts = instrument.read(header, path.name)
    pointing = "none: the place of the object in the catalogue, else the whole sky"
    if facts.pointing_deg is not None:
        pointing = f"{facts.pointing_deg[0]:.4f} {facts.pointing_deg[1]:+.4f} deg"
    ny, nx = facts.shape
    return [
        f"instrument  {facts.instrument} on {facts.telescope}",
        f"kind        {facts.kind.value}, {facts.mode}",
        f"band        {facts.band or 'none'}",
        f"object      {facts.object or 'none'}",
        f"start       {utc_of_jd(facts.jd_start)} UTC = JD {facts.jd_start:.6f}, "
        f"night {facts.night}",
        f"exposure    {facts.exptime_s:g} s",
        f"pointing    {pointing}",
        f"image       {nx} x {ny} px, binning {facts.binning}, "
        f"{instrument.pixel_arcsec(facts.binning):.3f} arcsec/px",
        f"masters     {', '.join(kind.value for kind in instrument.masters) or 'none needed'}",
        *_polarimetry(facts, instrument),
    ]


def _polarimetry(facts: FrameFacts, instrument: Instrument) -> list[str]:
    """What a polarimetric frame has besides."""
    lines = []
    if facts.polariser_deg is not None and instrument.polarimeter is not None:
        lines.append(f"{instrument.polarimeter.analyser:<11} {facts.polariser_deg:g} deg"
                     if len(instrument.polarimeter.analyser) < 11 else
                     f"plate       {facts.polariser_deg:g} deg")
        if constants := instrument.polarimeter.constants_at(facts.jd_mid):
            lines.append(f"constants   q0 {100 * constants.q0:.3f} %, u0 {100 * constants.u0:.3f} "
                         f"%, angle {constants.angle_deg:g} deg ({constants.source})")
    if facts.beams > 1 and instrument.beams is not None:
        (dx, dy), _ = instrument.beams.at(facts.binning)
        lines.append(f"two images  of every star, the left one at {dx:+.1f}, {dy:+.1f} px")
    if facts.origin != (0, 0) or facts.subframe:
        lines.append(f"window      from {facts.origin[0]}, {facts.origin[1]}"
                     + (", matched with a frame of the whole field" if facts.subframe else ""))
    return lines + (["flipped     rows are turned over"] if facts.flipped else [])
