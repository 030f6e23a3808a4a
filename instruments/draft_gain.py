"""The gain for a drafted section: from a card, or measured on two flats and two bias frames."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from iop4d.instruments import base, draft_cards, draft_names
from iop4d.instruments.base import card
from iop4d.instruments.draft_kind import kind_of
from iop4d.instruments.draft_section import Example, Section
from iop4d.model.frame import FrameKind

Pixels = NDArray[np.float32]

_FAINTEST_ADU = 500.0  # of a flat above bias: below it the read noise is of weight
_CLIP = 5.0  # robust sigmas from which a pixel is odd
_FEWEST = 1000  # pixels that tell a noise
_MOST_PAIRS = 10  # of flats: more are not more certain than the camera is steady
#: Cards that frames of one read-out share; binned frames are smaller.
_READ_OUT = ("NAXIS1", "NAXIS2", "GAIN")
_AGREE = 0.25  # part by which the card of the gain and the measured one may differ


@dataclass(frozen=True)
class MeasuredGain:
    """Electrons per ADU, and the read noise in electrons."""

    gain: float
    read_noise: float


def put_gain(frames: Sequence[Example], section: Section) -> None:
    """The gain, by the card that has it or by the noise of flats; what could not be known."""
    band = str(section.keys.get("band_card", ("FILTER", ""))[0])
    measured = measured_gain([frame for frame in frames if _is(frame, FrameKind.FLAT, section)],
                             [frame for frame in frames if _is(frame, FrameKind.BIAS, section)],
                             tuple(name.strip() for name in band.split(",")))
    first = frames[0]
    cards = (*draft_cards.GAINS, *draft_names.gain_cards(first.header, first.comments))
    gain = next((name for name in cards
                 if draft_cards.is_gain(name, first.header, first.comments)), "")
    inverse = next((name for name in ("GAIN", *draft_cards.GAINS)
                    if draft_cards.is_inverse_gain(name, first.header, first.comments)), "")
    said = card(first.header, "GAIN")
    if gain:
        section.put("gain_card", gain, f"electrons per ADU: {card(first.header, gain)}")
        _compare(base.number_or_none(first.header, gain), gain, measured, section)
    elif inverse:
        value = base.number(first.header, inverse)
        section.put("gain", float(f"{1.0 / value:.5g}"), f"1 / {inverse}, which says {value:g} "
                    f"{first.comments.get(inverse, '')}".rstrip())
        _compare(1.0 / value, inverse, measured, section)
    elif (number := draft_cards.leading_number(said)) and re.search(
            r"\d\s*e(l|-|lectrons?)?\s*(/|per)", said):
        section.put("gain", number, f"GAIN says {said}")
        _compare(number, "GAIN", measured, section)
    elif measured:
        section.put("gain", float(f"{measured.gain:.3g}"),
                    "measured by the noise of two flats and two bias frames")
    else:
        section.unknown.append("the gain in electrons per ADU" + (
            f"; GAIN = {said} is a setting" if said else "")
            + ": gain = ..., or give two flats of one filter and two bias frames, which show it")


def _is(frame: Example, kind: FrameKind, section: Section) -> bool:
    return frame.middle is not None and kind_of(frame, section) is kind


def _compare(said: float | None, name: str, measured: MeasuredGain | None,
             section: Section) -> None:
    """Doubt a card that the flats speak against."""
    if measured and said and abs(math.log(measured.gain / said)) > math.log1p(_AGREE):
        section.unknown.append(f"whether the gain is {said:.3g}, as {name} says: by the noise of "
                               f"two flats it is {measured.gain:.3g} electrons per ADU")


def measured_gain(flats: Sequence[Example], biases: Sequence[Example],
                  band_cards: tuple[str, ...]) -> MeasuredGain | None:
    """The gain by the photons' noise in the difference of two flats; None where it does not show.

    A flat of n electrons has a variance of n, besides the read noise, which the difference of two
    bias frames has as well (photon transfer; Janesick 2001, Scientific Charge-Coupled Devices,
    ch. 2). Of several pairs of flats of one filter (``band_cards``) the median.
    """
    dark = next(_pairs(biases, _READ_OUT), None)
    if dark is None:
        return None
    bias = float(np.median(_pixels(dark[0])))
    read = _variance(_pixels(dark[0]) - _pixels(dark[1])) / 2.0
    pairs = [pair for pair in _pairs(flats, (*_READ_OUT, *band_cards))
             if _are_alike(pair[0], dark[0], _READ_OUT)][:_MOST_PAIRS]
    gains = [gain for one, other in pairs
             if (gain := _gain(_pixels(one) - np.float32(bias),
                               _pixels(other) - np.float32(bias), read))]
    if not gains or not math.isfinite(read):
        return None
    gain = float(np.median(gains))
    return MeasuredGain(gain, gain * math.sqrt(read))


def _pixels(frame: Example) -> Pixels:
    assert frame.middle is not None  # of all that are taken for a flat or a bias frame here
    return frame.middle


def _pairs(frames: Sequence[Example], names: tuple[str, ...]) -> Iterator[tuple[Example, Example]]:
    """Two frames each that say the same in some cards."""
    return (pair for pair in combinations(frames, 2) if _are_alike(*pair, names))


def _are_alike(one: Example, other: Example, names: tuple[str, ...]) -> bool:
    return all(card(one.header, name) == card(other.header, name) for name in names)


def _gain(one: Pixels, other: Pixels, read: float) -> float | None:
    level, other_level = float(np.median(one)), float(np.median(other))
    if min(level, other_level) < _FAINTEST_ADU:
        return None
    k = level / other_level
    photons = _variance(one - np.float32(k) * other) - read * (1.0 + k * k)
    return level * (1.0 + k) / photons if photons > 0.0 else None


def _variance(difference: Pixels) -> float:
    """Of the pixels of a difference, without odd ones and its slow changes; NaN of too few."""
    rows = difference - np.median(difference, axis=1, keepdims=True)
    centre = float(np.median(rows))
    sigma = 1.4826 * float(np.median(np.abs(rows - centre)))
    good = rows[np.abs(rows - centre) <= _CLIP * max(sigma, 0.5)]
    return float(np.var(good)) if good.size >= _FEWEST else math.nan
