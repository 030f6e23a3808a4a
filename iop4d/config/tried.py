"""Settings that can be tried on one result: keys of the site file, and a site that has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace

from iop4d.config.keys import Check, between, one_of
from iop4d.config.site import METHODS, TABLES, Site
from iop4d.model.errors import ConfigError

#: A fixed radius for the target's aperture; no key of the site file, but one of the catalogue.
APERTURE_ARCSEC = "aperture_arcsec"
METHOD = "polarimetry.method"
#: What can be tried, and what each value may be: no more than a worker can measure in its time.
TRIED: dict[str, Check] = {
    "photometry.aperture": between(0.5, 30),
    "photometry.annulus_inner": between(1, 60),
    "photometry.annulus_outer": between(2, 100),
    "photometry.detection_sigma": between(2, 100),
    APERTURE_ARCSEC: between(0.3, 60),
    METHOD: one_of(*METHODS),
    "polarimetry.min_field_stars": between(1, 1000),
    "polarimetry.transparency_scatter": between(0, 1),
    "polarimetry.variability": between(0, 10),
    "polarimetry.interstellar": between(0, 100),
}
#: Those that need the frames' pixels; the others follow from what is measured already.
PIXELS = frozenset(name for name in TRIED if name.startswith("photometry.")) | {APERTURE_ARCSEC}
_WHOLE = frozenset(name for name in TRIED for section, _, key in (name.partition("."),) if any(
    f.name == key and f.type == "int" for f in fields(TABLES.get(section, Site))))

Tried = dict[str, float | str]


def parse(said: Mapping[str, str]) -> Tried:
    """The values of settings to try; empty ones are left out. Raises ConfigError in words."""
    found: Tried = {}
    for name, text in said.items():
        if name not in TRIED:
            raise ConfigError(f"'{name}' cannot be tried; these can: {', '.join(TRIED)}")
        if not text.strip():
            continue
        expected, is_right = TRIED[name]
        whole = name in _WHOLE
        value: float | str = text.strip()
        if name != METHOD:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
        if not is_right(value) or (whole and value != int(value)):
            raise ConfigError(f"{name}: expected {'a whole number, ' if whole else ''}{expected}, "
                              f"found '{text.strip()}'")
        found[name] = value
    return found


def with_settings(site: Site, settings: Tried, *, instrument: str, source: str) -> Site:
    """A site with settings tried on a result of an instrument and a source.

    Raises ConfigError where they do not go together.
    """
    for name, value in settings.items():
        section, _, key = name.partition(".")
        if not key:
            continue
        table = getattr(site, section)
        given: object = value
        if name == METHOD:
            given = {**table.method, f"{instrument}/{source}": str(value)}
        elif name in _WHOLE:
            given = int(value)
        site = replace(site, **{section: replace(table, **{key: given})})
    photometry = site.photometry
    if not photometry.annulus_inner < photometry.annulus_outer:
        raise ConfigError(f"the annulus' inner radius {photometry.annulus_inner:g} is not below "
                          f"its outer one {photometry.annulus_outer:g}")
    return site


def as_the_site(site: Site, *, instrument: str, source: str) -> dict[str, str]:
    """What the site file says of each setting that can be tried."""
    chosen = site.polarimetry.method
    said = {name: f"{getattr(getattr(site, section), key):g}" for name in TRIED
            if name != METHOD for section, _, key in (name.partition("."),) if key}
    return said | {METHOD: chosen.get(f"{instrument}/{source}") or chosen.get(instrument, "auto")}
