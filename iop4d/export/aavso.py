"""AAVSO extended file format, for photometry (https://www.aavso.org/aavso-extended-file-format)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from iop4d import __version__
from iop4d.export.content import Content, Row

#: What it needs of a result.
COLUMNS = ("id", "source", "band", "jd_mid", "mag", "mag_err", "mag_err_common", "mag_limit",
           "airmass", "flags", "n_calibrators", "colour_term", "telescope", "instrument",
           "exptime_s")
_FIELDS = ("NAME", "DATE", "MAG", "MERR", "FILT", "TRANS", "MTYPE", "CNAME", "CMAG", "KNAME",
           "KMAG", "AMASS", "GROUP", "CHART", "NOTES")
#: Bands of ours by their names there; u to z are those of Sloan, y that of Pan-STARRS.
_FILTERS = {"u": "SU", "g": "SG", "r": "SR", "i": "SI", "z": "SZ", "y": "Y",
            **{band: band for band in "UBVRIJHK"}}
_OTHER_FILTER = "O"
#: Characters that a field may have at most.
_LONGEST_NAME, _LONGEST_MAG, _LONGEST_ERROR = 30, 8, 6
_NONE = "na"


def as_aavso(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """Magnitudes and limits, one on a line; results that have neither are left out.

    The calibrators are an ensemble of catalogued magnitudes. MERR is the random error and the one
    of the catalogue together. TRANS is YES where a colour term was applied. The observer's code
    must be written in where it is not given.
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
        said = f"{mag:.5f}"[:_LONGEST_MAG]
        merr = f"{error:.4f}"[:_LONGEST_ERROR] if error else _NONE
    else:
        said, merr = f"<{limit:.5f}"[:_LONGEST_MAG], _NONE
    transformed = row["colour_term"] is not None and "own_band" not in row["flags"]
    fields: list[Any] = [
        row["source"][:_LONGEST_NAME], f"{row['jd_mid']:.8f}", said, merr,
        _FILTERS.get(row["band"], _OTHER_FILTER), "YES" if transformed else "NO", "STD", "ENSEMBLE",
        _NONE, _NONE, _NONE, _NONE if row["airmass"] is None else f"{row['airmass']:.3f}", _NONE,
        _NONE, _notes(row)]
    return ",".join(_plain(str(part)) for part in fields)


def _notes(row: Row) -> str:
    band, flags = row["band"], " ".join(row["flags"])
    return "|".join([
        f"{row['n_calibrators']} calibrators; iop4d result {row['id']}",
        f"{row['telescope']} {row['instrument']}", f"exposure {row['exptime_s']:g} s",
        *([] if band in _FILTERS else [f"band {band}"]), *([f"flags {flags}"] if flags else [])])


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c != "," else " " for c in text)
