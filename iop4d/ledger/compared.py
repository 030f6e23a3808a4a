"""A result beside the same one with other settings: how far they differ, in units of sigma."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iop4d.model.units import angle_difference

Pair = tuple[float | None, float | None]
_SAME = 1e-3  # part by which equal apertures may differ


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One quantity of a result, each time with its random error, in ``unit``.

    ``kept``: on record; ``stored``: of the result's own frames alone, with the site's settings;
    ``tried``: the same with other settings; ``sigmas``: the difference of those two in units of
    the random error of ``stored``. They rest on the same light: one sigma apart is much.
    """

    label: str
    unit: str
    digits: int
    kept: Pair
    stored: Pair
    tried: Pair
    difference: float | None
    sigmas: float | None


#: Name of a value and of its error, label, unit, factor, digits.
_QUANTITIES = (
    ("mag", "mag_err", "Magnitude", "mag", 1.0, 4),
    ("mag_psf", "mag_psf_err", "By PSF", "mag", 1.0, 4),
    ("mag_nucleus", "mag_nucleus_err", "Without its host", "mag", 1.0, 4),
    ("zero_point", "zero_point_err", "Zero point", "mag", 1.0, 4),
    ("p", "p_err", "p measured", "%", 100.0, 3),
    ("p_debiased", "p_err", "p without bias", "%", 100.0, 3),
    ("chi_deg", "chi_err_deg", "χ", "°", 1.0, 2),
    ("q", "q_err", "q", "%", 100.0, 3),
    ("u", "u_err", "u", "%", 100.0, 3),
    ("mag_limit", "", "Limit", "mag", 1.0, 2),
    ("aperture_arcsec", "", "Aperture", "″", 1.0, 2),
    ("fwhm_arcsec", "", "FWHM", "″", 1.0, 2),
    ("n_calibrators", "", "Calibrators", "", 1.0, 0),
)


def compare(kept: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Compared]:
    """What a trial's answer says beside the values on record; quantities without any value
    are not in it."""
    found = []
    for name, err, label, unit, factor, digits in _QUANTITIES:
        before, stored, tried = (_pair(values, name, err, factor) for values in (
            kept, answer["stored"], answer["tried"]))
        if all(value is None for value, _ in (before, stored, tried)):
            continue
        difference = None if stored[0] is None or tried[0] is None else (
            angle_difference(tried[0], stored[0]) if name == "chi_deg" else tried[0] - stored[0])
        sigma = stored[1]
        found.append(Compared(
            label=label, unit=unit, digits=digits, kept=before, stored=stored, tried=tried,
            difference=difference,
            sigmas=difference / sigma if difference is not None and sigma else None))
    return found


def _pair(values: Mapping[str, Any], name: str, err: str, factor: float) -> Pair:
    value, error = values.get(name), values.get(err) if err else None
    return _times(value, factor), _times(error, factor)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None or not math.isfinite(value) else value * factor


def calibrators_apart(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each calibrator's own zero point before and after; None where it has none."""
    before = {use["source"]: use for use in answer["stored"]["calibrators"]}
    after = {use["source"]: use for use in answer["tried"]["calibrators"]}
    return [{"source": name, "stored": before.get(name), "tried": after.get(name)}
            for name in {**before, **after}]


def notes_of(settings: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """What is to be known of a trial besides its numbers, in words."""
    before, after = (answer[name].get("aperture_arcsec") for name in ("stored", "tried"))
    if "photometry.aperture" in settings and before and after and abs(after / before - 1) < _SAME:
        return [f"The aperture is {after:.2f}\u2033 in both: the source, or its group, is "
                "measured in a fixed one. The setting aperture_arcsec changes it."]
    return []
