"""A site's own constants take the place of the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import ConfigError


def site(text: str) -> Any:
    return parse_site(text, root=Path("/"))


def test_a_site_s_own_constants_count_for_their_nights() -> None:
    own = site("""
[[polarimeter]]
instrument = "DIPOL"
since = "2024-01-01"
until = "2025-01-01"
q0 = 0.04
q0_err = 0.07
u0 = -4.55
u0_err = 0.07
zero_angle = 41.0
zero_angle_err = 3.0
pair_offset = [-400.0, 20.0]
sky_angle = 178.0
""")
    dipol = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "DIPOL")
    assert dipol.polarimeter is not None
    assert dipol.beams is not None
    during = dipol.polarimeter.constants_at(2460400.5)
    assert during is not None
    assert (during.q0, during.u0, during.angle_deg) == pytest.approx((0.0004, -0.0455, 41.0))
    for jd, u0 in ((2460310.4, -0.0432), (2460677.6, -0.0432), (2460000.5, -0.0416)):
        outside = dipol.polarimeter.constants_at(jd)
        assert outside is not None
        assert outside.u0 == pytest.approx(u0)
    assert dipol.beams.at(2)[0] == (-200.0, 10.0)
    assert dipol.beams.at(2)[1] == (36.0, 48.0)
    assert dipol.sky_angle_deg == (178.0, 2.3)


def test_what_a_site_does_not_set_stays_as_shipped_with_its_dates() -> None:
    own = site('[[polarimeter]]\ninstrument = "DIPOL"\nzero_angle = 50.0\n')
    dipol = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "DIPOL")
    assert dipol.polarimeter is not None
    for jd, u0 in ((2460000.5, -0.0416), (2460400.5, -0.0432)):
        found = dipol.polarimeter.constants_at(jd)
        assert found is not None
        assert (found.u0, found.angle_deg) == pytest.approx((u0, 50.0))


def test_an_error_alone_may_be_set() -> None:
    own = site("""
[[polarimeter]]
instrument = "CAFOS"
q0_err = 0.2
pair_tolerance = [6.0, 5.0]
""")
    cafos = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "CAFOS")
    assert cafos.polarimeter is not None
    assert cafos.beams is not None
    found = cafos.polarimeter.constants_at(2460400.5)
    assert found is not None
    assert (found.q0, found.q0_err, found.angle_deg) == (0.0, 0.002, -1.5)
    assert cafos.beams.at(1) == ((-35.7, -0.2), (6.0, 5.0))


def test_of_two_sections_the_later_one_counts_for_what_it_sets() -> None:
    own = site("""
[[polarimeter]]
instrument = "AndorT150"
q0 = 1.0
u0 = 2.0
[[polarimeter]]
instrument = "AndorT150"
since = "2024-01-01"
u0 = 3.0
""")
    t150 = next(i for i in find_instruments(own.camera, own.polarimeter) if i.name == "AndorT150")
    assert t150.polarimeter is not None
    for jd, u0 in ((2460000.5, 0.02), (2460400.5, 0.03)):
        found = t150.polarimeter.constants_at(jd)
        assert found is not None
        assert (found.q0, found.u0) == pytest.approx((0.01, u0))


@pytest.mark.parametrize(("lines", "reason"), [
    ('instrument = "CAFOS"\nsince = "2023-02-30"', r"line 4.*since.*expected a date"),
    ('instrument = "CAFOS"\nq0_err = -1.0', r"line 4.*q0_err.*expected 0 or more"),
    ('instrument = "CAFOS"\npair_offset = [1.0]', r"pair_offset.*expected two numbers"),
    ('instrument = "CAFOS"\npair_tolerance = [0, 1]', r"pair_tolerance.*expected two numbers a"),
    ("q0 = 1.0", "'instrument' is missing")])
def test_a_wrong_key_of_a_polarimeter_is_told_with_its_line(lines: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        site(f"\n[[polarimeter]]\n{lines}\n")


@pytest.mark.parametrize(("lines", "reason"), [
    ('since = "2024-02-01"\nuntil = "2024-01-01"\nq0 = 1.0', "expected a night before until"),
    ("pair_tolerance = [4.0, 4.0]", "one image of every star; expected no pair_offset$"),
    ("pair_offset = [1.0, 2.0]", "one image of every star; expected no pair_offset$")])
def test_a_section_that_does_not_fit_its_instrument_is_refused(lines: str, reason: str) -> None:
    own = site(f'[[polarimeter]]\ninstrument = "AndorT90"\n{lines}\n')
    with pytest.raises(ConfigError, match=reason):
        find_instruments(own.camera, own.polarimeter)


CAMERA = """
[[camera]]
name = "{name}"
telescope = "T"
identify = {{ INSTRUME = "Finder" }}
pixel_scale = 2.0
"""


def test_a_plain_camera_has_no_constants_to_set() -> None:
    own = site(CAMERA.format(name="Finder")
               + '[[polarimeter]]\ninstrument = "Finder"\nq0 = 1.0\n')
    with pytest.raises(ConfigError, match="measures no polarisation"):
        find_instruments(own.camera, own.polarimeter)


def test_an_error_of_an_angle_that_is_not_known_is_refused() -> None:
    own = site(CAMERA.format(name="Finder")
               + '[[polarimeter]]\ninstrument = "Finder"\nsky_angle_err = 1.0\n')
    with pytest.raises(ConfigError, match="expected the key sky_angle, of which none is shipped"):
        find_instruments(own.camera, own.polarimeter)


def test_a_camera_may_not_take_the_name_of_another_instrument() -> None:
    with pytest.raises(ConfigError, match="2 instruments are named 'DIPOL'"):
        find_instruments(site(CAMERA.format(name="DIPOL")).camera)


def test_constants_of_an_unknown_instrument_are_refused() -> None:
    own = site('[[polarimeter]]\ninstrument = "DIPOL2"\nq0 = 1.0\n')
    with pytest.raises(ConfigError, match="no such instrument; there are"):
        find_instruments(own.camera, own.polarimeter)


def test_a_colour_term_of_no_night_is_refused() -> None:
    own = site('''
[[colour_term]]
instrument = "DIPOL"
band = "R"
colour = "V-R"
term = 0.1
term_err = 0.01
since = "2025-01-01"
until = "2024-01-01"
''')
    with pytest.raises(ConfigError, match="since is 2025-01-01, expected a night before until"):
        find_instruments((), (), own.colour_term)
