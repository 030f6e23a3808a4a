"""Notices as JSON: those of GCN's unified schema, and what a program of one's own posts.

GCN's fields are those of its core schemas (https://github.com/nasa-gcn/gcn-schema): ``id``,
``event_name``, ``mission``, ``instrument``, ``alert_type``, ``alert_tense``, ``ra``, ``dec``,
``ra_dec_error`` (``position_a_error`` in older ones), ``trigger_time``, ``alert_datetime``
(``datetime_of_notice``), ``image_snr``, ``rate_snr``. ``source``, ``text``, ``significance``,
``flux``, ``flux_unit``, ``hours`` and ``until`` are ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from iop4d.model.notice import Notice, NoticeError
from iop4d.triggers.fields import event_of, moment, number, one_line, position, shown, source_name

MOST_HOURS = 24.0 * 366
_NAMES = ("source", "source_name", "event_name", "object")
_ERRORS = ("ra_dec_error", "position_a_error", "ra_uncertainty")
_ISSUED = ("alert_datetime", "datetime_of_notice")
_SIGMA = ("significance", "image_snr", "rate_snr")
#: What an alert may be besides an observation of today.
_NO_OBSERVATION = {
    "alert_type": ("test", "injected"),
    "alert_tense": ("test", "injection", "mock", "planned", "commanded"),
}


def read_json(text: str) -> Notice:
    """A notice from its JSON; raises NoticeError."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoticeError(f"no valid JSON: {one_line(str(error))}") from None
    if not isinstance(said, dict):
        raise NoticeError("expected a JSON object with fields such as source, ra, dec and id")
    return read_object(said)


def read_object(said: Mapping[str, Any]) -> Notice:
    """A notice from the fields of a JSON object; raises NoticeError."""
    names = tuple(_names(said))
    ra = dec = None
    if said.get("ra") is not None or said.get("dec") is not None:
        if said.get("ra") is None or said.get("dec") is None:
            raise NoticeError("it has one of ra and dec alone; expected both, in degrees")
        ra, dec = position(said["ra"], said["dec"])
    if not names and ra is None and said.get("id") is None:
        raise NoticeError("it names no source: expected source, or ra and dec")
    stream = " ".join(one_line(str(said[name])) for name in ("mission", "instrument")
                      if said.get(name))
    return Notice(
        event=_event(said, stream, names), names=names, ra_deg=ra, dec_deg=dec,
        error_deg=_radius(said),
        at=_first(said, ("trigger_time",), moment), issued_at=_first(said, _ISSUED, moment),
        until=_first(said, ("until",), moment),
        hours=_first(said, ("hours",), lambda name, value: number(name, value, 0.0, MOST_HOURS)),
        text=_text(said, stream, names), significance=_first(said, _SIGMA, number),
        flux=_first(said, ("flux",), number),
        flux_unit=one_line(str(said.get("flux_unit") or ""))[:40],
        withdrawn=str(said.get("alert_type")).lower() == "retraction", test=_test(said))


def _names(said: Mapping[str, Any]) -> Iterator[str]:
    for field in _NAMES:
        value = said.get(field)
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            if not isinstance(one, str):
                raise NoticeError(f"{field} is {shown(one)}; expected text")
            if name := source_name(one):
                yield name


def _first(said: Mapping[str, Any], fields: tuple[str, ...], read: Any) -> float | None:
    """The first of some fields that is there, read."""
    return next((read(name, said[name]) for name in fields if said.get(name) is not None), None)


def _radius(said: Mapping[str, Any]) -> float | None:
    """Degrees of the error: a number, or an ellipse of which the longer half axis counts."""
    for field in _ERRORS:
        value = said.get(field)
        if value is not None:
            axes = value[:2] if isinstance(value, list) else [value]
            return max((number(field, axis, 0.0, 180.0) for axis in axes), default=None)
    return None


def _event(said: Mapping[str, Any], stream: str, names: tuple[str, ...]) -> str:
    """By its ``id``, of its stream or else of its source; without one, by what it holds."""
    id_ = said.get("id")
    id_ = next(iter(id_), None) if isinstance(id_, list) else id_
    if isinstance(id_, str | int) and str(id_).strip():
        return event_of(stream, one_line(str(id_)), "" if stream else next(iter(names), ""))
    content = json.dumps(said, sort_keys=True, default=str)
    return "content " + hashlib.sha256(content.encode()).hexdigest()[:32]


def _text(said: Mapping[str, Any], stream: str, names: tuple[str, ...]) -> str:
    for field in ("text", "additional_info"):
        if isinstance(value := said.get(field), str) and value.strip():
            return one_line(value)
    kind = one_line(str(said.get("alert_type") or ""))
    return one_line(" ".join(filter(None, (stream, kind, names[0] if names else ""))))


def _test(said: Mapping[str, Any]) -> str:
    return next((f"{field} is {said[field]}" for field, words in _NO_OBSERVATION.items()
                 if str(said.get(field)).lower() in words), "")
