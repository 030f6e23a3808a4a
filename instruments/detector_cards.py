"""What cards say of pixels: settings, colour filters, and what was subtracted already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from iop4d.model.errors import CardError, FrameError
from iop4d.model.frame import FrameFacts, FrameKind

Header = Mapping[str, object]

#: Cards of the settings of a detector with which its bias and noise change.
_SETTINGS = ("GAIN", "OFFSET", "READOUTM")
#: Cards of the detector's temperature, degrees Celsius or kelvin, as measured and as asked for.
_TEMPERATURE = ("CCD-TEMP", "CCDTEMP", "CCD_TEMP", "DET-TEMP", "DETTEMP", "CAMTEMP")
_SET_POINT = ("SET-TEMP", "SETTEMP", "CCDSETT", "TEMPSET")
_KELVIN = 100.0  # from which on a temperature is in kelvin
_AT_SET_POINT = 3.0  # degrees from it within which a cooled detector counts as being there
#: Cards of a mosaic of colour filters before the pixels.
_MOSAIC = ("BAYERPAT", "COLORTYP", "CFAPAT", "CFA-PAT", "CFATYPE")
_PATTERN = re.compile(r"[RGB]{4}")
_NO_MOSAIC = ("", "NONE", "MONO", "MONOCHROME", "N/A", "FALSE", "F", "0", "DEFAULT")
#: Cards in which programs write that a step is done: IRAF, ccdproc, LCO,
#: the Liverpool Telescope, and others.
_DONE_CARDS = {
    FrameKind.BIAS: ("ZEROCOR", "BIASCORR", "BIASCOR", "BIASSUB", "SUBBIAS", "L1STATBI",
                     "L1STATZE", "L1STATZM"),
    FrameKind.DARK: ("DARKCOR", "DARKCORR", "DARKSUB", "SUBDARK", "L1STATDA"),
    FrameKind.FLAT: ("FLATCOR", "FLATCORR", "FLATDIV", "L1STATFL"),
}
#: What such a card says of a step that is not done; a number of 0 or less says so, too.
_NOT_DONE = re.compile(
    r"F|FALSE|N|NO|NONE|NULL|OFF|OMIT|OMITTED|SKIP|SKIPPED|PERFORM|N/A|UNKNOWN|UNDEF|UNDEFINED|RAW"
    r"|-+|(NO|NOT|RAW)[ _-].*|UN(CAL|CORR|DONE|PROC|RED|APP).*")
#: CALSTAT of initials alone: bias, dark, flat, and steps that are no matter (trimmed, combined);
#: others may follow two of the first (no word begins so).
_INITIALS = re.compile(r"(?:[BDFMCT][\s,;/+&|_-]*)+|(?:BD|BF|DF)[A-Z]{0,4}")
#: Cards in which programs write where a frame begins on the detector, be it at its corner.
_WINDOW_CARDS = ("XORGSUBF", "YORGSUBF")
_BY_LETTER = {"B": FrameKind.BIAS, "D": FrameKind.DARK, "F": FrameKind.FLAT}
_BY_WORD = {"BIAS": FrameKind.BIAS, "DARK": FrameKind.DARK, "FLAT": FrameKind.FLAT}


#: Words for the masters in HISTORY, as AstroImageJ, MaxIm DL, CCDSoft, PixInsight write it.
_IN_HISTORY = {FrameKind.BIAS: r"(?:bias(?:es)?|zero)", FrameKind.DARK: r"darks?",
               FrameKind.FLAT: r"flats?(?:[ -]?field(?:s|ed|ing)?)?"}
_APPLIED = r"(?:corrected|subtracted|divided|removed|calibrated|applied)"
_HISTORIES = {kind: re.compile(
    rf"\b{word}\b[ -]*(?:frame|image|level|current|field)?[ -]*(?:was |is |been )*"
    rf"(?:{_APPLIED}|correction|subtraction|division)\b"
    rf"|\b{_APPLIED}(?: by| with| for| using)?(?: the| a| master)*[ -]*{word}\b"
    rf"|imagecalibration\.master{word}\.enabled: true"
    + (r"|^flat field(?:ing)? ?\(" if kind is FrameKind.FLAT else ""))
    for kind, word in _IN_HISTORY.items()}
_NO_STEP = re.compile(r"\b(no|not|without|skip\w*|false|failed|cosmetic|hot|bad|defect\w*)\b")


def with_detector(header: Header, facts: FrameFacts, *, bayer: str,
                  rows_turned: bool = False) -> FrameFacts:
    """The facts of a frame with what its cards say of its pixels; raises FrameError.

    ``rows_turned``: whether frames whose rows run the other way are turned, so that their order is
    no difference; otherwise it is one of the settings that tell masters apart.

    ``bayer``: what is done with pixels behind colour filters: refuse, ignore, or the colour whose
    pixels are taken, red, green or blue: their image is half as wide and as high.
    """
    facts = _placed(header, facts)
    detector = replace(facts.detector, settings=settings(header, rows=not rows_turned),
                       celsius=temperature(header), calibrated=calibrated(header, facts.kind))
    pattern = mosaic(header)
    if not pattern or bayer == "ignore":
        return replace(facts, detector=detector)
    if bayer == "refuse":
        raise FrameError(
            f"its pixels lie behind a mosaic of colour filters ({pattern}), which has no one band: "
            "bayer = 'green' in its [[camera]] section takes its green pixels, bayer = 'ignore' "
            "all of them")
    ny, nx = facts.shape
    detector = replace(detector, mosaic=f"{bayer[0].upper()}:{_in_file(header, pattern, facts)}")
    if detector.pixel_arcsec is not None:
        detector = replace(detector, pixel_arcsec=2.0 * detector.pixel_arcsec)
    return replace(facts, detector=detector, shape=(ny // 2, nx // 2), binning=2 * facts.binning,
                   origin=(facts.origin[0] // 2, facts.origin[1] // 2))


def _placed(header: Header, facts: FrameFacts) -> FrameFacts:
    """The facts with the place of the frame on the detector, where a card has it.

    Besides the cards that the instrument knows: a region of the detector that is as large as the
    frame (CCDSEC, DETSEC), or the offset of IRAF (LTV1, LTV2).
    """
    # CAFOS writes [x1,y1,x2,y2] on the chip; with colons it is what of the image holds data (IRAF).
    of_chip = re.fullmatch(r"\[[\d\s,]+\]", _card(header, "DATASEC"))
    if facts.origin != (0, 0) or of_chip or any(_card(header, name) for name in _WINDOW_CARDS):
        return replace(facts, detector=replace(facts.detector, placed=True))
    if facts.detector.trim is not None:
        return facts
    ny, nx = facts.shape
    for name in ("CCDSEC", "DETSEC"):
        numbers = [int(n) for n in re.findall(r"\d+", _card(header, name))]
        if len(numbers) != 4:
            continue
        x1, x2, y1, y2 = numbers
        for binning in (1, facts.binning):
            if (x2 - x1 + 1, y2 - y1 + 1) == (nx * binning, ny * binning) and min(x1, y1) >= 1:
                return replace(facts, origin=((x1 - 1) // binning, (y1 - 1) // binning),
                               detector=replace(facts.detector, placed=True))
    try:
        x, y = (round(-float(_card(header, name))) for name in ("LTV1", "LTV2"))
    except ValueError:
        return facts
    return replace(facts, origin=(x, y), detector=replace(facts.detector, placed=True)) \
        if min(x, y) >= 0 else facts


def settings(header: Header, *, rows: bool = True) -> str:
    """The detector's settings, such as ``GAIN=120,OFFSET=10``, and the order of its rows."""
    said = {name: re.sub(r"[^\w.-]+", "-", _card(header, name)) for name in _SETTINGS}
    order = re.match(r"TOP|BOTTOM", _card(header, "ROWORDER").upper())
    if rows and order:
        said["ROWORDER"] = {"TOP": "TOP-DOWN", "BOTTOM": "BOTTOM-UP"}[order[0]]
    return ",".join(f"{name}={value.removesuffix('.0')}" for name, value in said.items() if value)


def temperature(header: Header) -> float | None:
    """The detector's temperature, degrees Celsius; None where no card tells.

    That which was asked for where it is reached, which is the same for all frames of a night.
    """
    is_, wanted = (next((t for name in names if (t := _celsius(_card(header, name))) is not None),
                        None) for names in (_TEMPERATURE, _SET_POINT))
    if is_ is None or wanted is None:
        return wanted if is_ is None else is_
    return wanted if abs(is_ - wanted) <= _AT_SET_POINT else is_


def _celsius(said: str) -> float | None:
    """Of text such as ``-20.0`` or ``11 C``; None of what no detector has."""
    number = re.match(r"[-+]?\d+(?:[.,]\d*)?", said)
    if not number:
        return None
    value = float(number[0].replace(",", "."))
    value = value - 273.15 if value >= _KELVIN else value
    return round(value, 2) if -200.0 <= value <= 60.0 else None


def mosaic(header: Header) -> str:
    """The pattern of colour filters, such as RGGB, or what the card says; empty for none."""
    for name in _MOSAIC:
        said = _card(header, name).upper()
        if said not in _NO_MOSAIC:
            found = _PATTERN.search(said)
            if found or name != "COLORTYP":  # which says RAW16 and MONO16, too
                return found[0] if found else said
    said = _card(header, "FILTER").upper()
    return said if _PATTERN.fullmatch(said) else ""


def _in_file(header: Header, pattern: str, facts: FrameFacts) -> str:
    """The pattern from the first stored pixel that sees light, row by row."""
    if not _PATTERN.fullmatch(pattern) or sorted(pattern) != ["B", "G", "G", "R"]:
        raise CardError("BAYERPAT", f"is {pattern!r}, expected RGGB, BGGR, GRBG or GBRG")
    trim = facts.detector.trim
    x, y = (trim[0], trim[2]) if trim else (0, 0)
    x += _whole(header, "XBAYROFF")
    y += _whole(header, "YBAYROFF")
    rows = _whole(header, "NAXIS2") or facts.shape[0]  # as stored, before any trim
    if "BOTTOM" in _card(header, "ROWORDER").upper() and rows % 2 == 0:
        y += 1  # the pattern begins at the top, which is the last row of the file
    return "".join(pattern[2 * ((y + row) % 2) + (x + column) % 2]
                   for row in (0, 1) for column in (0, 1))


def _whole(header: Header, name: str) -> int:
    said = _card(header, name).removesuffix(".0")
    return int(said) if said.isdigit() else 0


def calibrated(header: Header, kind: FrameKind) -> tuple[FrameKind, ...]:
    """Which masters were applied to a frame already; raises FrameError where that leaves no way on.

    CALSTAT names them by letters or words. Who subtracts a dark subtracts its bias with it.
    """
    done = steps_done(header)
    if FrameKind.FLAT in done and FrameKind.BIAS not in done:
        raise FrameError("was divided by a flat before its bias was subtracted (by CALSTAT or the "
                         "like), which cannot be corrected: give iop4d the raw frame")
    if done and (kind in done or kind in (FrameKind.BIAS, FrameKind.DARK)):
        raise FrameError(f"is a {kind} from which a {min(done)} was subtracted already (by CALSTAT "
                         "or the like): give iop4d the raw frame")
    return tuple(master for master in _DONE_CARDS if master in done)


def steps_done(header: Header) -> set[FrameKind]:
    """The masters that were applied, by the cards and HISTORY of all programs; raises FrameError
    for a CALSTAT that says that something was done, but not what.
    """
    done = {master for master, names in _DONE_CARDS.items()
            if any(_is_done(_card(header, name)) for name in names)}
    done |= _of_calstat(_card(header, "CALSTAT").upper())
    done |= {master for line in _card(header, "HISTORY").lower().splitlines()
             if not _NO_STEP.search(line)
             for master, words in _HISTORIES.items() if words.search(line.strip())}
    return done | {FrameKind.BIAS} if FrameKind.DARK in done else done


def _is_done(said: str) -> bool:
    try:
        return float(said) > 0.0
    except ValueError:
        return bool(said) and not _NOT_DONE.fullmatch(said.upper())


def _of_calstat(said: str) -> set[FrameKind]:
    if _INITIALS.fullmatch(said):
        return {_BY_LETTER[letter] for letter in said if letter in _BY_LETTER}
    parts = [part.strip() for part in re.split(r"[,;/+&|]", said)] if said != "N/A" else []
    parts = [part for part in parts if _is_done(part) and not re.search(r"\b(NO|NOT)\b", part)]
    done = {master for word, master in _BY_WORD.items() if any(word in part for part in parts)}
    if parts and not done:
        raise FrameError(f"its card CALSTAT is {said!r}, which does not say which of bias, dark "
                         "and flat were applied: give iop4d the raw frame")
    return done


def _card(header: Header, name: str) -> str:
    value = header.get(name)
    return "" if value is None or value is False else str(value).strip()
