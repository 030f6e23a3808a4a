"""What the tests of summaries share: a site that sends them, and a night written by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from iop4d.config import Site
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Frame, Result
from tests.alerts.bench import channel, site_of

NIGHT = "2024-03-13"


def at(text: str) -> float:
    """UTC as Unix seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def jd(text: str) -> float:
    return jd_of_unix(at(text))


def summary_site(root: Path, *more: str, to: str = '["ana@example.org"]') -> Site:
    """A site with one channel, to which its summaries go."""
    return site_of(root, '[summary]\nchannels = ["team"]\n', *more, channel(to=to))


def frame(tx: Transaction, name: str, state: str = "done", **more: Any) -> Frame:
    """A science frame of the night."""
    return tx.create(Frame, **{
        "archive": "t220", "path": f"/raw/{name}", "telescope": "CAHA-T220", "night": NIGHT,
        "name": name, "size": 1, "mtime_ns": 1, "state": state, "kind": "science",
        "instrument": "CAFOS", "completed_at": at("2024-03-13T22:00"),
        "seen_at": at("2024-03-13T22:00"), "changed_at": at("2024-03-13T22:00")} | more)


def result(tx: Transaction, minute: float, mag: float | None = 13.0, *, night: str = NIGHT,
           **more: Any) -> Result:
    """A point of BL Lac, so many minutes after 22:00 of the night."""
    moment = jd(f"{night}T22:00") + minute / 1440
    count = tx.select(Result).count()
    return tx.create(Result, **{
        "key": f"{night}/{count}", "source": "BL Lac", "telescope": "CAHA-T220",
        "instrument": "CAFOS", "night": night, "mode": "photometry", "band": "R",
        "jd_mid": moment, "exptime_s": 60.0, "mag": mag,
        "mag_err": None if mag is None else 0.02, "n_calibrators": 3, "created_at": 0.0,
        "changed_at": 0.0} | more)


def fill_catalogue(database: Database) -> None:
    """BL Lac with a star in R and literature values of its own; a source without stars."""
    with database.write() as tx:
        catalogue.save(tx, [
            Source(name="BL Lac", other_names=("2200+420",), ra_deg=330.68, dec_deg=42.28,
                   kind=SourceKind.TARGET, magnitudes={"R": (13.5, 0.1)}, p=0.08, chi_deg=20.0),
            Source(name="BL Lac C1", ra_deg=330.7, dec_deg=42.29, kind=SourceKind.CALIBRATOR,
                   calibrates=("BL Lac",), magnitudes={"R": (14.2, 0.01)}),
            Source(name="HD 1", ra_deg=10.0, dec_deg=10.0, kind=SourceKind.STANDARD)])


def a_night(database: Database) -> None:
    """A night with one of everything."""
    fill_catalogue(database)
    with database.write() as tx:
        for number in range(3):
            frame(tx, f"bias-{number}.fits", kind="bias", instrument="CAFOS")
            frame(tx, f"BLLac-{number}.fits", info={"latency_s": 1.0 + number})
        frame(tx, "pol-0.fits", mode="polarimetry", state="waiting")
        frame(tx, "short.fits", state="rejected", reason="the file is truncated")
        frame(tx, "cloud-1.fits", state="failed", reason="no stars")
        frame(tx, "cloud-2.fits", state="failed", reason="no stars")
        frame(tx, "again.fits", state="duplicate")
        frame(tx, "odd.fits", state="rejected", reason="not a FITS file", telescope="", night="",
              kind=None, instrument=None)
        result(tx, 0, 13.0, night="2024-03-10")
        result(tx, 0, 12.8)
        result(tx, 10, 12.9)
        result(tx, 20, 9.0, flags=int(Flag.SATURATED))
        result(tx, 30, 12.85, band="V", mag_err=0.03)
        result(tx, 40, None, band="B", flags=int(Flag.NO_CALIBRATORS))
        result(tx, 50, None, mode="polarimetry", p=0.1, p_err=0.01, chi_deg=178.0, chi_err_deg=2.0,
               q=0.0998, u=-0.007)
        result(tx, 60, None, mode="polarimetry", p=0.1, p_err=0.01, chi_deg=2.0, chi_err_deg=2.0,
               q=0.0998, u=0.007)
        result(tx, 70, 7.0, withdrawn=True)


def nights_from(first: date, count: int) -> list[str]:
    return [date.fromordinal(first.toordinal() + n).isoformat() for n in range(count)]
