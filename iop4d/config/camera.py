"""``[[camera]]``: an instrument that is described and needs no code."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iop4d.config.keys import (
    DATE,
    Check,
    above,
    at_least,
    between,
    key,
    one_of,
    or_nothing,
)

_NAN = float("nan")
_KINDS = {"bias", "dark", "flat", "science"}
_KIND: Check = ("values of bias, dark, flat, science",
                lambda value: set(value.values()) <= _KINDS)


def numbers_of(said: str) -> list[float]:
    """The numbers of a text such as ``[24.6, 30.6]``; none where it holds anything else."""
    try:
        return [float(part) for part in said.strip("[]() ").replace(",", " ").split()]
    except ValueError:
        return []


HEIGHTS_M = (-500, 9000)  # of telescopes above sea level

#: Seconds in each unit of an exposure time.
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0,
              "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class Camera:
    """``[[camera]]``: an instrument that needs no code."""

    name: str = key("Name of the instrument.")
    telescope: str = key("Name of the telescope.")
    identify: dict[str, str] = key(
        "Header cards and the values by which a frame of this camera is recognised: text, a number "
        "(1 is 1.0 too), a pattern with * and ?; '*': the card has any value; '': it is missing or "
        "empty.", check=("at least one card", bool))
    cards: dict[str, str] = key(
        "Several of the keys below that end in _card in one table, without that end, such as "
        "{ gain = 'GAIN', binning = 'CCDSUM' }.", {},
        check=("names of keys that end in _card, without that end, and a card for each",
               lambda value: all(f"{name}_card" in Camera.__dataclass_fields__ for name in value)))
    pixel_scale: float = key(
        "Arcseconds per pixel at binning 1; unset: from the keys below.", _NAN, check=above(0))
    pixel_scale_card: str = key("Card with the arcseconds per pixel; empty: none.", "")
    pixel_size: float = key("Size of a pixel in micrometres.", _NAN, check=above(0))
    pixel_size_card: str = key("Card with the size of a pixel in micrometres; empty: none.", "")
    focal_length: float = key("Focal length in millimetres.", _NAN, check=above(0))
    focal_length_card: str = key("Card with the focal length in millimetres; empty: none.", "")
    scale_is: str = key(
        "Which pixels the cards of scale and size tell of: binned, as they were read out, or "
        "unbinned.", "binned", check=one_of("binned", "unbinned"))
    gain: float = key("Electrons per ADU; unset and without gain_card: 1, and results have the "
                      "flag gain_assumed.", _NAN, check=above(0))
    gain_card: str = key(
        "Card with the electrons per ADU of each frame; empty: none. The setting of a camera, such "
        "as 120, is not that.", "")
    read_noise: float = key("Read noise in electrons.", 0.0, check=at_least(0))
    read_noise_card: str = key("Card with the read noise in electrons; empty: none.", "")
    saturation: float = key("ADU from which a pixel is saturated.", 65535.0, check=above(0))
    saturation_card: str = key("Card with the ADU from which a pixel is saturated; empty: none.",
                               "")
    linear_to: float = key(
        "ADU up to which the detector is linear; unset: unknown. Stars above it get the flag "
        "nonlinear.", _NAN, check=above(0))
    masters: tuple[str, ...] = key(
        "Masters that a science frame needs, of bias, dark, flat; none: [].", ("bias", "flat"),
        check=("a list of bias, dark, flat",
               lambda value: set(value) <= {"bias", "dark", "flat"}))
    kind_card: str = key(
        "Card with the kind of the frame; empty: every frame is a science frame.", "")
    kinds: dict[str, str] = key(
        "Values of that card (* and ? stand for anything), and the kind of each: bias, dark, flat "
        "or science; none: the usual words, such as object, zero, flat.", {}, check=_KIND)
    kind_names: dict[str, str] = key(
        "Patterns (* and ?) of file names, and with a / at the end of folder names, and the kind "
        "of such a frame; they count before the card.", {}, check=_KIND)
    bias_exptime: float = key(
        "Seconds up to which a frame is a bias where neither its card nor its name tells the kind; "
        "below 0: none is.", -1.0)
    band: str = key(
        "Band of every frame of a camera that names no filter, such as C for none; empty: from the "
        "keys below.", "")
    band_card: str = key(
        "Card with the filter. Of several wheels all cards, with commas between: the first that "
        "does not say open, clear or the like counts.", "FILTER")
    bands: dict[str, str] = key(
        "Values of that card (* and ? stand for anything), and the catalogue's name of each band; "
        "a filter that is not listed keeps its name.", {})
    band_names: dict[str, str] = key(
        "Patterns (* and ?) of file names, and with a / at the end of folder names, and the band "
        "of such a frame; they count before the card.", {})
    exptime_card: str = key("Card with the exposure time.", "EXPTIME")
    exptime_unit: str = key("Unit of that time.", "s", check=one_of(*TIME_UNITS))
    time_card: str = key(
        "Card with the time, as ISO text or as a number, JD or MJD; or with the date alone, where "
        "clock_card has the time of day.", "DATE-OBS")
    clock_card: str = key(
        "Card with the time of day, where it is apart from the date, such as UT or TIME-OBS; a "
        "number is in hours, or in seconds of TM-START and UT_START; empty: none.", "")
    time_is: str = key("What that time is: start, middle or end of the exposure.", "start",
                       check=one_of("start", "middle", "end"))
    time_zone: str = key(
        "Zone of a time that names none: UTC, an offset such as +02:00, or a zone such as "
        "Europe/Madrid.", "UTC")
    date_order: str = key(
        "Order of a date such as 03/04/18: dmy (day, month, year), mdy or ymd. A year of four "
        "digits in front is always followed by month and day.", "dmy",
        check=one_of("dmy", "mdy", "ymd"))
    ra_card: str = key(
        "Card with the right ascension of the pointing; empty: none. Of a header that lacks RA "
        "OBJCTRA and OBJCTDEC are read.", "RA")
    dec_card: str = key("Card with the declination of the pointing; empty: none.", "DEC")
    ra_unit: str = key(
        "Unit of a number in the right ascension card, deg or hour. Sexagesimal text is in hours, "
        "or in degrees where it begins with 24 or more.", "deg", check=one_of("deg", "hour"))
    object_card: str = key("Card with the name of the object.", "OBJECT")
    binning_card: str = key(
        "Card with the binning, as a number or as text such as 2x2; empty: always 1.", "")
    binning_y_card: str = key("Card with the binning in y, where it has one of its own.", "")
    window_card: str = key(
        "Card with the place of the frame's first pixel on the detector, as a region such as "
        "[513:1312,1:800] or as x alone, in binned pixels that count from 0; empty: the whole "
        "detector is read out.", "XORGSUBF")
    window_y_card: str = key("Card with y of that place, where the other one has x.", "YORGSUBF")
    flipped: dict[str, str] = key(
        "Cards and the values, as in identify, of frames whose rows run from the top down, so that "
        "all are turned the same way.", {})
    trim: str = key("Region of the pixels that see light, such as [17:528,1:520]; empty: all.", "")
    trim_card: str = key("Card with that region; empty: none.", "")
    overscan: str = key(
        "Region of the overscan, whose level is subtracted; empty: none.", "")
    overscan_card: str = key("Card with that region; empty: none.", "")
    bayer: str = key(
        "What is done with a frame whose pixels lie behind a mosaic of colour filters, as a card "
        "such as BAYERPAT tells: refuse it, take the pixels of one colour, whose image is half as "
        "wide and as high and in the band that band or bands name, or ignore the mosaic.", "refuse",
        check=one_of("refuse", "red", "green", "blue", "ignore"))
    analyser: str = key(
        "What measures polarisation: polariser (one image of every star), half-wave plate (two), "
        "or fixed analysers (two, behind one prism after the other); empty: nothing does.", "",
        check=or_nothing(one_of("polariser", "half-wave plate", "fixed analysers")))
    angle_card: str = key(
        "Card with the position of the polariser or the plate in degrees, or that names the fixed "
        "analyser. A frame in which it is missing, empty or not listed is photometry.", "")
    angles: dict[str, str] = key(
        "Values of that card (* and ? stand for anything), and the degrees of each; none: it is a "
        "number. Of a fixed analyser the angle along which the ordinary image is polarised.", {},
        check=("a number for each value", lambda value: all(
            len(numbers_of(said)) == 1 for said in value.values())))
    turns_with_camera: bool = key(
        "Whether the polariser, plate or prism is mounted with the camera, so that the zero angle "
        "follows where the camera stands on the sky: by sky_angle in its [[polarimeter]] section.",
        False)
    positions: tuple[float, ...] = key(
        "Degrees of all positions of a group; none: those of angles, else -45, 0, 45, 90 of a "
        "polariser and 0, 22.5, 45, 67.5 of a plate.", ())
    two_images: dict[str, str] = key(
        "Cards and the values, as in identify, of frames with two images of every star behind a "
        "plate's prism; none: all frames with a position of the plate.", {})
    pair_offset: tuple[float, ...] = key(
        "Ordinary minus extraordinary image of a star, x and y, in pixels at binning 1. Without "
        "an analyser every science frame has two images, whose light is added up.", (),
        check=("two numbers, or nothing", lambda value: len(value) in (0, 2)))
    pair_offsets: dict[str, str] = key(
        "The same for each fixed analyser: the values of angles, and [x, y] of each.", {},
        check=("[x, y] for each value", lambda value: all(
            len(numbers_of(said)) == 2 for said in value.values())))
    pair_tolerance: tuple[float, ...] = key(
        "Maximum deviation of a pair from that offset, x and y, in pixels at binning 1.",
        (4.0, 4.0), check=("two numbers above 0", lambda value: len(value) == 2 and all(
            number > 0 for number in value)))
    beam_ratios: dict[str, str] = key(
        "Of fixed analysers: the values of angles, and [ratio, error] of the difference of the two "
        "beams' transmissions to their sum; none: the other stars of the frame show it.", {},
        check=("[ratio, error] for each value", lambda value: all(
            len(pair := numbers_of(said)) == 2 and abs(pair[0]) < 1 and pair[1] >= 0
            for said in value.values())))
    latitude: float = key("Latitude of the telescope in degrees, north positive.", _NAN,
                          check=between(-90, 90))
    longitude: float = key("Longitude of the telescope in degrees, east positive.", _NAN,
                           check=between(-180, 360))
    height: float = key("Height of the telescope above sea level in metres.", 0.0,
                        check=between(*HEIGHTS_M))
    diameter: float = key("Diameter of the telescope's mirror or lens in metres: stars twinkle the "
                          "more the smaller it is.", 0.5, check=between(0.01, 40))
    since: str = key("First night of the camera. The time of a frame before it cannot be right.",
                     "1980-01-01", check=DATE)

    def __post_init__(self) -> None:
        """A card of the table counts as if its key named it."""
        for name, card in self.cards.items():
            object.__setattr__(self, f"{name}_card", card)


def wants_unknown_masters(camera: Camera) -> bool:
    """Whether it needs masters, and nothing tells their frames from others."""
    return bool(camera.masters) and not (
        camera.kind_card or camera.kind_names or camera.bias_exptime >= 0)


def contradictions(camera: Camera) -> list[tuple[str, str]]:
    """(key, what was expected) for keys that do not go together."""
    wrong = []
    scales = math.isfinite(camera.pixel_scale) + bool(camera.pixel_scale_card)
    size = math.isfinite(camera.pixel_size) or bool(camera.pixel_size_card)
    focus = math.isfinite(camera.focal_length) or bool(camera.focal_length_card)
    if not scales and not (size and focus):
        wrong.append(("pixel_scale", "a number, or one of the keys pixel_scale_card, or pixel_size "
                      "with focal_length (or the cards with them)"))
    if math.isfinite(camera.pixel_scale) and (camera.pixel_scale_card or size or focus):
        wrong.append(("pixel_scale", "the scale in one way only: pixel_scale, pixel_scale_card, or "
                      "pixel_size with focal_length"))
    for name, needs in (("binning_y_card", "binning_card"), ("kinds", "kind_card"),
                        ("clock_card", "time_card")):
        if getattr(camera, name) and not getattr(camera, needs):
            wrong.append((name, f"the key {needs} with it"))
    if camera.band and (camera.bands or camera.band_names):
        wrong.append(("band", "either band, the same for all frames, or bands and band_names"))
    if camera.band.upper().startswith(("FILTER", "INSTRUME")):
        wrong.append(("band", "a band, such as R; a card is band_card"))
    wrong.extend((name, f"either {name} or {name}_card") for name in ("trim", "overscan")
                 if getattr(camera, name) and getattr(camera, f"{name}_card"))
    if math.isfinite(camera.latitude) != math.isfinite(camera.longitude):
        there, other = ("latitude", "longitude") if math.isfinite(camera.latitude) else (
            "longitude", "latitude")
        wrong.append((there, f"the key {other} with it"))
    wrong.extend(_polarimetry(camera))
    if bool(camera.ra_card) != bool(camera.dec_card):
        wrong.append(("ra_card", "both ra_card and dec_card, or neither"))
    return wrong


def _polarimetry(camera: Camera) -> list[tuple[str, str]]:
    """The same of the keys for polarimetry."""
    wrong = []
    fixed, plate = camera.analyser == "fixed analysers", camera.analyser == "half-wave plate"
    if camera.analyser and not camera.angle_card:
        wrong.append(("analyser", "the key angle_card with it"))
    wrong.extend((name, "the key analyser with it") for name in (
        "angle_card", "angles", "positions", "two_images", "turns_with_camera")
        if getattr(camera, name) and not camera.analyser)
    fewest = 2 if fixed else 3
    turn = 180.0 if camera.analyser == "polariser" else 90.0  # what shows the same, or minus that
    wrong.extend((name, f"{fewest} different positions or more, which q and u need; those {turn:g} "
                  "degrees apart show the same")
                 for name, degrees in (("positions", camera.positions), ("angles", tuple(
                     numbers_of(said)[0] for said in camera.angles.values())))
                 if camera.analyser and degrees
                 and len({round(angle % turn, 2) for angle in degrees}) < fewest)
    if plate and not camera.pair_offset:
        wrong.append(("analyser", "the key pair_offset with it: behind the plate stands a prism "
                      "that makes two images of every star"))
    if camera.analyser == "polariser" and (camera.pair_offset or camera.two_images):
        wrong.append(("pair_offset" if camera.pair_offset else "two_images",
                      "no such key: a polariser makes one image of every star"))
    wrong.extend((name, "no such key without analyser = \"fixed analysers\"")
                 for name in ("pair_offsets", "beam_ratios")
                 if getattr(camera, name) and not fixed)
    if camera.two_images and fixed:
        wrong.append(("two_images", "no such key: behind a fixed analyser all frames have two "
                      "images"))
    if fixed and (not camera.angles or (camera.pair_offsets or camera.angles).keys()
                  != camera.angles.keys() or bool(camera.pair_offsets) == bool(camera.pair_offset)):
        wrong.append(("analyser", "the key angles with it, and pair_offsets with the same values, "
                      "or one pair_offset for all"))
    if not set(camera.beam_ratios) <= set(camera.angles):
        wrong.append(("beam_ratios", f"values of angles: {', '.join(camera.angles)}"))
    return wrong
