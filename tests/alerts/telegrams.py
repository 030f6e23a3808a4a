"""What the tests of telegrams share: a letterhead, a source of which all can be told, numbers."""

from __future__ import annotations

from iop4d.alerts.atel.facts import Letterhead, PhotometryFacts, TelescopePhrase
from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.text import (
    Draft,
)
from iop4d.store.database import Transaction
from tests.alerts.test_atel_gather import (
    TODAY,
    asked,
    light,
    measure,
    polarised,
    quiet_past,
)

HEAD = Letterhead(
    authors=("A. Author (IAA-CSIC)", "B. Peñil (Institute 2)"),
    subjects=("Optical", "AGN", "Blazar"), related=("14773", "15056"), telescopes={
        "OSN-T090": TelescopePhrase(
            text="0.9 m telescope (T090) at the Observatorio de Sierra Nevada, Spain", known=True)},
    url="https://iop4d.example.org/", contact="A. Author <a1@example.org>",
    calibration="Fiorucci & Tosti (1996)", acknowledgement="Supported by grant 42")


def rich(tx: Transaction) -> PhotometryFacts:
    """All that a draft can tell of: two bands, two telescopes, polarisation, host, records."""
    measure(tx, 200, 9.0, 12.7)
    quiet_past(tx)
    measure(tx, 4, 8.0, 13.5, **polarised(0.05))
    for k in range(12):
        measure(tx, 0, 9.0 + k / 2, 13.2 - 0.03 * k, host_mjy=1.5, mag_nucleus=13.25 - 0.03 * k,
                mag_nucleus_err=0.03)
    measure(tx, 0, 9.0, 13.9, band="B")
    measure(tx, 0, 9.2, 13.1, telescope="OSN-T150")
    measure(tx, 0, 14.6, 12.88, host_mjy=1.5, mag_nucleus=12.93, mag_nucleus_err=0.03,
            **polarised())
    measure(tx, 0, 13.0, 12.92, **polarised(0.11))
    return light(gather(tx, asked(tx, since_jd=TODAY - 7)))


def untraced(draft: Draft) -> str:
    """The text with every traced number taken out of its place."""
    text = draft.text
    for number in sorted(draft.numbers, key=lambda n: n.start, reverse=True):
        assert text[number.start:number.start + len(number.text)] == number.text
        text = text[:number.start] + text[number.start + len(number.text):]
    return text


def told(draft: Draft, what: str) -> tuple[str, tuple[int, ...]]:
    """A number of the table: its text and its results."""
    number = next(n for n in draft.numbers if n.what == what)
    return number.text, number.results
