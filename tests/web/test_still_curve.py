"""The light curve as a picture: for browsers without scripts, and to be kept."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.web.curves.answer import Curve, gathered, lines_of
from iop4d.web.curves.choice import Choice
from iop4d.web.curves.columns import Series
from iop4d.web.curves.thinning import MOST
from iop4d.web.still_curve import still_curve
from tests.web import observatory
from tests.web.curves.measured import SOURCE, database_of, polarised

_SVG = "{http://www.w3.org/2000/svg}"


def picture(path: Path, *points: dict[str, Any], most: int = MOST,
            entry: Source | None = None, **choice: Any) -> ET.Element:
    with database_of(path, *points).read() as db:
        curve = gathered(db, Choice(sources=(SOURCE,), **choice), now_jd=2461368.0, minutes=30.0,
                         most=most)
    if entry is not None:
        curve = replace(curve, lines={SOURCE: lines_of(entry, curve)})
    return ET.fromstring(still_curve(curve))


def places(root: ET.Element, what: str = "points") -> list[tuple[float, float]]:
    return [(float(x), float(y)) for path in root.iter(f"{_SVG}path")
            if path.get("class") == what
            for x, y in re.findall(r"M([\d.-]+) ([\d.-]+)", path.attrib["d"])]


def words(root: ET.Element) -> str:
    return " | ".join(text.text or "" for text in root.iter(f"{_SVG}text"))


def test_without_scripts_the_light_curve_is_a_picture(client: FlaskClient) -> None:
    page = client.get("/sources/3C%20454.3").text
    (inside,) = re.findall(r"<noscript>(.*?)</noscript>", page)
    (address,) = re.findall(r'src="([^"]+)"', inside)
    assert "Loading" not in page
    answer = client.get(address.replace("&amp;", "&"))
    assert answer.mimetype == "image/svg+xml"
    root = ET.fromstring(answer.data)
    points = client.get("/api/sources/3C%20454.3/points").json["bands"]
    wanted = sum(sum(value is not None for value in columns[name]) for columns in points.values()
                 for name in ("mag", "p_debiased", "chi"))
    assert len(places(root)) >= wanted > 10
    assert all(title in words(root) for title in ("magnitude", "p [%]", "χ [°]", "● R"))
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", words(root))) >= 3
    with client.get(f"/api/sources/{observatory.HOSTILE}/light-curve.svg") as hostile:
        assert observatory.HOSTILE not in hostile.text


def test_bright_is_above_and_later_is_on_the_right(tmp_path: Path) -> None:
    (first, last) = places(picture(tmp_path, {"mag": 15.0}, {"mag": 14.0}, points="points"))
    assert last[1] < first[1]
    assert last[0] > first[0]


def test_much_flux_is_above(tmp_path: Path) -> None:
    low, high = places(picture(tmp_path, {"flux_mjy": 1.0, "flux_mjy_err": 0.1},
                               {"flux_mjy": 2.0, "flux_mjy_err": 0.1}, quantity="flux",
                               points="points"))
    assert high[1] < low[1]


@pytest.mark.parametrize("points", [
    (), ({},), ({"mag_err": None},), ({"mag": None, "mag_limit": 19.0},),
    (polarised(10.0, p=0.01, p_limit=0.02),), ({"source": "another"},)])
def test_any_points_make_a_picture(points: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    assert picture(tmp_path, *points).tag == f"{_SVG}svg"


def test_what_is_chosen_is_drawn(tmp_path: Path) -> None:
    points = [{}, {"band": "V", "mag": 14.5}, polarised(30.0)]
    for number, (choice, count, title) in enumerate((
            ({"points": "points"}, 3 + 1 + 1 + 1, "χ [°]"),
            ({"points": "points", "pol": "qu"}, 3 + 2 + 1, "q [%]"),
            ({"points": "points", "bands": ("V",)}, 1 + 1, "V-R"),
            ({"points": "points", "axis": "mjd"}, 6, "MJD"))):
        (tmp_path / str(number)).mkdir()
        root = picture(tmp_path / str(number), *points, **choice)
        assert len(places(root)) == count, choice
        assert title in words(root)
    (tmp_path / "bars").mkdir()
    assert not places(picture(tmp_path / "bars", *points, bars=False), "bars")


def test_limits_are_arrows_and_flagged_points_hollow(tmp_path: Path) -> None:
    root = picture(tmp_path, {"mag": None, "mag_limit": 19.0}, {"flags": 2}, {"mag": 14.1},
                   points="points")
    assert len(places(root, "limits")) == 1
    fills = sorted(path.attrib["fill-opacity"] for path in root.iter(f"{_SVG}path")
                   if path.get("class") == "points")
    assert fills == ["0", "0.9"]


def test_a_picture_of_thinned_points_says_so(tmp_path: Path) -> None:
    points = [{"mag": 14.0 + number % 7 / 10} for number in range(300)]
    assert "of 300 points" in words(picture(tmp_path, *points, most=100))


STANDARD = Source(name=SOURCE, ra_deg=330.0, dec_deg=42.0, kind=SourceKind.STANDARD, p=0.1,
                  chi_deg=177.0, magnitudes={"R": (14.02, 0.01), "V": (14.5, 0.01)})


def test_the_picture_has_the_lines_of_the_catalogue_that_are_within_its_panels(
        tmp_path: Path) -> None:
    points = [{"mag": 14.0}, {"mag": 14.05}, polarised(1.0), polarised(2.0), polarised(175.0)]
    levels = [path for path in picture(tmp_path, *points, entry=STANDARD).iter(f"{_SVG}path")
              if path.get("class") == "level"]
    # R of the points, p, and the angle on their turn: 177 is beside 175 to 182, not 180 below.
    assert len(levels) == 3
    (tmp_path / "none").mkdir()
    assert not places(picture(tmp_path / "none", *points, entry=STANDARD, lines=False), "level")


@pytest.mark.parametrize(("angles", "line"), [
    ((1.0, 2.0, 175.0), -3.0), ((178.0, 179.0, 1.0), 177.0), ((), 177.0),
    ((10.0, 70.0, 130.0, 10.0, 70.0, 130.0, 10.0, 70.0), 177.0)])
def test_the_angle_of_the_catalogue_is_on_the_turn_of_the_points(
        tmp_path: Path, angles: tuple[float, ...], line: float) -> None:
    with database_of(tmp_path, *(polarised(angle) for angle in angles)).read() as db:
        curve = gathered(db, Choice(sources=(SOURCE,)), now_jd=2461368.0, minutes=30.0)
    assert lines_of(STANDARD, curve)["chi"] == line


def test_a_picture_to_be_kept_names_its_source_and_its_cameras_and_crosses_what_people_flagged(
        tmp_path: Path) -> None:
    root = picture(tmp_path, {}, {"instrument": "DIPOL"},
                   {"human_flags": [{"name": "bad", "by": "Ana", "note": "", "at": 1.0}]},
                   points="points")
    assert f"{SOURCE} | ● CAFOS   ■ DIPOL | ● R" in words(root)
    assert len(places(root, "by-hand")) == 1


def test_a_source_with_polarisation_alone_has_no_empty_panel_of_magnitudes(tmp_path: Path) -> None:
    root = picture(tmp_path, polarised(10.0, mag=None, mag_err=None))
    assert "magnitude" not in words(root)
    assert "p [%] | " in words(root)
    (tmp_path / "none").mkdir()
    assert "magnitude" in words(picture(tmp_path / "none"))


def test_a_narrow_picture_has_its_points_and_words_within_its_width(tmp_path: Path) -> None:
    points = [{"mag": 14.0 + number / 100} for number in range(40)]
    with database_of(tmp_path, *points).read() as db:
        curve = gathered(db, Choice(sources=(SOURCE,)), now_jd=2461368.0, minutes=30.0)
    root = ET.fromstring(still_curve(curve, is_narrow=True))
    assert root.attrib["width"] == "440"
    assert max(x for x, _ in places(root)) < 440
    assert max(float(text.attrib["x"]) for text in root.iter(f"{_SVG}text")) < 440


@pytest.mark.parametrize("is_narrow", [False, True])
def test_the_words_of_the_last_tick_are_within_the_picture(tmp_path: Path, *,
                                                          is_narrow: bool) -> None:
    # Of days around midnight, the last of which is at the edge.
    for days in range(3, 40):
        jd = [2461366.6, 2461366.5 + days]
        curve = Curve(choice=Choice(sources=(SOURCE,)), series=(Series(
            source=SOURCE, band="R", telescope="T", instrument="C", columns={
                "jd": np.array(jd), "y": np.array([14.0, 14.1]), "y_err": np.array([0.01, 0.01]),
                "p": np.full(2, np.nan), "p_err": np.full(2, np.nan),
                "chi": np.full(2, np.nan), "chi_err": np.full(2, np.nan)}),))
        root = ET.fromstring(still_curve(curve, is_narrow=is_narrow))
        ends = [float(text.attrib["x"]) + 3.3 * len(text.text or "")
                for text in root.iter(f"{_SVG}text") if text.get("text-anchor") == "middle"]
        assert max(ends) <= float(root.attrib["width"]), days


def test_limits_stay_where_flagged_points_are_left_out_unless_people_flagged_them(
        tmp_path: Path) -> None:
    limit = {"mag": None, "mag_limit": 19.0, "flags": int(Flag.NOT_DETECTED)}
    by_hand = [{"name": "bad", "by": "Ana", "note": "", "at": 1.0}]
    root = picture(tmp_path, limit, limit | {"human_flags": by_hand}, {"flags": 2}, {},
                   points="points", flagged=False)
    assert len(places(root, "limits")) == 1
    assert len(places(root)) == 1
