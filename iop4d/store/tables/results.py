"""The columns of results."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from iop4d.model.flags import NEVER_ALERTS
from iop4d.store import spectral
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.store.tables.columns import Column, Kind, Listing

_HAND = 't."human_flags"'
_BY_HAND = ("(SELECT string_agg(CASE h.type WHEN 'object' "  # noqa: S608 - names of ours
            f"THEN json_extract(h.value, '$.name') ELSE h.value END, ';') "
            f"FROM json_each({_HAND}) AS h)")
_FLAGS = (f"CASE WHEN json_array_length({_HAND}) > 0 THEN CAST(t.\"flags\" AS TEXT) "
          f"|| ';' || {_BY_HAND} ELSE CAST(t.\"flags\" AS TEXT) END")
_GOOD = f'((t."flags" & {int(NEVER_ALERTS)}) = 0 AND json_array_length({_HAND}) = 0)'
_OF_SOURCE = '(SELECT s."{}" FROM "source" AS s WHERE s."name" = t."source")'


def _number(name: str, words: str, says: str, unit: str = "", ucd: str = "", *, digits: int = 5,
            shown: bool = False, derived: bool = False, sql: str = "",
            turn: float = 0.0) -> Column:
    return Column(name=name, words=words, says=says, kind=Kind.NUMBER, unit=unit, ucd=ucd,
                  digits=digits, shown=shown, derived=derived, sql=sql, turn=turn)


_Q, _U = "phys.polarization.stokes.Q", "phys.polarization.stokes.U"
_P, _ANGLE = "phys.polarization.linear", "pos.posAng;phys.polarization"
_MAG, _FLUX, _OPT = "phot.mag", "phot.flux.density", "em.opt"
_ERR = "stat.error"

#: What every table of results has.
FIRST = (
    Column(name="id", words="Result", says="Number of the result; stays the same when it changes",
           kind=Kind.WHOLE, ucd="meta.id;meta.main", is_indexed=True),
    Column(name="source", words="Source", says="Name of the source", kind=Kind.SOURCE,
           ucd="meta.id;src", shown=True),
    Column(name="telescope", words="Telescope", says="Telescope", ucd="instr.tel", shown=True),
    Column(name="instrument", words="Instrument", says="Instrument", ucd="meta.id;instr"),
    Column(name="mode", words="Mode", says="photometry or polarimetry; stack: of several frames",
           kind=Kind.CHOICE, choices=("photometry", "polarimetry", "stack"), ucd="meta.code"),
    Column(name="band", words="Band", says="Band, as in the catalogue", ucd="instr.bandpass",
           shown=True),
    Column(name="jd_mid", words="Time", says="JD(UTC) of mid-exposure", kind=Kind.DAY, unit="d",
           ucd="time.epoch;meta.main", digits=8, shown=True, is_indexed=True),
    _number("exptime_s", "Exposure", "Exposure time", "s", "time.duration;obs.exposure", digits=3),
    _number("mag", "Mag", "Calibrated magnitude", "mag", f"{_MAG};{_OPT};meta.main", shown=True),
    _number("mag_err", "Mag error", "Its random error, of the frame alone: photons, sky, zero "
            "point", "mag", f"{_ERR};{_MAG}", shown=True),
    _number("zero_point", "Zero point", "Zero point, of 1 ADU/s", "mag", f"{_MAG};arith.zp"),
    _number("zero_point_err", "Zero point error", "Its error, random and common", "mag",
            f"{_ERR};{_MAG};arith.zp"),
    Column(name="n_calibrators", words="Calibrators", kind=Kind.WHOLE, ucd="meta.number",
           says="Calibrators used for the zero point"),
    _number("p", "p", "Degree of polarisation, a fraction", "", _P),
    _number("p_debiased", "p debiased",
            "p corrected for the bias of noise (modified asymptotic estimator)", "", _P,
            shown=True),
    _number("p_limit", "p limit",
            "Upper limit of p at 95 % confidence where p is below three sigma", "",
            f"{_P};stat.max", shown=True),
    _number("p_err", "p error", "Random error of p", "", f"{_ERR};{_P}", shown=True),
    _number("chi_deg", "χ", "Polarisation angle, east of north, 0 to 180", "deg", _ANGLE,
            digits=3, shown=True, turn=180.0),
    _number("chi_err_deg", "χ error", "Its random error", "deg", f"{_ERR};{_ANGLE}", digits=3,
            shown=True),
    _number("fwhm_arcsec", "FWHM", "FWHM of the stars", "arcsec", "instr.obsty.seeing", digits=3),
    _number("airmass", "Airmass", "Airmass at mid-exposure", "", "obs.airMass", digits=4),
    Column(name="flags", words="Flags", says="Quality flags joined by ;", kind=Kind.FLAGS,
           sql=_FLAGS, by_hand=_HAND, ucd="meta.code.qual", shown=True),
    Column(name="provisional", words="Provisional", kind=Kind.YES_NO, ucd="meta.code.status",
           says="Whether reduced with masters of another night", shown=True),
    Column(name="frames", words="Frames", says="Raw files joined by ;", kind=Kind.LIST,
           ucd="meta.id;meta.file"),
)
#: What ``--all-columns`` of ``iop4d results`` adds.
MORE = (
    Column(name="bjd_tdb", words="BJD", says="BJD(TDB) of mid-exposure", kind=Kind.DAY, unit="d",
           ucd="time.epoch", digits=8),
    _number("q", "q", "Stokes Q/I on the sky", "", _Q),
    _number("q_err", "q error", "Its random error", "", f"{_ERR};{_Q}"),
    _number("u", "u", "Stokes U/I on the sky", "", _U),
    _number("u_err", "u error", "Its random error", "", f"{_ERR};{_U}"),
    Column(name="method", words="Method", says="How q and u were determined", ucd="meta.code"),
    _number("host_mjy", "Host", "Flux of the host galaxy in the aperture", "mJy",
            f"{_FLUX};{_OPT}"),
    _number("mag_nucleus", "Mag without host", "Magnitude without the host", "mag",
            f"{_MAG};{_OPT}"),
    _number("mag_nucleus_err", "Its error", "Its random error", "mag", f"{_ERR};{_MAG}"),
    _number("p_nucleus", "p without host", "p without the light of the host", "", _P),
    _number("p_nucleus_err", "Its error", "Its random error", "", f"{_ERR};{_P}"),
    _number("mag_err_common", "Common mag error",
            "Error shared with others: of the catalogue magnitudes", "mag", f"{_ERR};{_MAG}"),
    _number("mag_limit", "Mag limit", "Limit at three sigma, where the source is not detected",
            "mag", f"{_MAG};stat.min", shown=True),
    _number("aperture_arcsec", "Aperture", "Radius of the aperture", "arcsec",
            "phys.angSize;instr.param"),
    _number("mag_psf", "PSF mag", "Magnitude by PSF photometry", "mag", f"{_MAG};{_OPT}"),
    _number("mag_psf_err", "PSF mag error", "Its error", "mag", f"{_ERR};{_MAG}"),
    _number("flux_mjy", "Flux", "Flux density as observed; negative ones are kept", "mJy",
            f"{_FLUX};{_OPT}"),
    _number("flux_mjy_err", "Flux error", "Its error", "mJy", f"{_ERR};{_FLUX}"),
    _number("extinction_mag", "Extinction", "Galactic extinction in the band, not applied", "mag",
            "phys.absorption.gal"),
    _number("colour", "Colour", "Colour of the source that the colour term was applied to", "mag",
            "phot.color"),
    _number("colour_term", "Colour term", "Colour term of the instrument, applied", "",
            "instr.calib"),
    _number("colour_term_err", "Its error", "Its error", "", f"{_ERR};instr.calib"),
    _number("spectral_index", "Spectral index",
            "alpha of flux ~ nu^alpha, from two bands near in time", "", "spect.index",
            derived=True),
    _number("spectral_index_err", "Its error", "Its random error", "", f"{_ERR};spect.index",
            derived=True),
    _number("spectral_index_err_common", "Its common error",
            "Error shared with others: calibrators, extinction", "", f"{_ERR};spect.index",
            derived=True),
    Column(name="spectral_index_with", words="Index with", kind=Kind.WHOLE, derived=True,
           says="Number of the other band's result", ucd="meta.id.assoc"),
    _number("qu_cov", "Covariance", "Covariance of q and u", "", "stat.covariance"),
    _number("chi_err_common", "Common χ error",
            "Error of chi that results share: of the zero angle", "deg", f"{_ERR};{_ANGLE}"),
    _number("q0_err", "Common q error", "Error of q by the instrument's polarisation, shared", "",
            f"{_ERR};{_Q}"),
    _number("u0_err", "Common u error", "Error of u by the instrument's polarisation, shared", "",
            f"{_ERR};{_U}"),
    _number("q_isp", "Interstellar q",
            "Interstellar Q/I of the field; not subtracted unless method says so", "", _Q),
    _number("q_isp_err", "Its error", "Its error", "", f"{_ERR};{_Q}"),
    _number("u_isp", "Interstellar u", "Interstellar U/I of the field", "", _U),
    _number("u_isp_err", "Its error", "Its error", "", f"{_ERR};{_U}"),
    _number("host_mjy_err", "Host error", "Error of the flux of the host galaxy", "mJy",
            f"{_ERR};{_FLUX}"),
    _number("q_nucleus", "q without host", "q without the light of the host", "", _Q),
    _number("q_nucleus_err", "Its error", "Its error", "", f"{_ERR};{_Q}"),
    _number("u_nucleus", "u without host", "u without the light of the host", "", _U),
    _number("u_nucleus_err", "Its error", "Its error", "", f"{_ERR};{_U}"),
    Column(name="photometry", words="Photometry", kind=Kind.CHOICE, choices=("aperture", "psf"),
           says="Whether mag is by aperture or psf photometry", ucd="meta.code"),
    Column(name="night", words="Night", says="Date of the evening of the night", kind=Kind.NIGHT,
           ucd="time.epoch;obs"),
    Column(name="revision", words="Revision", says="Number of the revision, from 1",
           kind=Kind.WHOLE, ucd="meta.version"),
    _number("mjd_mid", "MJD", "MJD(UTC) of mid-exposure", "d", "time.epoch", digits=8,
            sql='(t."jd_mid" - 2400000.5)'),
    _number("ra_deg", "RA", "Right ascension of the source in the catalogue, ICRS", "deg",
            "pos.eq.ra", digits=7, sql=_OF_SOURCE.format("ra_deg"), turn=360.0),
    _number("dec_deg", "Dec", "Declination of the source in the catalogue, ICRS", "deg",
            "pos.eq.dec", digits=7, sql=_OF_SOURCE.format("dec_deg")),
)
#: What the pages and the addresses for programs have besides.
_OTHERS = (
    Column(name="good", words="Counts for alerts", kind=Kind.YES_NO, sql=_GOOD,
           says="Whether it has no flag by hand and none with which alerts leave it out",
           ucd="meta.code.qual"),
    Column(name="key", words="Identity", says="Identity, the same whenever it is reduced again",
           ucd="meta.id"),
    Column(name="group_id", words="Group", says="Number of its polarimetry group", kind=Kind.WHOLE,
           ucd="meta.id.assoc"),
    Column(name="frame_id", words="Frame", says="Number of its frame, or of one of its frames",
           kind=Kind.WHOLE, derived=True, ucd="meta.id.assoc"),
    Column(name="software", words="Software", says="Version of iop4d that computed it, or IOP4",
           ucd="meta.id;meta.software"),
    Column(name="created_at", words="Made", says="When it was computed first, Unix seconds",
           kind=Kind.MOMENT, unit="s", ucd="time.creation", digits=3),
    Column(name="changed_at", words="Changed", says="When it changed last, Unix seconds",
           kind=Kind.MOMENT, unit="s", ucd="time.processing", digits=3, is_indexed=True),
)


def _derive(db: Connection, rows: list[dict[str, Any]], wanted: frozenset[str],
            context: Mapping[str, Any]) -> None:
    """Spectral indices, with partners within ``index_minutes``; and a frame of each result."""
    names = [name for name in spectral.COLUMNS if name in wanted]
    if names:
        minutes = float(context.get("index_minutes", 0.0))
        kept: list[Any] = [SimpleNamespace(**row) for row in rows]
        slopes = spectral.indices(db, kept, minutes)
        for row in rows:
            found = spectral.columns(slopes.get(row["id"]))
            row.update((name, found[name]) for name in names)
    if "frame_id" in wanted:
        frames = frame_ids(db, [row["id"] for row in rows])
        for row in rows:
            row["frame_id"] = frames.get(row["id"])


RESULTS = Listing(
    name="results", words="Results", one="result", main_time="jd_mid", order="-jd_mid",
    says="Calibrated magnitudes and polarisations: one row for each source, frame or group, and "
         "band. Withdrawn results are never given.",
    source='"result" AS t', base='t."withdrawn" = FALSE', columns=FIRST + MORE + _OTHERS,
    paths=frozenset({"source"}), few=frozenset({"night"}), derive=_derive,
    needs=("source", "jd_mid", "mag"),
    usual=(*(column.name for column in FIRST), "mag_err_common",
           "mag_limit", "chi_err_common", "q", "q_err", "u", "u_err", "night", "bjd_tdb",
           "revision", "changed_at"))
