"""Every form in which a table can be had: who writes it, and how a browser names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from iop4d.export.aavso import as_aavso
from iop4d.export.content import Content, Row
from iop4d.export.text import as_csv, as_ecsv
from iop4d.export.votable import as_votable

Write = Callable[[Content, Iterable[list[Row]]], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form: its name for people, the type and the ending of its files."""

    words: str
    mimetype: str
    ending: str
    write: Write
    results_only: bool = False


def _as_fits(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    from iop4d.export.fits import as_fits  # which loads numpy and astropy

    yield from as_fits(content, parts)


FORMS: dict[str, Form] = {
    "csv": Form(words="CSV", mimetype="text/csv", ending="csv", write=as_csv),
    "ecsv": Form(words="ECSV", mimetype="text/csv", ending="ecsv", write=as_ecsv),
    "fits": Form(words="FITS", mimetype="application/fits", ending="fits", write=_as_fits),
    "votable": Form(words="VOTable", mimetype="application/x-votable+xml", ending="vot",
                    write=as_votable),
    "aavso": Form(words="AAVSO", mimetype="text/plain", ending="txt", write=as_aavso,
                  results_only=True),
}
