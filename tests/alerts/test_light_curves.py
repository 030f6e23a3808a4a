"""Curves that are kept in memory: the same alerts as from all points, in a fraction of the time."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import engine, light_curves
from iop4d.alerts.light_curves import Curve, offsets_of
from iop4d.alerts.points import PointReader
from iop4d.store.database import Transaction
from iop4d.store.flagging import clear_flag, set_flag
from iop4d.store.schema import Alert, AlertStep, Result
from tests.alerts import by_the_book
from tests.alerts.bench import (
    COLOUR,
    JD,
    MINUTE,
    Night,
    Start,
    changed,
    channel,
    point,
    rule,
    site_of,
)
from tests.conftest import FakeClock
from tests.support.rows import rows

DAY = 1440.0  # minutes
WINDOW = "window_days = 6\nmin_points = 4\ncooldown_hours = 3\n"


def rules() -> list[str]:
    """One of each form, named by its condition."""
    kinds = {
        "mag < 13.6": "", "change mag < -0.2": WINDOW, "change mag < -4 sigma": WINDOW,
        "change flux_mjy > 30 %": WINDOW, "change p > 3 sigma": WINDOW,
        "change chi > 20 deg": WINDOW, "change chi > 3 sigma": WINDOW,
        "rate mag < -0.05 mag/d": WINDOW, "rate flux_mjy > 0.5": WINDOW,
        "rotation chi > 40 deg": WINDOW, "colour B-R < 0.8": "", "p > 12 %": "",
        "change mag < -0.1": WINDOW + "max_err = 0.025\nconfirm_within_hours = 4\n"}
    return [changed(condition, more).replace('"bright"', f'"{condition}"').replace(
        "cooldown_hours = 12.0\n", "" if "cooldown" in more else "cooldown_hours = 12.0\n")
        for condition, more in kinds.items()]


def story(seed: int, nights: int) -> list[tuple[str, dict[str, Any]]]:
    """What happens to a source: new points, late ones, ones measured again, flags."""
    rng = random.Random(seed)
    happen: list[tuple[str, dict[str, Any]]] = []
    known: list[float] = []
    mag, chi = 14.0, 60.0
    for night in range(nights):
        if rng.random() < 0.2:
            mag, chi = 14.0 + rng.gauss(0, 0.4), rng.uniform(0, 180)
        for k in range(rng.randrange(12)):
            n = night * DAY + 20.0 * k + rng.uniform(0, 5)
            happen.append(("see", measured(rng, n, night, mag, chi)))
            known.append(n)
            chance = rng.random()
            if chance < 0.1:  # measured again, or late, of some days before
                again = rng.choice(known[-60:])
                happen.append(("see", measured(rng, again, int(again // DAY), mag, chi)))
            elif chance < 0.15:
                happen.append(("flag", {"n": rng.choice(known[-20:])}))
            elif chance < 0.2:
                happen.append(("unflag", {"n": rng.choice(known[-20:])}))
            elif chance < 0.23:
                happen.append(("undone", measured(rng, n + 1.0, night, 12.0, chi)))
        late = rng.uniform(max(0, night - 9), night + 0.3)
        happen.append(("see", measured(rng, late * DAY, int(late), mag, chi)))
        known.append(late * DAY)
    return happen


def measured(rng: random.Random, n: float, night: int, mag: float, chi: float) -> dict[str, Any]:
    p, err = max(0.001, rng.gauss(0.1, 0.03)), rng.choice([0.01, 0.02, 0.03])
    band = rng.choice("RRRB")
    return {"n": n, "band": band, "mag": rng.gauss(mag + 0.9 * (band == "B"), 0.05),
            "err": err, "mag_err_common": rng.choice([0.0, 0.01, 0.03]), "p": p,
            "p_debiased": p, "p_err": 0.008, "chi_deg": rng.gauss(chi, 3.0) % 180.0,
            "chi_err_deg": rng.uniform(1.0, 5.0), "night": f"2025-{night:04d}",
            "instrument": "DIPOL" if night % 3 == 0 else "Andor"}


class UndoneError(Exception):
    """A transaction ends with this."""


def undo(night: Night, what: dict[str, Any]) -> None:
    with night.database.write() as tx:
        night.engine.on_results(tx, [point(tx, **what)])
        raise UndoneError


def tell(night: Night, happen: list[tuple[str, dict[str, Any]]]) -> None:
    for kind, what in happen:
        night.clock.now = 1e9 + what["n"] * 60.0
        if kind == "see":
            night.see(**what)
        elif kind == "undone":
            with pytest.raises(UndoneError):
                undo(night, what)
        else:
            act = set_flag if kind == "flag" else clear_flag
            for id_ in [row.id for row in rows(night.database, Result)
                        if abs(row.jd_mid - JD - what["n"] * MINUTE) < 1e-9
                        and bool(row.human_flags) == (kind == "unflag")]:
                with night.database.write() as tx:
                    act(tx, [id_], "bad", note="", by="ana", now=night.clock())
            night.tend()


def outcome(night: Night) -> list[tuple[Any, ...]]:
    alerts = {row.id: row for row in rows(night.database, Alert)}
    steps = [(alerts[row.alert_id].rule, alerts[row.alert_id].episode, row.state, row.at)
             for row in rows(night.database, AlertStep)]
    ends = [(row.rule, row.band, row.episode, row.state, tuple(row.points), row.fired_jd,
             row.resolved_jd, None if row.value is None else f"{row.value:.5g}")
            for row in alerts.values()]
    return sorted(steps, key=repr) + sorted(ends, key=repr)


@pytest.mark.parametrize("seed", [1])
def test_the_same_alerts_to_the_last_one_as_from_all_points(
        seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happen = story(seed, 8)
    found = []
    for name, reader in (("kept", PointReader), ("book", by_the_book.Reader)):
        monkeypatch.setattr(engine, "PointReader", reader)
        (tmp_path / name).mkdir()
        night = Night(site_of(tmp_path / name, *rules(), channel()), FakeClock())
        tell(night, happen)
        found.append(outcome(night))
    assert found[0] == found[1]
    assert len({row[0] for row in found[0] if "firing" in row}) >= 3


FEW = "window_days = 20\nmin_points = 4\nconfirm_within_hours = 6\n"


def nights_of(night: Night, cameras: dict[str, tuple[range, float]]) -> None:
    """Three points a night of each camera in its nights, at its magnitude."""
    for n in range(12):
        for k, (camera, (nights, mag)) in enumerate(cameras.items()):
            for m in range(3 * (n in nights)):
                night.see(n * DAY + 30.0 * k + 5.0 * m, mag + 0.004 * (m - 1), instrument=camera,
                          night=f"2025-11-{n + 1:02d}")


@pytest.mark.parametrize("condition", ["change mag < -0.3", "change mag < -5 sigma",
                                       "change flux_mjy > 25 %", "rate mag < -0.02 mag/d"])
def test_cameras_whose_offset_is_not_known_are_not_compared(start: Start, condition: str) -> None:
    """DIPOL's R is not that of Cousins: its first points of a source are no flare."""
    night = start(changed(condition, FEW), channel())
    nights_of(night, {"AndorT90": (range(8), 14.0), "DIPOL": (range(8, 12), 13.4)})
    assert night.kinds() == []


def test_each_camera_is_compared_with_its_own_past(start: Start) -> None:
    night = start(changed("change mag < -0.3", FEW), channel())
    nights_of(night, {"AndorT90": (range(11), 14.0), "DIPOL": (range(0, 12, 6), 13.4)})
    night.see_all([13.9, 12.9, 12.9], start=int(11.5 * DAY), instrument="DIPOL",
                  night="2025-11-12")
    assert night.kinds() == ["alert"]


@pytest.mark.parametrize(("both", "kinds"), [(2, []), (3, ["alert"])])
def test_cameras_are_compared_once_their_offset_is_measured(start: Start, both: int,
                                                           kinds: list[str]) -> None:
    """A flare of 0.5 mag, seen by the camera that saw the source in a few nights before."""
    night = start(changed("change mag < -0.3", "window_days = 4\nmin_points = 4\n"), channel())
    nights_of(night, {"AndorT90": (range(12), 14.0), "DIPOL": (range(both), 13.4)})
    night.see_all([12.9, 12.9], start=int(11.6 * DAY), instrument="DIPOL", night="2025-11-12")
    assert night.kinds() == kinds


def test_an_offset_is_that_of_the_common_nights_and_too_uncertain_a_one_is_none() -> None:
    nights = [(f"{n}", "A", 14.0 + 0.1 * n) for n in range(6)]
    steady = [(f"{n}", "B", 13.5 + 0.1 * n) for n in range(2, 6)]
    assert offsets_of([*nights, *steady]) == {"A": ("A", 0.0), "B": ("A", pytest.approx(-0.5))}
    wild = [(f"{n}", "B", 13.5 + 0.2 * (n % 2)) for n in range(2, 6)]
    assert offsets_of([*nights, *wild]) == {"A": ("A", 0.0)}
    assert offsets_of([]) == {}


def test_a_late_point_counts_although_older_ones_left_the_memory(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_curves, "_FEW", 4)
    night = start(rule(confirm=1), channel())
    night.see_all([14.0] * 6)
    night.see(20 * DAY, 14.0)
    night.see(16 * DAY, 12.5)  # after the week in which a late one counts began
    assert night.episodes() == [("resolved", 16 * DAY, 20 * DAY)]


def test_points_with_too_large_errors_leave_the_memory_too(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_curves, "_FEW", 4)
    night = start(rule(confirm=1) + "max_err = 0.05\n", channel())
    night.see_all([14.0] * 3)
    night.see_all([14.0] * 3, start=5, err=0.5)
    night.see(20 * DAY, 14.0, err=0.5)
    assert [len(curve.seen) for curve in curves(night)] == [1]
    night.see(20 * DAY + 1, 12.5)
    assert night.episodes() == [("firing", 20 * DAY + 1, None)]


def test_old_colours_leave_the_memory_with_both_of_their_bands(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_curves, "_FEW", 4)
    night = start(COLOUR, channel())
    for n in (*range(0, 60, 10), 20 * DAY):
        night.see(n, 14.0, band="B")
        night.see(n + 1, 13.0)
    (curve,) = curves(night)
    assert curve._source.count(20 * DAY) == (0, 2)
    assert len(curve.points) == 1
    night.see(20 * DAY + 1, 14.5)  # measured again
    night.see(20 * DAY + 1, 13.6)
    assert night.episodes() == [("firing", 20 * DAY, None)]


def curves(night: Night) -> list[Curve]:
    """Those in memory."""
    return list(night.engine._curves._curves.values())


CONDITIONS = ["mag < 12", "change mag < -0.5", "change mag < -9 sigma", "change chi > 85 deg",
              "rate mag < -9 mag/d", "rotation chi > 170 deg", "change flux_mjy > 900 %"]


def test_a_new_point_costs_the_same_whatever_the_history(tmp_path: Path) -> None:
    """Judging it takes as many steps after 20,000 points as after 5,000, which fill the window."""
    _, few, many = (steps(tmp_path / str(count), count) for count in (10, 5_000, 20_000))
    assert 1_000 < few < 4_000
    assert many < 1.1 * few


def steps(folder: Path, count: int) -> int:
    """How many functions are called for a new point with so many before it, by all rules."""
    folder.mkdir()
    wanted = [changed(condition, "window_days = 14\n").replace('"bright"', f'"{condition}"')
              for condition in CONDITIONS]
    night = Night(site_of(folder, *wanted, channel()), FakeClock())
    rng = random.Random(1)
    more = {"p": 0.1, "p_debiased": 0.1, "p_err": 0.005, "chi_err_deg": 1.5}
    with night.database.write() as tx:
        fill(tx, point(tx, -1e6, 14.0, chi_deg=60.0, **more), rng, count)
    night.see(1.0, 14.0, chi_deg=60.0, **more)
    called = 0

    def call(_frame: object, event: str, _argument: object) -> None:
        nonlocal called
        called += event in ("call", "c_call")

    with night.database.write() as tx:
        id_ = point(tx, 4.0, rng.gauss(14.0, 0.02), chi_deg=rng.gauss(60.0, 1.5), **more)
        sys.setprofile(call)
        try:
            night.engine.on_results(tx, [id_])
        finally:
            sys.setprofile(None)
    return called


def fill(tx: Transaction, like: int, rng: random.Random, count: int) -> None:
    """Points before JD, 333 a night."""
    columns = [field.column_name for field in Result._meta.sorted_fields if field.name != "id"]
    ((*row,),) = tx.rows(f"SELECT {', '.join(columns)} FROM result WHERE id = ?", like)
    first = dict(zip(columns, row, strict=True))
    tx.insert_plain(Result, columns, [list((first | {
        "key": f"old {n}", "jd_mid": JD - n * 0.003, "night": f"2024-{10_000 - n // 333}",
        "mag": rng.gauss(14.0, 0.02), "chi_deg": rng.gauss(60.0, 1.5) % 180.0}).values())
        for n in range(1, count + 1)])
