"""Pictures of alerts: where a point stands, what is marked, and that no text leaks markup."""

from __future__ import annotations

import re
from dataclasses import replace

from iop4d.alerts.backtest import BackTest, Fired
from iop4d.alerts.rules import RulePoint, compile_rule
from iop4d.config import Rule, Site
from iop4d.store.database import Database
from iop4d.store.schema import Alert
from iop4d.web.alert_curves import of_backtest, of_episode
from iop4d.web.rule_curve import Curve, CurveLine, CurvePanel, CurvePoint, drawn
from tests.web.conftest import firing

JD = 2_461_000.5


def panel(*values: float, fired: int = -1, turned: bool = True) -> CurvePanel:
    return CurvePanel(title="magnitude, R", turned=turned, band="R", points=tuple(
        CurvePoint(jd=JD + day, value=value, error=0.1, id=day + 1, fired=day == fired)
        for day, value in enumerate(values)))


def places(svg: str) -> list[tuple[float, float]]:
    """Where the dots are."""
    dots = re.search(r'class="dots[^"]*" d="([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0",
                                                        dots[1] if dots else "")]


def test_points_stand_in_order_of_time_and_bright_is_above() -> None:
    (first, second, third) = places(drawn(Curve(title="c", panels=(panel(13.0, 12.0, 14.0),))))
    assert first[0] < second[0] < third[0]
    assert second[0] - first[0] == third[0] - second[0]
    assert second[1] < first[1] < third[1]
    up = places(drawn(Curve(title="c", panels=(panel(13.0, 12.0, 14.0, turned=False),))))
    assert up[1][1] > up[0][1] > up[2][1]
    assert abs((first[1] - second[1]) - (third[1] - first[1])) < 0.2


def test_points_that_fired_thresholds_and_episodes_are_marked() -> None:
    own = replace(panel(13.0, 12.0, fired=1), lines=(
        CurveLine(value=12.5, kind="threshold", text="fires when mag < 12.5"),))
    svg = drawn(Curve(title="c", panels=(own,), spans=((JD + 1.0, JD + 1.0),)))
    assert svg.count('<circle class="fired"') == 1
    assert "<title>fires when mag &lt; 12.5</title>" in svg
    assert '<rect class="span"' in svg
    line = re.search(r'class="threshold" d="M[\d.]+ ([\d.]+)H', svg)
    fired = re.search(r'class="fired" cx="[\d.]+" cy="([\d.]+)"', svg)
    assert line is not None
    assert fired is not None
    assert float(fired[1]) < float(line[1]) < places(svg)[0][1]


def test_very_many_points_are_thinned_to_the_extremes_and_those_that_fired() -> None:
    values = [13.0] * 50_000
    values[40_000], values[7] = 11.0, 15.0
    svg = drawn(Curve(title="c", panels=(panel(*values, fired=123),)))
    assert len(svg) < 40_000
    heights = [y for _, y in places(svg)]
    assert min(heights) < 40.0
    assert max(heights) > 110.0
    assert svg.count('<circle class="fired"') == 1


def test_nothing_is_drawn_of_nothing_and_no_text_is_markup() -> None:
    assert drawn(Curve(title="c", panels=())) == ""
    assert Curve(title="c", panels=(panel(),)).is_empty
    hostile = replace(panel(13.0), title="<script>", band='R"><script>')
    assert "<script>" not in drawn(Curve(title='"><script>', panels=(hostile,)))


def test_the_median_of_the_past_is_what_a_change_is_relative_to(own: Site) -> None:
    number = firing(own)
    with Database(own.database).write() as tx:
        alert = tx.by_id(Alert, number)
        tx.update(Alert, condition="change mag < -0.3", value=-0.5).where(
            Alert.id == number).execute()
        curve = of_episode(tx, tx.by_id(Alert, number), None, alert.fired_jd + 0.1)
        assert curve is not None
        (mags,) = curve.panels
        last = [point for point in mags.points if point.fired][-1]
        past, threshold = mags.lines
        assert past.value == last.value + 0.5
        assert threshold.value == past.value - 0.3
        for condition, n_panels in (("p > 10 % or mag < 13", 1), ("colour B-R < 2", 2),
                                    ("change mag < -3 sigma", 1)):
            tx.update(Alert, condition=condition).where(Alert.id == number).execute()
            found = of_episode(tx, tx.by_id(Alert, number), None, alert.fired_jd + 0.1)
            assert found is not None
            assert len(found.panels) == n_panels, condition
            assert all(panel.lines == () for panel in found.panels)
        for condition in ("silent > 2 h", "a condition of another version"):
            tx.update(Alert, condition=condition).where(Alert.id == number).execute()
            assert of_episode(tx, tx.by_id(Alert, number), None, alert.fired_jd) is None


def test_a_back_test_is_drawn_in_the_rule_s_quantity_with_what_would_have_fired(
        empty: Site) -> None:
    compiled = compile_rule(Rule(name="r", condition="p > 10 %", clear="p < 8 %"))
    points = [RulePoint(id=n, jd=JD + n, value=value) for n, value in enumerate(
        (0.05, 0.12, 0.13, float("nan"), 0.07))]
    fired = Fired(source="BL Lac", band="R", fired_jd=JD + 2, value=0.13, points=(1, 2),
                  ended_jd=JD + 4)
    found = BackTest(fired=(fired,), points=5, unknown=1, series=1)
    with Database(empty.database, read_only=True).read() as db:
        (curve,) = of_backtest(db, compiled, found, {("BL Lac", "R"): points}, JD, JD + 5)
    (own,) = curve.panels
    assert own.title == "p [%], R"
    assert [round(point.value, 6) for point in own.points] == [5.0, 12.0, 13.0, 7.0]
    assert [point.fired for point in own.points] == [False, True, True, False]
    assert [(line.kind, round(line.value, 6)) for line in own.lines] == [
        ("threshold", 10.0), ("clear", 8.0)]
    assert curve.spans == ((JD + 2, JD + 4),)
