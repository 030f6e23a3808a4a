"""What precision is wanted of a source: the last section that says it."""

from __future__ import annotations

import math
from pathlib import Path

from iop4d.config.load import parse_site
from iop4d.config.want import Wanted, wanted_of

WANTS = parse_site("""
[[want]]
mag_err = 0.02
p_err = 0.5

[[want]]
sources = ["BL Lac"]
band = "R"
mag_err = 0.005

[[want]]
sources = ["2200+420", "OJ 287"]
p_err = 0.2
""", root=Path("/site")).want


def test_every_target_has_what_is_wanted_of_all() -> None:
    assert wanted_of(WANTS, ["3C 273"], "V") == Wanted(mag_err=0.02, p_err=0.005)


def test_a_source_is_known_by_any_of_its_names_and_each_key_by_its_last_section() -> None:
    assert wanted_of(WANTS, ["2200+420", "bllac"], "R") == Wanted(mag_err=0.005, p_err=0.002)
    assert wanted_of(WANTS, ["2200+420", "bllac"], "V") == Wanted(mag_err=0.02, p_err=0.002)


def test_without_sections_nothing_is_wanted() -> None:
    assert math.isnan(wanted_of((), ["BL Lac"], "R").mag_err)
