"""What the tests of telegrams share: BL Lac with its past, a letterhead, numbers of a draft."""

from __future__ import annotations

import math
from typing import Any

from iop4d.alerts.atel.facts import DraftFacts, PhotometryFacts
from iop4d.alerts.atel.gather import DraftRequest, gather
from iop4d.alerts.atel.letterhead import Letterhead, TelescopePhrase
from iop4d.alerts.atel.text import Draft
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert, Result

TODAY = 2461367.0  # JD of the noon before the night that drafts are about, 2026-11-22
NAME = "2200+420"

HEAD = Letterhead(
    authors=("A. Author (IAA-CSIC)", "B. Peñil (Institute 2)"),
    subjects=("Optical", "AGN", "Blazar"), related=("14773", "15056"), telescopes={
        "OSN-T090": TelescopePhrase(
            text="0.9 m telescope (T090) at the Observatorio de Sierra Nevada, Spain", known=True)},
    url="https://iop4d.example.org/", contact="A. Author <a1@example.org>",
    calibration="Fiorucci & Tosti (1996)", acknowledgement="Supported by grant 42")


def fill_catalogue(tx: Transaction) -> None:
    catalogue.save(tx, [
        Source(name=NAME, other_names=("BL Lacertae", "BL Lac"), ra_deg=330.68, dec_deg=42.28,
               kind=SourceKind.TARGET, redshift=0.069),
        *(Source(name=f"{NAME} {star}", ra_deg=330.7, dec_deg=42.29 + n / 100,
                 kind=SourceKind.CALIBRATOR, calibrates=(NAME,))
          for n, star in enumerate("BCH"))])


def measure(tx: Transaction, night: int, hours: float, mag: float | None, **more: Any) -> int:
    """A result so many nights before today's, so many hours after its noon; its id."""
    back = TODAY - night
    values = {
        "source": NAME, "band": "R", "telescope": "OSN-T090", "instrument": "AndorT90",
        "night": f"night {1000 - night:04d}", "mode": "photometry", "jd_mid": back + hours / 24,
        "exptime_s": 120.0, "mag": mag, "mag_err": 0.0183,
        "mag_err_common": 0.008, "zero_point": 22.3,
        "zero_point_err": 0.008, "n_calibrators": 2, "frames": ["a.fit"], "created_at": 0.0,
        "changed_at": 0.0, "calibrators": [
            {"source": f"{NAME} B", "zero_point": 22.3, "zero_point_err": 0.01, "weight": 0.5,
             "why_not": ""},
            {"source": f"{NAME} C", "zero_point": 22.3, "zero_point_err": 0.01, "weight": 0.5,
             "why_not": ""},
            {"source": f"{NAME} H", "zero_point": 22.9, "zero_point_err": 0.01, "weight": 0.0,
             "why_not": "differs from the others"}]} | more
    key = f"{tx.select(Result).count()}"
    return int(tx.create(Result, key=key, **values).id)


def polarised(p: float = 0.12, err: float = 0.004, chi: float = 34.0) -> dict[str, Any]:
    """Columns of a polarimetry result of four frames."""
    return {"mode": "polarimetry", "p": p, "p_err": err, "p_debiased": p - err**2 / (2 * p),
            "p_limit": None if p > 3 * err else p + 2 * err, "chi_deg": chi, "chi_err_deg": 1.0,
            "frames": ["a.fit", "b.fit", "c.fit", "d.fit"]}


def quiet_past(tx: Transaction, nights: int = 40, mag: float = 13.5) -> None:
    """Nights two days apart with three points each, that scatter by 0.1 mag."""
    for n in range(nights):
        for k in range(3):
            measure(tx, 2 * n + 2, 9.0 + k, mag + 0.1 * math.sin(n))


def asked(tx: Transaction, **more: Any) -> DraftRequest:
    values = {"source": catalogue.find(tx, NAME), "called": "BL Lac", "since_jd": TODAY,
              "until_jd": TODAY + 1.0} | more
    return DraftRequest(**values)


def alert(tx: Transaction, points: list[int], band: str = "R", episode: int = 1,
          **more: Any) -> Alert:
    """A firing alert on the last of its points."""
    last = tx.by_id(Result, points[-1])
    values = {"rule": "flare", "source": NAME, "band": band, "episode": episode,
              "state": "firing", "condition": "mag < 13.0", "fired_jd": last.jd_mid,
              "points": points, "fired_at": 0.0} | more
    return tx.create(Alert, **values)


def flare(tx: Transaction, nights: int = 40) -> PhotometryFacts:
    """A flare of today: R = 12.9 after a past at 13.5."""
    quiet_past(tx, nights)
    for k in range(6):
        measure(tx, 0, 9.0 + k / 5, 12.9)
    return light(gather(tx, asked(tx)))


def light(facts: DraftFacts) -> PhotometryFacts:
    """PhotometryFacts that have magnitudes."""
    assert isinstance(facts, PhotometryFacts)
    return facts


def two_cameras(tx: Transaction) -> PhotometryFacts:
    """A constant night with two cameras that lie 0.12 mag apart, each with a past."""
    for night in range(1, 6):
        for hours, mag, camera in ((9.0, 13.50, "AndorT90"), (9.1, 13.62, "DIPOL-1")):
            measure(tx, night, hours, mag, instrument=camera)
    for k in range(4):
        measure(tx, 0, 9.0 + k / 5, 13.50, instrument="AndorT90")
        measure(tx, 0, 9.1 + k / 5, 13.62, instrument="DIPOL-1")
    measure(tx, 0, 10.0, 13.50, instrument="AndorT90")
    return light(gather(tx, asked(tx)))


def without_stars(tx: Transaction, night: int, hours: float, p: float = 0.12, **more: Any) -> int:
    """A polarisation of a field without comparison stars."""
    values = {"mag_err": None, "zero_point": None, "zero_point_err": None, "n_calibrators": 0,
              "calibrators": [], "flags": int(Flag.NO_CALIBRATORS), **polarised(p)}
    return measure(tx, night, hours, None, **(values | more))


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
