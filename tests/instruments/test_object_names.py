"""The OBJECT card: the target's whole name, without what observers hang on it."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest

from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.source import Catalogue, SourceKind, canonical
from iop4d.simulator.camera import Window
from iop4d.simulator.headers import Shot, dipol_object
from iop4d.simulator.night import jd_of_evening
from iop4d.simulator.setups import SETUPS, Setup
from iop4d.simulator.sky import FIELDS
from iop4d.store.catalogue_csv import parse
from tests.instruments.headers import CAFOS, DIPOL, OSN

HEADERS = {"osn": OSN, "cafos": CAFOS, "dipol": DIPOL}
INSTRUMENTS = find_instruments()
BLAZARS = parse((resources.files("iop4d.store") / "data/blazars.csv").read_text(encoding="utf-8"))
#: Of every target and standard that is shipped, with the names that papers give some besides.
NAMES = sorted({name for source in BLAZARS if source.kind is not SourceKind.CALIBRATOR
                for name in (source.name, *source.other_names)} | {
    "BL Lac", "BLLac", "3C 273", "3C 279", "3C 66A", "Mrk 501", "Markarian 421", "S5 0716+714",
    "PKS 1510-089", "1ES 1959+650", "AO 0235+16", "4C 29.45", "CTA 102", "ON 231", "W Com",
    "PG 1553+113", "HD 204827", "BD+59 389", "Hiltner 960", "VI Cyg 12", "G191B2B", "TXS0506"})
#: What observers write behind a name: a filter, an angle, an exposure time, a running number.
SUFFIXES = ["", " R", "_R", " R45", "_R_45", " R-45", " 0.0 deg", " 67.5 deg", "_R_IAR", "_IAR",
            " V 90", " R 60s", " R Johnson", "_R0"]


def object_of(header: dict[str, Any], said: object) -> str:
    full = header | {"OBJECT": said}
    return instrument_for(full, INSTRUMENTS).read(full, "frame-0001R.fit").object


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_whole_name_is_kept_and_the_suffix_is_not(header: dict[str, Any],
                                                      suffix: str) -> None:
    for name in NAMES:
        assert object_of(header, name + suffix) == name
        typed = name.replace(" ", "_")
        assert object_of(header, typed + suffix) == typed


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_every_blazar_of_the_catalogue_is_found_by_its_object(header: dict[str, Any]) -> None:
    catalogue = Catalogue(version=1, sources=tuple(BLAZARS))
    for source in BLAZARS:
        if source.kind is SourceKind.CALIBRATOR:
            continue
        for name in (source.name, *source.other_names):
            for suffix in SUFFIXES:
                found = catalogue.of_object(object_of(header, name + suffix))
                assert found is source


def test_two_objects_of_one_catalogue_are_two() -> None:
    """An old fault: ``3C 273`` and ``3C 279`` both were ``3C``, and shared their references."""
    assert [object_of(OSN, said) for said in ("3C 273", "3C 279 R", "BL Lac", "Mrk 501")
            ] == ["3C 273", "3C 279", "BL Lac", "Mrk 501"]


@pytest.mark.parametrize(("said", "name"), [
    ("BLLac 2", "BLLac"), ("BLLac_0003", "BLLac"), ("OJ287 45", "OJ287"), ("3C 84", "3C 84"),
    ("3C 45", "3C 45"), ("3C 273 90", "3C 273"), ("Mrk 421 007", "Mrk 421"), ("R", "R"),
    ("PKS 0735", "PKS 0735"), ("", ""), ("  ", "")])
def test_a_number_is_part_of_a_short_name_and_counts_behind_a_whole_one(said: str,
                                                                        name: str) -> None:
    assert object_of(OSN, said) == name


def test_words_behind_a_known_name_do_not_hide_it() -> None:
    catalogue = Catalogue(version=1, sources=tuple(BLAZARS))
    for said in ("OJ 287 field 2", "OJ287 north", "oj_287 3"):
        found = catalogue.of_object(said)
        assert found is not None
        assert "OJ 287" in found.other_names
    assert catalogue.of_object("OJ 999") is None
    assert catalogue.of_object("") is None


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_what_the_simulator_writes_is_read_as_its_target(setup: Setup) -> None:
    window = Window(x=0, y=0, nx=1024, ny=1024)
    for field in FIELDS:
        for plate in (None, setup.optics.angles_deg[-1]):
            header = dict(setup.header(Shot(
                kind="LIGHT", instrument=setup.name, jd_start=jd_of_evening(setup.sample_night),
                exptime_s=60.0, binning=2, window=window, band="R", object=field.object,
                plate_deg=plate)))
            said = object_of(header | {"NAXIS": 2, "NAXIS1": 1024, "NAXIS2": 1024},
                             header["OBJECT"])
            wanted = dipol_object(field.object) if setup.name == "DIPOL" else field.object
            assert canonical(said) == canonical(wanted)
