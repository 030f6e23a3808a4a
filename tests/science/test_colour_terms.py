"""Colour terms from stars' offsets: by hand, with outliers, and errors that hold."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.colour_terms import slope

COLOURS = np.array([0.3, 0.5, 0.7, 0.9, 1.1, 1.5])


def test_a_line_is_found_whatever_the_zero_points_of_the_fields() -> None:
    colour = np.tile(COLOURS, 2)
    field = np.repeat([0, 1], 6)
    found = slope(0.08 * colour + np.where(field, 0.3, -0.1), np.full(12, 0.01), colour, field)
    assert found is not None
    assert found.term == pytest.approx(0.08)
    # The formal error: 0.01 over the root of the sum of squares about the means.
    assert found.err == pytest.approx(0.01 / np.sqrt(2 * np.sum((COLOURS - COLOURS.mean()) ** 2)))
    assert (found.n, found.dof, found.chi2) == (12, 9, pytest.approx(0.0, abs=1e-12))
    assert found.chance < 1e-5


def test_a_star_half_a_magnitude_off_counts_nothing() -> None:
    offset = 0.05 * COLOURS
    offset[2] += 0.5
    found = slope(offset, np.full(6, 0.01), COLOURS)
    assert found is not None
    assert found.term == pytest.approx(0.05, abs=0.002)
    assert found.n == 5
    assert found.used.tolist() == [True, True, False, True, True, True]
    assert found.residual[2] == pytest.approx(0.5, abs=0.01)


def test_errors_are_those_of_repeated_skies_and_chances_are_fair() -> None:
    """Stars scatter twice as much as their errors say: pulls have about unit width all the same."""
    rng = np.random.default_rng(5)
    colour = np.linspace(0.3, 1.5, 12)
    pulls, chances = [], []
    for _ in range(400):
        found = slope(rng.normal(0.0, 0.02, 12), np.full(12, 0.01), colour)
        assert found is not None
        pulls.append(found.term / found.err)
        chances.append(found.chance)
    assert np.std(pulls) == pytest.approx(1.15, abs=0.15)  # Student's, ten degrees of freedom
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize(("offset", "colour"), [
    ([0.0, 0.1, 0.2], [0.3, 0.6, 0.9]), ([0.0, 0.1, 0.2, 0.3], [0.5, 0.5, 0.5, 0.5]),
    ([0.0, 0.1, 0.2, np.nan], [0.3, 0.6, 0.9, 1.2])])
def test_too_few_stars_or_colours_say_nothing(offset: list[float], colour: list[float]) -> None:
    assert slope(np.array(offset), np.full(len(offset), 0.01), np.array(colour)) is None
