"""AAVSO extended file format, for photometry (https://www.aavso.org/aavso-extended-file-format)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from iop4d import __version__
from iop4d.export.content import Content, Row

#: What it needs of a result.
COLUMNS = ("id", "source", "band", "jd_mid", "mag", "mag_err", "mag_err_common", "mag_limit",
           "airmass", "flags", "n_calibrators", "telescope", "instrument", "exptime_s")
_FIELDS = ("NAME", "DATE", "MAG", "MERR", "FILT", "TRANS", "MTYPE", "CNAME", "CMAG", "KNAME",
           "KMAG", "AMASS", "GROUP", "CHART", "NOTES")
#: Bands of ours that have other names there: those of Sloan.
_FILTERS = {"u": "SU", "g": "SG", "r": "SR", "i": "SI", "z": "SZ", "y": "ZS"}
_LONGEST_NAME = 30
_NONE = "na"


def as_aavso(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """Magnitudes and limits, one on a line; results that have neither are left out.

    The calibrators are an ensemble of catalogued magnitudes. MERR is the random error and the one
    of the catalogue together. The observer's code must be written in where it is not given.
    """
    head = ["#TYPE=EXTENDED", f"#OBSCODE={content.observer or 'XXX'}",
            f"#SOFTWARE=iop4d {__version__}", "#DELIM=,", "#DATE=JD", "#OBSTYPE=CCD",
            *(f"# {line}" for line in content.lines), "#" + ",".join(_FIELDS)]
    yield "".join(f"{' '.join(line.split())}\n" for line in head).encode("ascii", "replace")
    for rows in parts:
        lines = [line for row in rows if (line := _line(row))]
        yield "".join(f"{line}\n" for line in lines).encode("ascii", "replace")


def _line(row: Row) -> str:
    mag, limit = row["mag"], row["mag_limit"]
    if mag is None and limit is None:
        return ""
    if mag is not None:
        errors = [row[name] or 0.0 for name in ("mag_err", "mag_err_common")]
        error = sum(part * part for part in errors) ** 0.5
        said, merr = f"{mag:.4f}", f"{error:.4f}" if error else _NONE
    else:
        said, merr = f"<{limit:.3f}", _NONE
    band = row["band"]
    notes = f"|{row['telescope']} {row['instrument']}|exposure {row['exptime_s']:g} s"
    flags = " ".join(row["flags"])
    if flags:
        notes += f"|flags {flags}"
    fields: list[Any] = [
        row["source"][:_LONGEST_NAME], f"{row['jd_mid']:.6f}", said, merr,
        _FILTERS.get(band, band), "NO" if "own_band" in row["flags"] else "YES", "STD", "ENSEMBLE",
        _NONE, _NONE, _NONE, _NONE if row["airmass"] is None else f"{row['airmass']:.3f}", _NONE,
        _NONE, f"{row['n_calibrators']} calibrators; iop4d result {row['id']}{notes}"]
    return ",".join(_plain(str(part)) for part in fields)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c != "," else " " for c in text)
