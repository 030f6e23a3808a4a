"""The figure of a draft."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from iop4d.alerts.atel.figure import (
    FigurePoint,
    FigureRequest,
    Pictures,
    draw,
    pack,
    pictures_of,
    unpack,
)

NAN = math.nan


def point(n: int, **more: Any) -> FigurePoint:
    values = {"band": "BR"[n % 2], "camera": "T090", "mag": 13.0 + 0.01 * n, "mag_err": 0.02,
              "p": NAN, "p_err": NAN, "chi": NAN, "chi_err": NAN, "is_new": n > 15}
    return FigurePoint(jd=2461347.5 + n, **(values | more))


def request(**more: Any) -> FigureRequest:
    return FigureRequest(title="BL Lac", band="R", median=13.2,
                         points=tuple(point(n, **more) for n in range(20)))


@cache
def plain() -> Pictures:
    """The pictures of a light curve without polarisation."""
    return draw(request())


def height(png: bytes) -> int:
    return int.from_bytes(png[20:24], "big")


def test_a_light_curve_is_drawn_for_the_screen_and_for_print() -> None:
    made = plain()
    assert made.png.startswith(b"\x89PNG")
    assert made.pdf.startswith(b"%PDF")
    assert int.from_bytes(made.png[16:20], "big") == 1600


def test_polarisation_has_panels_of_its_own() -> None:
    polarised = draw(request(p=12.0, p_err=0.4, chi=34.0, chi_err=1.0))
    assert height(polarised.png) > height(plain().png)


def test_polarisation_alone_has_no_empty_panel_of_magnitudes() -> None:
    seen = {"p": 12.0, "p_err": 0.4, "chi": 34.0, "chi_err": 1.0}
    alone = draw(request(mag=NAN, mag_err=NAN, **seen))
    assert height(alone.png) < height(plain().png)


def test_a_point_without_a_magnitude_names_no_band_among_the_magnitudes() -> None:
    points = (point(0), point(1, mag=NAN, mag_err=NAN))
    assert draw(FigureRequest(title="BL Lac", band="B", points=points)).png == draw(
        FigureRequest(title="BL Lac", band="B", points=(point(0), point(1, mag=NAN, band="V")))).png


def test_the_same_request_gives_the_same_files() -> None:
    assert draw(request()) == plain()


def test_new_points_look_different() -> None:
    assert plain().png != draw(request(is_new=False)).png


@pytest.mark.parametrize("points", [(), (point(0),), (point(0, mag_err=NAN), point(0))])
def test_few_points_are_drawn_too(points: tuple[FigurePoint, ...]) -> None:
    assert draw(FigureRequest(title="-", band="R", points=points)).png.startswith(b"\x89PNG")


def test_a_request_crosses_to_another_process_and_pictures_come_back() -> None:
    asked = request(p=12.0, p_err=0.4)
    assert repr(unpack(pack(asked))) == repr(asked)
    out = subprocess.run([sys.executable, "-m", "iop4d.alerts.atel.figure"], input=pack(asked),
                         capture_output=True, check=True).stdout
    assert pictures_of(out) == draw(asked)


@pytest.mark.parametrize("answer", [b"", b"Traceback", bytes(20)])
def test_what_is_no_picture_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        pictures_of(answer)


def test_a_picture_of_another_process_is_taken_apart() -> None:
    png, pdf = b"\x89PNG...", b"%PDF..."
    assert pictures_of(len(png).to_bytes(8, "big") + png + pdf) == Pictures(png=png, pdf=pdf)
