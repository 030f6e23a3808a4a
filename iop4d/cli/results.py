"""``iop4d results``: the results as a table, in the formats that astronomers' programs read."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import (
    NIGHT,
    check_instrument,
    check_order,
    load,
    open_database,
    site_options,
    time_option,
)
from iop4d.model import flags
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.store.database import Connection
    from iop4d.store.schema import Result


@click.command()
@click.option("--format", "form", type=click.Choice(["csv", "ecsv", "votable"]), default="csv",
              show_default=True, help="Format of the table.")
@click.option("--source", "sources", multiple=True, metavar="NAME",
              help="Only this source, by any of its names; may be repeated.")
@click.option("--band", "bands", multiple=True, help="Only this band; may be repeated.")
@click.option("--since", metavar="TIME",
              help="Only points from this time on: JD, MJD or UTC such as 2024-03-14T21:00.")
@click.option("--until", metavar="TIME", help="Only points up to this time.")
@click.option("--night", "nights", multiple=True, type=NIGHT, metavar="NIGHT",
              help="Only this night; may be repeated.")
@click.option("--instrument", "instruments", multiple=True, metavar="NAME",
              help="Only this instrument; may be repeated.")
@click.option("--mode", type=click.Choice(["photometry", "polarimetry", "stack"]),
              help="Only this mode; stack: a night's frames put together.")
@click.option("--good", is_flag=True,
              help="Only results that alerts count: with no flag by hand and no severe one.")
@click.option("--all-columns", is_flag=True,
              help="Add BJD, q and u, debiased p, limits, host-free values, method, revision.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write to a file instead of standard output.")
@site_options
@click.pass_context
def results(ctx: click.Context, form: str, sources: tuple[str, ...], bands: tuple[str, ...],
            since: str | None, until: str | None, nights: tuple[str, ...],
            instruments: tuple[str, ...], mode: str | None, good: bool, all_columns: bool,
            output: Path | None, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Write one row for each result, in order of time.

    Times are JD(UTC) of mid-exposure. p is a fraction, chi is in degrees east of north. Flags are
    names joined by ';'. Unknown values are empty.
    """
    from iop4d.store import catalogue, spectral
    from iop4d.store.results import Selection, select

    site = load(ctx, site_after, overrides_after)
    for name in instruments:
        check_instrument(site, name)
    since_jd, until_jd = _jd("--since", since), _jd("--until", until)
    check_order(since_jd, until_jd)
    database = open_database(site, read_only=True)
    with database.read() as db:
        _check_bands(db, bands)
        chosen = Selection(sources=tuple(catalogue.find(db, name).name for name in sources),
                           bands=bands, since_jd=since_jd, until_jd=until_jd, nights=nights,
                           instruments=instruments, mode=mode, good=good)
        columns = COLUMNS | (MORE_COLUMNS if all_columns else {})
        found = list(select(db, chosen))
        slopes = spectral.indices(db, found, site.photometry.spectral_index_minutes)
        rows = [row(result, columns, spectral.columns(slopes.get(result.id))) for result in found]
    data = FORMS[form](rows, columns)
    if output is not None:
        output.write_bytes(data)
    else:
        sys.stdout.buffer.write(data)


def _check_bands(db: Connection, bands: tuple[str, ...]) -> None:
    """Refuse a band that neither the catalogue nor any result has."""
    from iop4d.store import catalogue
    from iop4d.store.results import bands_of_results

    known = {band for source in catalogue.load(db).sources for band in source.magnitudes}
    known |= bands_of_results(db)
    for band in bands:
        if band not in known:
            raise Iop4dError(f"--band: no result and no source has the band '{band}'; there are "
                             f"{', '.join(sorted(known)) or 'none'}")


def _jd(option: str, value: str | None) -> float | None:
    return None if value is None else time_option(option, value)


#: Column to (type, unit, description); the order is that of the table.
COLUMNS: dict[str, tuple[type, str, str]] = {
    "id": (int, "", "Number of the result; stays the same when it changes"),
    "source": (str, "", "Name of the source"),
    "telescope": (str, "", "Telescope"),
    "instrument": (str, "", "Instrument"),
    "mode": (str, "", "photometry or polarimetry"),
    "band": (str, "", "Band, as in the catalogue"),
    "jd_mid": (float, "d", "JD(UTC) of mid-exposure"),
    "exptime_s": (float, "s", "Exposure time"),
    "mag": (float, "mag", "Calibrated magnitude"),
    "mag_err": (float, "mag", "Its random error, of the frame alone: photons, sky, zero point"),
    "zero_point": (float, "mag", "Zero point, of 1 ADU/s"),
    "zero_point_err": (float, "mag", "Its error, random and common"),
    "n_calibrators": (int, "", "Calibrators used for the zero point"),
    "p": (float, "", "Degree of polarisation, a fraction"),
    "p_err": (float, "", "Its random error"),
    "chi_deg": (float, "deg", "Polarisation angle, east of north, 0 to 180"),
    "chi_err_deg": (float, "deg", "Its random error"),
    "fwhm_arcsec": (float, "arcsec", "FWHM of the stars"),
    "airmass": (float, "", "Airmass at mid-exposure"),
    "flags": (str, "", "Quality flags joined by ;"),
    "provisional": (bool, "", "Whether reduced with masters of another night"),
    "frames": (str, "", "Raw files joined by ;"),
}
#: What ``--all-columns`` adds.
MORE_COLUMNS: dict[str, tuple[type, str, str]] = {
    "bjd_tdb": (float, "d", "BJD(TDB) of mid-exposure"),
    "q": (float, "", "Stokes Q/I on the sky"),
    "q_err": (float, "", "Its random error"),
    "u": (float, "", "Stokes U/I on the sky"),
    "u_err": (float, "", "Its random error"),
    "p_debiased": (float, "", "p corrected for the bias of noise (modified asymptotic estimator)"),
    "p_limit": (float, "", "Upper limit of p at 95 % confidence where p is below three sigma"),
    "method": (str, "", "How q and u were determined"),
    "host_mjy": (float, "mJy", "Flux of the host galaxy in the aperture"),
    "mag_nucleus": (float, "mag", "Magnitude without the host"),
    "mag_nucleus_err": (float, "mag", "Its random error"),
    "p_nucleus": (float, "", "p without the light of the host"),
    "p_nucleus_err": (float, "", "Its random error"),
    "mag_err_common": (float, "mag", "Error shared with others: of the catalogue magnitudes"),
    "mag_limit": (float, "mag", "Limit at three sigma, where the source is not detected"),
    "aperture_arcsec": (float, "arcsec", "Radius of the aperture"),
    "mag_psf": (float, "mag", "Magnitude by PSF photometry"),
    "mag_psf_err": (float, "mag", "Its error"),
    "flux_mjy": (float, "mJy", "Flux density as observed; negative ones are kept"),
    "flux_mjy_err": (float, "mJy", "Its error"),
    "extinction_mag": (float, "mag", "Galactic extinction in the band, not applied"),
    "colour": (float, "mag", "Colour of the source that the colour term was applied to"),
    "colour_term": (float, "", "Colour term of the instrument, applied"),
    "colour_term_err": (float, "", "Its error"),
    "spectral_index": (float, "", "alpha of flux ~ nu^alpha, from two bands near in time"),
    "spectral_index_err": (float, "", "Its random error"),
    "spectral_index_err_common": (float, "", "Error shared with others: calibrators, extinction"),
    "spectral_index_with": (int, "", "Number of the other band's result"),
    "qu_cov": (float, "", "Covariance of q and u"),
    "chi_err_common": (float, "deg", "Error of chi that results share: of the zero angle"),
    "q0_err": (float, "", "Error of q by the instrument's polarisation, shared"),
    "u0_err": (float, "", "Error of u by the instrument's polarisation, shared"),
    "q_isp": (float, "", "Interstellar Q/I of the field; not subtracted unless method says so"),
    "q_isp_err": (float, "", "Its error"),
    "u_isp": (float, "", "Interstellar U/I of the field"),
    "u_isp_err": (float, "", "Its error"),
    "host_mjy_err": (float, "mJy", "Error of the flux of the host galaxy"),
    "q_nucleus": (float, "", "q without the light of the host"),
    "q_nucleus_err": (float, "", "Its error"),
    "u_nucleus": (float, "", "u without the light of the host"),
    "u_nucleus_err": (float, "", "Its error"),
    "photometry": (str, "", "Whether mag is by aperture or psf photometry"),
    "night": (str, "", "Date of the evening of the night"),
    "revision": (int, "", "Number of the revision, from 1"),
}
_DIGITS = {"bjd_tdb": 8, "jd_mid": 8, "exptime_s": 3, "fwhm_arcsec": 3, "airmass": 4, "chi_deg": 3,
           "chi_err_deg": 3}


Columns = dict[str, tuple[type, str, str]]


def row(result: Result, columns: Columns, derived: Mapping[str, Any]) -> dict[str, Any]:
    """A result as plain values of the columns; None for what is not known.

    ``derived``: columns that are not stored with it.
    """
    values: dict[str, Any] = {name: derived[name] if name in derived else getattr(result, name)
                              for name in columns}
    human = [flag["name"] if isinstance(flag, dict) else str(flag) for flag in result.human_flags]
    values["flags"] = ";".join([*flags.names(result.flags), *human])
    values["frames"] = ";".join(result.frames)
    for name, (kind, _, _) in columns.items():
        if kind is float and values[name] is not None:
            values[name] = round(values[name], _DIGITS.get(name, 5))
    return values


def as_csv(rows: list[dict[str, Any]], columns: Columns = COLUMNS) -> bytes:
    """Plain CSV: empty where there is none."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), lineterminator="\n")
    writer.writeheader()
    for values in rows:
        writer.writerow({name: _cell(value) for name, value in values.items()})
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _astropy_table(rows: list[dict[str, Any]], columns: Columns) -> Any:
    from astropy.table import Table

    table = Table()
    for name, (kind, unit, description) in columns.items():
        values = [values[name] for values in rows]
        if kind is float:
            values = [math.nan if value is None else value for value in values]
        elif kind is int:
            values = [0 if value is None else value for value in values]
        table[name] = table.Column(values, dtype=kind,
                                   unit=unit or None, description=description)
    return table


def as_ecsv(rows: list[dict[str, Any]], columns: Columns = COLUMNS) -> bytes:
    """Enhanced CSV, for astropy: units and descriptions in the header, NaN for none."""
    out = io.StringIO()
    _astropy_table(rows, columns).write(out, format="ascii.ecsv", delimiter=",")
    return out.getvalue().encode()


def as_votable(rows: list[dict[str, Any]], columns: Columns = COLUMNS) -> bytes:
    """VOTable, for TOPCAT and Aladin."""
    out = io.BytesIO()
    _astropy_table(rows, columns).write(out, format="votable")
    return out.getvalue()


FORMS: dict[str, Callable[[list[dict[str, Any]], Columns], bytes]] = {
    "csv": as_csv, "ecsv": as_ecsv, "votable": as_votable}
