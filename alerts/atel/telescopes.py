"""Telescopes in words: from the site file, else from what is known of them."""

from __future__ import annotations

from collections.abc import Mapping

from iop4d.alerts.atel.facts import Instrument
from iop4d.instruments.telescopes import Telescope


def phrases(own: Mapping[str, str], known: Mapping[str, Telescope]) -> Mapping[str, Instrument]:
    """Names of telescopes and what a telegram calls them, after an article.

    ``own``: the site file's; ``known``: the telescopes of the instruments. An aperture is told only
    of a telescope whose place is known by name: of a plain camera's nobody said it.
    """
    found = {}
    for name in {*own, *known}:
        telescope = known.get(name)
        if name in own:
            phrase, is_known = own[name].strip().removeprefix("the "), True
        elif telescope is not None and telescope.place:
            phrase = f"{telescope.diameter_m:.1f} m telescope ({name}) at the {telescope.place}"
            is_known = True
        else:
            phrase, is_known = f"telescope {name}", False
        found[name] = Instrument(name=name, phrase=phrase, known=is_known)
    return found


def named(phrases: Mapping[str, Instrument], name: str) -> Instrument:
    """A telescope in words, whatever is known of it."""
    return phrases.get(name) or Instrument(name=name, phrase=f"telescope {name}", known=False)
