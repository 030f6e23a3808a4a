"""What the summary of a night is written from: a full night, one source, nothing at all."""

from __future__ import annotations

from typing import Any

from iop4d.alerts.summary.facts import (
    AlertLine,
    BandNight,
    Failure,
    KindLine,
    Latency,
    NightSummary,
    PolarisationNight,
    SourceNight,
    TelescopeNight,
    TroubleLine,
    Uncalibrated,
)
from tests.alerts.nights import NIGHT, at

HOSTILE = '<script>alert("1")</script>'
LONG = "a_very_long_name_of_a_frame_without_any_blank_in_it_as_some_cameras_write_them_0001.fits"
PICTURE = f"summaries/{NIGHT}/bl-lac-0123456789.png"


def facts(**more: Any) -> NightSummary:
    """A night with one of everything."""
    return NightSummary(**{
        "night": NIGHT, "site": "Calar Bajo", "url": "https://iop4d.example.org",
        "since": at("2024-03-13T05:05"), "until": at("2024-03-14T05:04"),
        "made_at": at("2024-03-14T05:04:10"),
        "telescopes": (TelescopeNight(name="CAHA-T220", instruments=("CAFOS",), copies=1, kinds=(
            KindLine(kind="bias", frames=10, reduced=10),
            KindLine(kind="science", frames=40, reduced=36, failed=3, open=1))),),
        "failures": (Failure(telescope="CAHA-T220", state="failed", reason="no stars", count=3,
                             frames=((7, LONG), (8, "b.fits"))),),
        "sources": (source(),), "uncalibrated": (
            Uncalibrated(source="3C 66A", band="B", points=2, in_catalogue=0),
            Uncalibrated(source="OJ 287", band="V", points=1, in_catalogue=3)),
        "alerts": (AlertLine(id=1, rule="bright", source="BL Lac", band="R", condition="mag < 13.0",
                             utc="2024-03-13 22:01:02", state="firing"),),
        "active": 1, "archives": (TroubleLine(name="osn", state="down", reason="no route"),),
        "channels": (TroubleLine(name="team", state="2 messages waiting", reason="450 busy"),),
        "latency": Latency(frames=36, median=1.84, most=2.5, longest=7.0),
        "masters": {"ready": 4, "refused": 1}, "versions": {"iop4d": "0.1.0", "numpy": "2.4"},
    } | more)


def source(**more: Any) -> SourceNight:
    return SourceNight(**{
        "name": "2200+420", "also": "BL Lac", "kind": "target", "picture": PICTURE,
        "bands": (BandNight(band="R", n=12, left_out=1, mag=12.871, mag_err=0.021, scatter=0.04,
                            brightest=12.8, faintest=12.95, provisional=True,
                            before="2024-03-11", change=-0.32, change_err=0.03),),
        "polarisation": (
            PolarisationNight(band="R", n=3, left_out=0, p=0.1231, p_err=0.0025, chi_deg=21.0,
                              chi_err_deg=0.6, limit=None, provisional=False),
            PolarisationNight(band="V", n=1, left_out=0, p=0.01, p_err=0.01, chi_deg=3.0,
                              chi_err_deg=20.0, limit=0.024, provisional=False)),
        "flags": (("low_snr", 2),)} | more)


def nothing(**more: Any) -> NightSummary:
    return NightSummary(**{"night": NIGHT, "site": "Calar Bajo", "url": "", "since": 0.0,
                    "until": at("2024-03-14T05:04"), "made_at": at("2024-03-14T05:04")} | more)
