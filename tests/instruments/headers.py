"""Headers as they really look, and how they are read."""

from __future__ import annotations

from typing import Any

from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.frame import FrameFacts
from iop4d.model.polarimeter import InstrumentalPolarisation

OSN: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 1024, "NAXIS2": 1024, "TELESCOP": "T90-OSN", "INSTRUME": "AndorT90",
    "JD": 2459831.4375, "DATE-OBS": "2022-09-08T22:30:00", "EXPTIME": 60.0, "IMAGETYP": "LIGHT",
    "OBJECT": "BLLac R45", "FILTER": "R45", "OBJCTRA": "22 02 43", "OBJCTDEC": "+42 16 40",
    "XBINNING": 2, "YBINNING": 2}
CAFOS: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 800, "NAXIS2": 800, "TELESCOP": "CA-2.2", "INSTRUME": "CAFOS 2.2",
    "DATE-OBS": "2025-09-13T21:43:38.000", "DATE": "2025-09-13T21:43:38", "MJD-OBS": 60931.90530,
    "EXPTIME": 120.0, "IMAGETYP": "science", "OBJECT": "1652+398 0.0 deg", "INSFLNAM": "CousinsR",
    "INSTRMOD": "Polarizer", "INSPOFPI": "Wollaston", "INSPOROT": 0.0, "INSGRNAM": "free      ",
    "RA": 253.467, "DEC": 39.760, "CCDBINX": 1, "CCDBINY": 1, "DATASEC": "[513,513,1312,1312]",
    "CCDSENS": 1.43, "CCDSAT": 95000}
DIPOL: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 1120, "NAXIS2": 896, "TELESCOP": "T90-OSN", "INSTRUME": "ASI Camera (1)",
    "JD": 2460967.45, "DATE-OBS": "2025-10-18T22:48:00", "EXPTIME": 15.0,
    "IMAGETYP": "Light Frame", "OBJECT": "BLLac_R_IAR", "FILTER": "Red", "NOTES": "22.5 deg",
    "TELRA": 22.0454, "TELDEC": 42.2778, "XBINNING": 2, "YBINNING": 2, "XORGSUBF": 1512,
    "YORGSUBF": 963, "FLIPSTAT": ""}


def read(header: dict[str, Any], name: str = "frame-0001R.fit", **cards: Any) -> FrameFacts:
    full = {card: value for card, value in (header | cards).items() if value is not None}
    return instrument_for(full, find_instruments()).read(full, name)


def constants(name: str, jd: float) -> InstrumentalPolarisation:
    polarimeter = next(i for i in find_instruments() if i.name == name).polarimeter
    assert polarimeter is not None
    found = polarimeter.constants_at(jd)
    assert found is not None
    return found
