"""What the benches of accuracy call wrong, and how they are told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from tests.bench import accuracy, hard
from tests.bench.accuracy import FrameScore, Point, report
from tests.bench.errors import is_error, pull
from tests.bench.polarimetry_accuracy import _is_wrong


def test_a_pull_needs_a_number_and_an_error() -> None:
    assert pull(0.03, 0.01) == pytest.approx(3.0)
    for off, err in ((0.03, None), (0.03, 0.0), (0.03, math.nan), (0.03, math.inf),
                     (math.nan, 0.01)):
        assert math.isnan(pull(off, err))
    assert not is_error(-0.01)


@pytest.mark.parametrize(("nights", "true_width", "rate"), [
    (8, 1.0, (0.0, 0.01)), (8, 0.8, (0.01, 0.035)), (80, 1.0, (0.0, 0.005)),
    (24, 1.2, (0.01, 0.035)), (80, 0.6, (0.8, 1.0)), (8, 4.0, (0.8, 1.0))])
def test_a_width_is_judged_by_what_so_many_nights_tell(
        nights: int, true_width: float, rate: tuple[float, float]) -> None:
    """At the bound itself 2.3 % are called wrong, whatever the nights; far beyond it most are."""
    rng = np.random.default_rng(3)
    some = true_width * rng.standard_normal((4000, nights))
    some -= some.mean(axis=1)[:, None]  # the width alone
    wrong = np.mean([_is_wrong(pulls, nights) for pulls in some])
    assert rate[0] <= wrong <= rate[1]


def test_a_mean_that_is_off_or_none_is_wrong() -> None:
    pulls = np.array([-1.0, 1.0] * 12)
    assert not _is_wrong(pulls, 24)
    assert _is_wrong(pulls + 0.7, 24)
    assert _is_wrong(np.append(pulls, np.nan), 24)


def test_a_magnitude_without_an_error_is_told() -> None:
    rng = np.random.default_rng(1)
    frame = FrameScore(density="normal", seeing=2.0, clouds=0.0, name="x", detectable=100,
                       solved=True, wcs_rms_px=0.01, poor_wcs=False, reason="")
    points = [Point(density="normal", seeing=2.0, night=1, true=14.0, mag=14.0 + 0.01 * off,
                    err=0.01, flags=0) for off in np.repeat(rng.permuted([-1.0, 1.0]), 40)]
    assert report([frame], points)[1] == []
    for none in (None, 0.0, math.nan):
        bare = Point(density="normal", seeing=2.0, night=1, true=14.0, mag=14.0, err=none, flags=0)
        assert report([frame], [*points, bare])[1] == ["1 magnitudes have no error"]


@pytest.mark.parametrize(("words", "rest"), [
    (["--hard"], []), (["--hard", "--short"], ["--short"]),
    (["--only", "easy", "--hard"], ["--only", "easy"])])
def test_hard_is_an_option_that_leads_to_the_hard_nights(
        words: list[str], rest: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Sequence[str] | None] = []

    def hard_nights(arguments: Sequence[str] | None = None) -> None:
        seen.append(arguments)
        raise SystemExit(0)
    monkeypatch.setattr(hard, "main", hard_nights)
    with pytest.raises(SystemExit):
        accuracy.main(words)
    assert seen == [rest]


def test_the_help_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        accuracy.main(["--help"])
    assert end.value.code == 0
    assert "--hard" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        accuracy.main(["--hard", "--help"])
    assert "--only" in capsys.readouterr().out
