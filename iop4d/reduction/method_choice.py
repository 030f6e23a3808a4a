"""Which of the methods that apply to a target's group is reported."""

from __future__ import annotations

from collections.abc import Mapping

from iop4d.config.site import Polarimetry
from iop4d.instruments.base import Instrument
from iop4d.model.flags import Flag
from iop4d.model.source import Source, canonical
from iop4d.reduction.group_target import GroupTarget
from iop4d.reduction.groups import Positions
from iop4d.reduction.methods import RawStokes

_SPOILT = int(Flag.BLENDED | Flag.SATURATED | Flag.EDGE)


def choose_method(raw: Mapping[str, RawStokes], group: GroupTarget) -> str:
    """The method that is reported: the one asked for, if it applies, else the best of its kind."""
    asked = _asked_for(group.target, group.instrument, group.settings)
    if asked in raw:
        return asked
    if "ensemble" in raw or "plain" in raw:
        enough = group.ensemble is not None and group.ensemble.n >= group.settings.min_field_stars
        return "ensemble" if enough and "ensemble" in raw else next(
            name for name in ("plain", "ensemble") if name in raw)
    # A fit knows by its scatter when something is wrong with a position; the ratios do not.
    both = next((name for name in ("fit-k", "ratio", "fit") if name in raw), "")
    spoilt = {name: _is_spoilt(group.positions, group.name, side)
              for name, side in (("ordinary", "O"), ("extraordinary", "E"))}
    alone = min((name for name in spoilt if name in raw and not spoilt[name]),
                key=lambda name: raw[name].stokes.p_err, default="")
    if not both or not alone:
        return both or alone or next(iter(raw))
    better = raw[alone].stokes.p_err < raw[both].stokes.p_err
    return alone if any(spoilt.values()) and better else both


def _asked_for(target: Source, instrument: Instrument, settings: Polarimetry) -> str:
    """The method that the site file names for the source, by any of its names, or else for all."""
    names = {canonical(name) for name in (target.name, *target.other_names)}
    for key, method in settings.method.items():
        camera, _, source = key.partition("/")
        if camera == instrument.name and canonical(source) in names:
            return method
    return settings.method.get(instrument.name, "auto")


def _is_spoilt(positions: Positions, target: str, beam: str) -> bool:
    """Whether most of a beam's images hold a neighbour's light, or are of no use."""
    images = positions.of(target, beam)
    return sum(m is None or bool(m.flags & _SPOILT) for m in images) > len(images) / 2
