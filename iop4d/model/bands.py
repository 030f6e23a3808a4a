"""Bands: their order and their colours, the same in every figure, mail and page."""

from __future__ import annotations

#: Colour on a light and on a dark ground, by wavelength. ``web/static/site.css`` repeats UBVRI.
_COLOURS = {
    "U": ("#7b3fb5", "#c08bf0"), "B": ("#1f5fc4", "#6ea8ff"), "g": ("#00798c", "#4cc9e0"),
    "V": ("#1a7f4b", "#4fce8a"), "r": ("#b5338a", "#f08ccf"), "R": ("#c62f2f", "#ff7b72"),
    "i": ("#8f7a00", "#dcc449"), "I": ("#8a4b12", "#e8a35c"), "z": ("#4457c9", "#93a2ff"),
    "J": ("#2d6a4f", "#7fd6a8"), "H": ("#7a4a6d", "#d3a6c8"), "K": ("#6b5b2e", "#cdbb86"),
}
_OTHER = ("#5b6472", "#a3adba")
BANDS = tuple(_COLOURS)


def colour_of(band: str, *, dark: bool = False) -> str:
    """The colour of a band; one for all bands that are not in the table."""
    return _COLOURS.get(band, _OTHER)[dark]


def band_order(band: str) -> tuple[int, str]:
    """A key to sort by: bands by wavelength, then those that are not in the table by name."""
    return (BANDS.index(band) if band in _COLOURS else len(BANDS)), band
