"""``iop4d instruments`` and ``calibrate-polarisation``: how frames are read; constants."""

from __future__ import annotations

import math
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import (
    NIGHT,
    check_order,
    load,
    open_database,
    site_options,
    verbosity,
)
from iop4d.cli.output import counted, echo, json_option, write_json
from iop4d.model.errors import CardError, FrameError, Iop4dError
from iop4d.model.plain_json import plain

if TYPE_CHECKING:
    from iop4d.config import Site
    from iop4d.instruments.base import Header, Instrument
    from iop4d.instruments.draft_section import Example
    from iop4d.model.frame import FrameFacts, Region
    from iop4d.model.source import Source
    from iop4d.store.schema import Result

#: What has a position in degrees, in a word.
_ANALYSERS = {"half-wave plate": "plate", "fixed analysers": "analyser"}


@click.group()
def instruments() -> None:
    """List the instruments; explain how a frame is read; describe a camera."""


@instruments.command("list")
@json_option
@site_options
@click.pass_context
def list_(ctx: click.Context, as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """List the instruments with their facts."""
    from iop4d.instruments.discovery import find_instruments

    site = load(ctx, site_after, overrides_after)
    known = find_instruments(site.camera, site.polarimeter)
    if as_json:
        write_json([{"name": one.name, "telescope": one.telescope.name,
                     "scale_arcsec": one.scale_arcsec, "gain_e_adu": one.gain_e_adu,
                     "saturation_adu": one.saturation_adu, "masters": one.masters}
                    for one in known])
        return
    for one in known:
        masters = ", ".join(kind.value for kind in one.masters) or "none"
        scale = f"{one.scale_arcsec:.3f} arcsec/px" if math.isfinite(one.scale_arcsec) \
            else "scale from its header"
        echo(f"{one.name:<12} {one.telescope.name:<12} {scale}  "
             f"gain {one.gain_e_adu:g} e-/ADU  saturation {one.saturation_adu:g} ADU  "
             f"masters: {masters}", hang=26)


@instruments.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@site_options
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], as_json: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Explain how each frame is read, and which card is at fault when it can't be.

    Exits with 1 if any can't.
    """
    from iop4d.fits.read import read_header
    from iop4d.instruments.discovery import find_instruments

    site = load(ctx, site_after, overrides_after)
    found = find_instruments(site.camera, site.polarimeter)
    failed = False
    if as_json:
        read = [_read(path, found) for path in files]
        write_json(read)
        sys.exit(any("error" in one for one in read))
    for path in files:
        click.echo(f"{path}")
        try:
            header = read_header(path)
            for line in [*_explain(header, path, found), *_missing(header, site, found)]:
                echo(f"  {line}", hang=12)
        except CardError as error:
            failed = True
            echo(f"  cannot be read: {error}")
            near = [f"{card} = {header[card]!r}" for card in sorted(header)
                    if card[:3] == error.card[:3] and card != error.card]
            if near:
                click.echo(f"  cards of similar names: {', '.join(near)}")
        except FrameError as error:
            failed = True
            echo(f"  cannot be used: {error}")
    sys.exit(failed)


def _read(path: Path, found: tuple[Instrument, ...]) -> dict[str, Any]:
    """A frame as it is read, for programs."""
    from iop4d.fits.read import read_header
    from iop4d.instruments.discovery import instrument_for
    from iop4d.instruments.start_cards import start_doubts

    try:
        header = read_header(path)
        instrument = instrument_for(header, found)
        facts = instrument.facts_of(header, path)
    except FrameError as error:
        return {"file": path, "error": str(error)}
    return {"file": path, **plain(facts), "jd_mid": facts.jd_mid,
            "doubts": start_doubts(header, instrument, facts)}


@instruments.command("split")
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Folder of the new files; without it they are written beside each file.")
@json_option
@verbosity
def split_(files: tuple[Path, ...], into: Path | None, as_json: bool) -> None:
    """Write each chip of a file of several chips as a file of its own.

    The new files have the cards of the whole and of the chip; the card CHIP tells which one it is,
    so that each chip is described by a [[camera]] section of its own. The files stay as they are.
    Exits with 1 if any holds one image only, or cannot be read.
    """
    from iop4d.fits.split import split

    done: list[dict[str, Any]] = []
    for path in files:
        try:
            done.append({"file": path, "written": split(path, into or path.parent)})
        except FrameError as error:
            done.append({"file": path, "error": str(error)})
    if as_json:
        write_json(done)
    else:
        for one in done:
            said = one.get("error") or ", ".join(new.name for new in one["written"])
            echo(f"{one['file'].name}: {said}", hang=4)
    sys.exit(any("error" in one for one in done))


@instruments.command("draft")
@click.argument("files", metavar="FRAME...", nargs=-1, required=True,
                type=click.Path(exists=True, path_type=Path))
@verbosity
def draft_(files: tuple[Path, ...]) -> None:
    """Write a [[camera]] section for the camera that took some frames.

    Give a bias, a dark, a flat and a science frame of each filter, as far as there are such. Each
    line says why it is so; what no header tells stands below, and then how the frames are read
    with the section. Nothing is changed: append what is printed to the site file.
    """
    from iop4d.instruments.draft import draft
    from iop4d.reduction.drafting import look_at

    for folder in (path for path in files if path.is_dir()):
        raise Iop4dError(f"{folder} is a folder: give some of its frames, one of each kind and "
                         f"filter, such as {_example(folder)}")
    seen = [look_at(path.resolve()) for path in files]
    section = draft(seen)
    click.echo(section, nl=False)
    for line in _readings(section, seen):
        click.echo(f"# {line}")


def _example(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return str(folder / (names[0] if names else "bias-001.fits"))


def _readings(section: str, seen: list[Example]) -> list[str]:
    """How each frame is read with a section, in a line."""
    from iop4d.config.load import parse_site
    from iop4d.instruments.camera import instrument_of
    from iop4d.instruments.discovery import find_instruments
    from iop4d.instruments.start_cards import start_doubts
    from iop4d.model.units import utc_of_jd

    instrument = instrument_of(parse_site(section, root=Path("/"), name="this section").camera[0])
    lines = []
    for one in seen:
        known = next((i.name for i in find_instruments() if i.recognises(one.header)), "")
        if known:
            lines.append(f"{one.path.name}: needs no section, {known} is an instrument of iop4d")
            continue
        try:
            facts = instrument.facts_of(one.header, one.path)
            kind = " ".join(filter(None, (facts.kind.value, facts.band)))
            lines.append(f"{one.path.name}: {kind}, middle "
                         f"{utc_of_jd(facts.jd_mid)} UTC, {facts.exptime_s:g} s, "
                         f"{_binning(facts)}")
            lines += [f"{one.path.name}: doubtful: {said}"
                      for said in start_doubts(one.header, instrument, facts)]
        except FrameError as error:
            lines.append(f"{one.path.name}: cannot be read: {error}")
    return lines


def _explain(header: Header, path: Path,
             found: tuple[Instrument, ...]) -> list[str]:
    from iop4d.instruments.discovery import instrument_for
    from iop4d.instruments.start_cards import start_doubts
    from iop4d.model.units import utc_of_jd

    instrument = instrument_for(header, found)
    facts = instrument.facts_of(header, path)
    instrument = instrument.for_frame(facts)
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
        f"exposure    {facts.exptime_s:g} s, middle {utc_of_jd(facts.jd_mid)} UTC",
        f"pointing    {pointing}",
        f"image       {nx} x {ny} px, {_binning(facts)}, "
        f"{instrument.pixel_arcsec(facts.binning):.3f} arcsec/px",
        f"masters     {', '.join(kind.value for kind in instrument.masters) or 'none needed'}",
        *_detector(facts, instrument),
        *_polarimetry(facts, instrument),
        *(f"doubtful    {said}" for said in start_doubts(header, instrument, facts)),
    ]


def _detector(facts: FrameFacts, instrument: Instrument) -> list[str]:
    """What is known of the detector, and what is done with its pixels."""
    said, (x, y) = facts.detector, facts.origin
    noise = f"{instrument.read_noise_e:g} e-" if instrument.read_noise_e > 0 else "unknown"
    lines = [f"detector    gain {instrument.gain_e_adu:g} e-/ADU, read noise {noise}, saturation "
             f"{instrument.saturation_adu:g} ADU" + (
                 f", {said.celsius:g} C" if said.celsius is not None else "")]
    pixels = [
        f"trimmed to {_region(said.trim)}" if said.trim else "",
        f"overscan {_region(said.overscan)}" if said.overscan else "",
        "rows turned over" if facts.flipped else "",
        f"from pixel {x}, {y} of the detector" if (x, y) != (0, 0) else "",
        f"settings {said.settings}" if said.settings else "",
        f"{' and '.join(kind.value for kind in said.calibrated)} applied already"
        if said.calibrated else ""]
    if any(pixels):
        lines.append(f"pixels      {', '.join(filter(None, pixels))}")
    return lines


def _region(region: Region) -> str:
    """As FITS writes it: pixels count from 1, the last one is part of it."""
    x0, x1, y0, y1 = region
    return f"[{x0 + 1}:{x1},{y0 + 1}:{y1}]"


def _missing(header: Header, site: Site, found: tuple[Instrument, ...]) -> list[str]:
    """The cards that a [[camera]] section itself names and the header lacks."""
    from iop4d.instruments.discovery import instrument_for

    name = instrument_for(header, found).name
    lines = []
    for camera in site.camera:
        for key in fields(camera):
            card = getattr(camera, key.name)
            if camera.name == name and key.name.endswith("_card") and card \
                    and card != key.default and not any(
                        one.strip() in header for one in card.split(",")):
                lines.append(f"missing     card {card}, which {key.name} of the site file names")
    return lines


def _binning(facts: FrameFacts) -> str:
    """The binning, and of a mosaic of colour filters that of the camera besides."""
    if not facts.detector.mosaic:
        return f"binning {facts.binning}"
    colour, _, pattern = facts.detector.mosaic.partition(":")
    return (f"the {({'R': 'red', 'G': 'green', 'B': 'blue'})[colour]} pixels of {pattern}, binning "
            f"{facts.binning // 2} of the camera and {facts.binning} with them")


def _polarimetry(facts: FrameFacts, instrument: Instrument) -> list[str]:
    """What a polarimetric frame has besides."""
    lines = []
    if facts.polariser_deg is not None and instrument.polarimeter is not None:
        analyser = instrument.polarimeter.analyser
        lines.append(f"{_ANALYSERS.get(analyser, analyser):<11} {facts.polariser_deg:g} deg")
        if constants := instrument.polarimeter.constants_at(facts.jd_mid):
            lines.append(f"constants   q0 {100 * constants.q0:.3f} %, u0 {100 * constants.u0:.3f} "
                         f"%, angle {constants.angle_deg:g} deg ({constants.source})")
    if facts.beams > 1 and (beams := instrument.beams_of(facts)) is not None:
        (dx, dy), _ = beams.at(facts.binning)
        lines.append(f"two images  of every star, the ordinary one at {dx:+.1f}, {dy:+.1f} px")
    if facts.origin != (0, 0) or facts.subframe:
        lines.append(f"window      from {facts.origin[0]}, {facts.origin[1]}"
                     + (", matched with a frame of the whole field" if facts.subframe else ""))
    return lines + (["flipped     rows are turned over"] if facts.flipped else [])


@click.command("calibrate-polarisation")
@click.argument("instrument")
@click.option("--since", type=NIGHT, metavar="NIGHT", help="Only nights from this one on.")
@click.option("--until", type=NIGHT, metavar="NIGHT", help="Only nights up to this one.")
@json_option
@site_options
@click.pass_context
def calibrate_polarisation(ctx: click.Context, instrument: str, since: str | None,
                           until: str | None, as_json: bool, site_after: str | None,
                           overrides_after: tuple[str, ...]) -> None:
    """Measure q0, u0 and the zero angle of INSTRUMENT from the standards that it observed.

    Standards are the catalogue's sources of that kind with p (0 for unpolarised ones). Prints each
    observation with its residual, the constants with their errors and the time they span,
    and a [[polarimeter]] section for the site file. Observations with the flag field_rotated are
    left out. Nothing is changed.
    """
    import numpy as np

    from iop4d.instruments.discovery import find_instruments
    from iop4d.model.source import SourceKind
    from iop4d.science.polcal import instrument_constants
    from iop4d.store import catalogue, results

    check_order(since, until)
    site = load(ctx, site_after, overrides_after)
    known = {i.name: i for i in find_instruments(site.camera, site.polarimeter)}
    if instrument not in known or known[instrument].polarimeter is None:
        able = ", ".join(name for name, i in known.items() if i.polarimeter)
        raise Iop4dError(f"no polarimeter '{instrument}'; there are {able}")
    database = open_database(site, read_only=True)
    with database.read() as db:
        standards = {s.name: s for s in catalogue.load(db).sources
                     if s.kind is SourceKind.STANDARD and math.isfinite(s.p)}
        rows = [row for row in results.of_polarimeter(
            db, instrument, since=since, until=until) if row.source in standards]
    seen = [_seen(row, known[instrument]) for row in rows]
    if len(seen) < 2:
        advice = "" if standards else ("; the catalogue has none: 'iop4d catalogue import "
                                       "builtin:standards' has the published ones")
        raise Iop4dError(f"{counted(len(seen), 'observation')} of polarisation standards by "
                         f"{instrument}, at least 2 are needed; those with the flag field_rotated "
                         f"do not count{advice}")
    of = [standards[row.source] for row in rows]
    found = instrument_constants(
        np.array([s[:2] for s in seen]), np.array([s[2:] for s in seen]),
        np.array([s.p for s in of]), np.array([s.chi_deg for s in of]),
        np.array([s.p_err for s in of]), np.array([s.chi_err_deg for s in of]))
    if as_json:
        write_json(_for_programs(found, rows, of, instrument))
        return
    for row, source, left in zip(rows, of, found.residual, strict=True):
        click.echo(_line(row, source, left))
    _print(found, rows, instrument)


def _seen(row: Result, instrument: Instrument) -> tuple[float, float, float, float]:
    """q, u and their errors as the instrument saw them: its correction undone.

    Of a polariser the plain method's, since field stars take out what is to be measured.
    """
    assert instrument.polarimeter is not None
    constants = instrument.polarimeter.constants_at(row.jd_mid)
    assert constants is not None
    values: dict[str, Any] = next(
        (m for m in row.methods if m["method"] == (
            "plain" if row.method.startswith("ensemble") else row.method.removesuffix("-isp"))),
        {"q": row.q, "u": row.u, "q_err": row.q_err, "u_err": row.u_err})
    two = math.radians(-2.0 * constants.angle_deg)
    c, s = math.cos(two), math.sin(two)
    # Results of older versions hold the constants' own errors, added in the instrument's frame.
    def bare(err: float, of_constant: float) -> float:
        return err if row.q0_err is not None else math.sqrt(max(err**2 - of_constant**2, 1e-10))

    err_q = math.hypot(c * values["q_err"], s * values["u_err"])
    err_u = math.hypot(s * values["q_err"], c * values["u_err"])
    return (values["q"] * c - values["u"] * s + constants.q0,
            values["q"] * s + values["u"] * c + constants.u0,
            bare(err_q, constants.q0_err), bare(err_u, constants.u0_err))


def _line(row: Result, source: Source, left: Any) -> str:
    return (f"{row.night}  {source.name:14s} p {100 * source.p:6.3f} % listed, "
            f"{100 * row.p:6.3f} % measured; left over q {100 * left[0]:+7.3f} %, "
            f"u {100 * left[1]:+7.3f} %")


def _for_programs(found: Any, rows: list[Result], of: list[Source],
                  instrument: str) -> dict[str, Any]:
    """The constants and what they rest on; polarisation as fractions."""
    constants = {field.name: getattr(found, field.name) for field in fields(found)
                 if field.name != "residual"}
    return {"instrument": instrument, **constants, "observations": [
        {"result": row.id, "night": row.night, "source": source.name, "p_listed": source.p,
         "p": row.p, "left_q": float(left[0]), "left_u": float(left[1])}
        for row, source, left in zip(rows, of, found.residual, strict=True)]}


def _print(found: Any, rows: list[Result], instrument: str) -> None:
    from iop4d.model.units import utc_of_jd

    nights = sorted(row.night for row in rows)
    click.echo(f"\n{len(rows)} observations from {utc_of_jd(rows[0].jd_mid)} to "
               f"{utc_of_jd(rows[-1].jd_mid)}; chi-square {found.chi2:.1f} for {found.dof} degrees "
               "of freedom")
    if math.isfinite(found.efficiency):
        click.echo(f"measured polarisation over the listed one: {found.efficiency:.3f}")
    until = utc_of_jd(rows[-1].jd_mid + 1.0, "%Y-%m-%d")
    click.echo(f"\n# {len(rows)} standards, {nights[0]} to {nights[-1]}\n[[polarimeter]]\n"
               f'instrument = "{instrument}"\nsince = "{nights[0]}"\n'
               f'# until = "{until}"\n'
               f"q0 = {100 * found.q0:.4f}\nq0_err = {100 * found.q0_err:.4f}\n"
               f"u0 = {100 * found.u0:.4f}\nu0_err = {100 * found.u0_err:.4f}")
    if math.isfinite(found.angle_deg):
        click.echo(f"zero_angle = {found.angle_deg:.3f}\n"
                   f"zero_angle_err = {found.angle_err_deg:.3f}")
    else:
        click.echo("# no polarised standard was observed: the zero angle stays as it is")
