"""Notices of GCN Classic over Kafka: VOEvents (XML), and the same as plain text.

Those of known sources that flare, of the Fermi LAT, are in ``gcn.classic.text.FERMI_LAT_MONITOR``
and ``gcn.classic.voevent.FERMI_LAT_MONITOR``; one event has the same number in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree

from iop4d.model.notice import Notice, NoticeError
from iop4d.triggers.fields import event_of, moment, number, one_line, position, shown, source_name

_FIELD = re.compile(r"^([A-Z][A-Z0-9_ ]{1,24}):\s*(.*)$")
_NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
_IVORN = re.compile(r"^ivo://[^/]+/(?P<mission>[^#]+)#(?P<kind>.*?)_?\d{4}-\d\d-\d\d")
_IDS = ("REF_NUM", "TRIGGER_NUM", "EVENT_NUM", "EVENT_ID_NUM", "TRIGGER_ID")
_SIZES = {"deg": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600}


def read_text(text: str) -> Notice:
    """A notice from lines such as ``RA: 330.680d``; raises NoticeError."""
    said = dict(_fields(text))
    kind = said.get("NOTICE_TYPE")
    if kind is None:
        raise NoticeError("neither JSON, nor a VOEvent, nor a text of GCN with NOTICE_TYPE")
    name = source_name(said.get("SOURCE_OBJ") or said.get("SOURCE_NAME") or said.get("OBJECT")
                       or "")
    id_ = next((said[one].split()[0].rstrip(",") for one in _IDS if said.get(one)), "")
    flux, unit = _value(said, "CURR_FLUX", "FLUX"), re.search(
        r"\[(.*?)\]", said.get("CURR_FLUX") or said.get("FLUX") or "")
    ra, dec = _place(said)
    if ra is None and not name:
        raise NoticeError(f"the notice '{one_line(kind)}' has neither a source nor a position")
    return Notice(
        event=event_of(kind, id_ or said.get("NOTICE_DATE", ""), name),
        names=(name,) if name else (), ra_deg=ra, dec_deg=dec, error_deg=_error(said),
        at=_outburst(said), issued_at=_dated(said.get("NOTICE_DATE", "")),
        text=one_line(" ".join(filter(None, (kind, name)))),
        significance=_value(said, "SIGNIFICANCE"), flux=flux,
        flux_unit=unit[1] if flux is not None and unit else "",
        withdrawn="retract" in f"{said.get('COMMENTS', '')} {kind}".lower(),
        test="the notice is a test" if "test" in kind.lower().split() else "")


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Each field once; further lines of one, which begin with its name again or a blank, joined."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines()[:500]:
        if match := _FIELD.match(line):
            name, value = match[1].strip(), match[2].strip()
            found[name] = f"{found[name]} {value}" if name in found else value
        elif name and line.strip():
            found[name] += " " + line.strip()
    yield from found.items()


def _value(said: dict[str, str], *names: str) -> float | None:
    """The first number of a field."""
    for name in names:
        if match := _NUMBER.search(said.get(name, "")):
            return number(name, match[0])
    return None


def _place(said: dict[str, str]) -> tuple[float | None, float | None]:
    fields = [next((said[name] for name in names if said.get(name)), None) for names in (
        ("RA", "SRC_RA", "GRB_RA", "EVENT_RA"), ("DEC", "SRC_DEC", "GRB_DEC", "EVENT_DEC"))]
    if None in fields or any("undefined" in str(one).lower() for one in fields):
        return None, None
    degrees = [re.match(r"\s*([-+]?\d+\.?\d*)\s*d", str(one)) for one in fields]
    return position(*(match[1] if match else said_ for match, said_ in
                      zip(degrees, fields, strict=True)))


def _error(said: dict[str, str]) -> float | None:
    value = next((said[name] for name in ("ERROR", "SRC_ERROR", "GRB_ERROR", "EVENT_ERROR",
                                          "SRC_ERROR90") if said.get(name)), "")
    match = re.match(r"\s*(\d+\.?\d*)\s*\[(deg|arcmin|arcsec)", value)
    return number("the error", match[1], 0.0, 1e6) * _SIZES[match[2]] if match else None


def _outburst(said: dict[str, str]) -> float | None:
    """The time of what happened: seconds of a day, and the day as truncated Julian date."""
    for day, time in (("OUTBURST_DATE", "OUTBURST_TIME"), ("EVENT_DATE", "EVENT_TIME"),
                      ("TRANS_DATE", "TRANS_TIME"), ("GRB_DATE", "GRB_TIME")):
        tjd = re.match(r"\s*(\d+)\s*TJD", said.get(day, ""))
        sod = re.match(r"\s*(\d+\.?\d*)\s*SOD", said.get(time, ""))
        if tjd and sod:
            return (int(tjd[1]) - _UNIX_TJD) * 86400.0 + float(sod[1])
    return None


_UNIX_TJD = 587  # truncated Julian date of 1970-01-01: JD 2440587.5 minus 2440000.5


def _dated(text: str) -> float | None:
    """Unix seconds of a date such as Thu 23 Feb 23 15:49:32 UT."""
    words = text.replace("UT", "").split()
    try:
        return datetime.strptime(" ".join(words[1:5]), "%d %b %y %H:%M:%S").replace(
            tzinfo=UTC).timestamp()
    except ValueError:
        return None


def read_voevent(text: str) -> Notice:
    """A notice from a VOEvent; raises NoticeError."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise NoticeError("a VOEvent declares no entities")
    try:
        # Without entities, which were refused above, there is nothing to expand.
        root = ElementTree.fromstring(text.strip())  # noqa: S314
    except ElementTree.ParseError as error:
        raise NoticeError(f"no valid XML: {one_line(str(error))}") from None
    said = {one.get("name", ""): one.get("value", "") for one in _all(root, "Param")}
    match = _IVORN.match(root.get("ivorn", ""))
    if _local(root.tag) != "VOEvent" or match is None:
        raise NoticeError(f"no VOEvent of GCN: its ivorn is {shown(root.get('ivorn', ''))}")
    name = source_name(said.get("SourceName") or said.get("Source_Name") or "")
    stream = f"{match['mission']} {match['kind'].replace('_', ' ')}"
    ra, dec, radius = _sky(root)
    if ra is None and not name:
        raise NoticeError(f"the VOEvent '{stream}' has neither a source nor a position")
    written = [one_line(one.text or "") for one in _all(root, "Date")]
    happened = [one_line(one.text or "") for one in _all(root, "ISOTime")]
    flux = said.get("Curr_Flux") or said.get("Event_Flux")
    return Notice(
        event=event_of(stream, said.get("TrigID") or root.attrib["ivorn"], name),
        names=(name,) if name else (), ra_deg=ra, dec_deg=dec, error_deg=radius,
        at=moment("ISOTime", happened[0]) if happened else None,
        issued_at=moment("Date", written[0]) if written else None,
        text=one_line(" ".join(filter(None, (stream, name)))),
        # The VOEvents of Fermi-LAT Monitor hold a time of day in Signif: no significance.
        significance=None, flux=number("flux", flux) if flux else None,
        flux_unit="ph/cm2/s" if said.get("Curr_Flux") else "",
        withdrawn=said.get("Retraction", "").lower() == "true",
        test="" if root.get("role", "observation") == "observation" else
        f"its role is {one_line(root.get('role', ''))}")


def _all(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [one for one in root.iter() if _local(one.tag) == name]


def _local(tag: str) -> str:
    return str(tag).rpartition("}")[2]


def _sky(root: ElementTree.Element) -> tuple[float | None, float | None, float | None]:
    """Position and radius of the error, degrees."""
    first, second, radius = (next((one.text for one in _all(root, name)), None)
                             for name in ("C1", "C2", "Error2Radius"))
    if first is None or second is None:
        return None, None, None
    ra, dec = position(first, second)
    return ra, dec, number("Error2Radius", radius, 0.0, 180.0) if radius else None
