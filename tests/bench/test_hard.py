"""The bench of hard nights judges as it promises, and every situation can be made."""

from __future__ import annotations

import csv
import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iop4d.model.result import NAN, ResultValue
from iop4d.simulator.plan import PHOTOMETRY, POLARIMETRY, checked
from iop4d.simulator.setups import SETUPS
from iop4d.simulator.sky import field_of
from tests.bench import hard
from tests.bench.hard import deviations, report
from tests.bench.nights import peak_rate
from tests.bench.scores import Deviation, Score, keep_score, read_score
from tests.bench.situations import SITUATIONS, catalogue_of, plan_of
from tests.support.lab import star_list

NAMES = [s.name for s in SITUATIONS]
RESULT = ResultValue(
    source="S", band="R", mode="polarimetry", jd_mid=2460400.5, bjd_tdb=2460400.5, exptime_s=60.0,
    mag=14.0, mag_err=0.01, zero_point=21.0, zero_point_err=0.01, n_calibrators=3, fwhm_arcsec=2.0,
    airmass=1.1, flags=0, q=0.03, q_err=0.001, u=0.04, u_err=0.001, p=0.05, p_err=0.001,
    p_debiased=0.05, chi_deg=26.57, chi_err_deg=0.6)


def score(*off: float, flagged: bool = False, situation: str = "easy") -> Score:
    found = [Deviation(quantity="mag", off=x, err=0.01, whole=0.01, flagged=flagged) for x in off]
    return Score(situation=situation, instrument="CAFOS", frames=4, solved=4, expected=len(off),
                 got=len(off), found=found, marks=Counter({("group", flagged): len(off)}))


def test_sound_numbers_break_no_promise() -> None:
    table, wrong = report([score(0.01, -0.01, 0.012, -0.008)])
    assert wrong == []
    assert table.row_count == 2


def test_a_number_beyond_five_errors_breaks_one_unless_it_is_flagged() -> None:
    assert "off by +0.0510" in report([score(0.051, 0.0, 0.0)])[1][0]
    assert report([score(0.051, flagged=True, situation="hit 30 %")])[1] == []


def test_a_bias_wrong_widths_flags_without_need_and_lost_frames_break_one() -> None:
    assert "biased by +0.0200" in report([score(*[0.02] * 30)])[1][0]
    assert any("wide" in line for line in report([score(*[0.001, -0.001] * 20)])[1])
    assert not any("wide" in line for line in report([score(*[0.0054, -0.0054] * 13)])[1])
    assert "3 of 3 groups have flags" in report([score(0.0, 0.0, 0.0, flagged=True)])[1][0]
    lost = score(0.0)
    lost.solved = 1
    assert "3 of 4 frames are not solved" in report([lost])[1][0]


def test_flags_of_sound_situations_are_judged_by_enough_results() -> None:
    """A single flagged group may be a cosmic ray's; those of all situations together are not."""
    flagged = [score(0.0, flagged=True, situation=name) for name in ("easy", "moon", "clouds")]
    assert report(flagged[:1])[1] == []
    assert report([flagged[0], *[score(0.0, situation=one) for one in ("moon", "clouds")]])[1] == []
    assert report(flagged)[1] == ["CAFOS: 3 of 3 groups have flags: "]
    assert report([replace(one, situation="blend") for one in flagged])[1] == []


def test_results_that_are_not_there_break_one() -> None:
    lost = score(0.0, 0.0)
    lost.got, lost.expected = 2, 5
    assert report([lost])[1] == ["easy, CAFOS: 2 results of 5"]
    nothing = score()
    nothing.frames, nothing.solved, nothing.expected = 4, 0, 1
    assert any("none of 4 frames is solved" in line for line in report([nothing])[1])
    bare = score(0.0, 0.0)
    bare.missing["q"] = 2
    assert report([bare])[1] == ["easy, CAFOS: 2 of 2 results have no q"]


@pytest.mark.parametrize("off", [0.001, NAN])
@pytest.mark.parametrize("err", [0.01, 0.0, NAN])
def test_a_number_that_is_none_or_has_no_error_breaks_one(off: float, err: float) -> None:
    some = score(0.0, 0.0)
    some.found.append(Deviation(quantity="mag", off=off, err=err, whole=err, flagged=False))
    wrong = [] if (off, err) == (0.001, 0.01) else ["easy, CAFOS: 1 numbers of mag have no error"]
    assert report([some])[1] == wrong


@pytest.mark.parametrize(("change", "without"), [
    ({"mag_err": NAN}, {"mag"}), ({"q_err": NAN}, {"q"}), ({"p_err": NAN}, {"p"}),
    ({"p_err": 0.0}, {"p"}), ({"chi_err_deg": NAN}, {"chi"}), ({}, set())])
def test_a_result_without_an_error_is_seen(change: dict[str, Any], without: set[str]) -> None:
    """p of 5 % is significant whether or not its error is there to tell."""
    truth: Any = SimpleNamespace(target_mag=14.0, q=0.03, u=0.04, p=0.05, chi_deg=26.57)
    found = list(deviations(replace(RESULT, **change), truth))
    assert {d.quantity for d in found} == {"mag", "q", "u", "p", "chi"}
    assert {d.quantity for d in found if not d.has_errors} == without


@pytest.mark.parametrize("situation", SITUATIONS, ids=NAMES)
def test_every_situation_can_be_planned_with_every_instrument(situation: object) -> None:
    for setup in SETUPS:
        for words, mode in (({"groups": 1}, POLARIMETRY), ({"frames": 2}, PHOTOMETRY)):
            plan = plan_of(situation, setup.name, 7, **words)  # type: ignore[arg-type]
            assert checked(plan).name == setup.name
            assert plan.mode == mode
            assert 5.0 <= plan.exptime_s <= 480.0


@pytest.mark.parametrize(("name", "full", "low", "high"), [
    ("easy", 65535.0, 0.0, 0.6), ("12 bit", 4095.0, 0.0, 0.6), ("14 bit", 16383.0, 1.5, 3.0),
    ("saturated", 65535.0, 1.5, 3.0)])
def test_the_target_is_clipped_where_it_is_to_be(name: str, full: float, low: float,
                                                 high: float) -> None:
    """Its peak, in parts of what the converter holds."""
    situation = SITUATIONS[NAMES.index(name)]
    for setup in SETUPS:
        plan = plan_of(situation, setup.name, 7, groups=1)
        mag = plan.conditions.target_mag
        peak = plan.exptime_s * peak_rate(
            setup, field_of(situation.where).quiet_mag if mag is None else mag, situation.seeing)
        assert (plan.conditions.full_adu or setup.ccd.full_adu) == full
        assert low <= peak / full <= high


def test_catalogues_of_one_and_of_a_wrong_calibrator_differ_by_that() -> None:
    rows = {}
    for name in ("easy", "one calibrator", "wrong calibrator"):
        situation = SITUATIONS[NAMES.index(name)]
        text = catalogue_of(situation, plan_of(situation, "CAFOS", 1, groups=1))
        rows[name] = list(csv.DictReader(io.StringIO(text)))
    assert sum(row["kind"] == "calibrator" for row in rows["one calibrator"]) == 1
    off = [float(b["mag_R"]) - float(a["mag_R"]) for a, b in zip(
        rows["easy"], rows["wrong calibrator"], strict=True) if a["mag_R"]]
    assert sorted(round(x, 3) for x in off)[-2:] == [0.0, 0.5]


def test_a_whole_frame_that_is_not_sure_enough_gives_sub_frames_no_stars() -> None:
    unsure: Any = SimpleNamespace(stars=(), wcs={})
    assert star_list(unsure) is None
    sure: Any = SimpleNamespace(stars=((1.0, 2.0, 30.0), (4.0, 5.0, 60.0)), wcs={},
                                measurements=())
    found = star_list(sure)
    assert found is not None
    assert (found.x, found.y, found.flux) == ((1.0, 4.0), (2.0, 5.0), (30.0, 60.0))


def test_a_run_that_was_stopped_goes_on_where_it_stopped(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--resume", str(tmp_path / "kept"), "--instrument", "CAFOS", "--only", "hit 1 %",
             "--only", "easy", "--only", "moon"]
    ran = []

    def run(name: str, *_: object) -> Score:
        ran.append(name)
        return score(0.01, -0.01, situation=name)

    monkeypatch.setattr(hard, "run", run)
    monkeypatch.setattr(hard, "_masters", lambda *_: ())
    monkeypatch.setattr(hard, "ProcessPoolExecutor", ThreadPoolExecutor)
    for again in (["easy", "moon", "hit 1 %"], []):
        ran.clear()
        with pytest.raises(SystemExit) as end:
            hard.main(words)
        assert not end.value.code
        assert sorted(ran) == sorted(again)
        assert "hit 1 %" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert len(names) == 3
    halved = next((tmp_path / "kept").glob("hit*"))
    assert halved.name.startswith("hit-1-percent_CAFOS_")
    halved.write_text(halved.read_text()[:40])
    with pytest.raises(SystemExit):
        hard.main(words)
    assert ran == ["hit 1 %"]


def test_a_kept_score_is_read_as_it_was(tmp_path: Path) -> None:
    one = score(0.01, NAN, situation="hit 30 %")
    one.missing["q"], one.flags["BLENDED"] = 2, 3
    one.reasons.append("no star was detected")
    keep_score(one, tmp_path / "a.json")
    found = read_score(tmp_path / "a.json")
    assert found is not None
    assert repr(found) == repr(one)
    assert read_score(tmp_path / "b.json") is None


def test_a_group_of_which_no_frame_was_solved_has_no_result() -> None:
    lab: Any = SimpleNamespace()  # its bench is not asked
    assert hard._group(lab, []) == {}
