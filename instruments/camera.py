"""Plain cameras described by a ``[[camera]]`` section of the site file."""

from __future__ import annotations

import math

from iop4d.config.camera import TIME_UNITS, Camera
from iop4d.instruments import base, camera_polarimetry, moments
from iop4d.instruments.base import Header
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.errors import CardError, ConfigError
from iop4d.model.frame import Detector, FrameFacts, FrameKind, Region

_START_FRACTION = {"start": 0.0, "middle": 0.5, "end": 1.0}
_LONGEST = 86400.0  # s, of an exposure


def instrument_of(camera: Camera) -> base.Instrument:
    """The instrument that a section describes."""
    telescope = Telescope(name=camera.telescope, latitude_deg=camera.latitude,
                          longitude_deg=camera.longitude, height_m=camera.height,
                          diameter_m=camera.diameter, since=camera.since)
    try:
        moments.zone_of(camera.time_zone)
    except ValueError as error:
        raise ConfigError(f"[[camera]] name = '{camera.name}': time_zone: {error}") from None

    def recognises(header: Header) -> bool:
        return all(base.matches(header.get(card), value)
                   for card, value in camera.identify.items())

    def read(header: Header, path: str) -> FrameFacts:
        return _read(header, path, camera, telescope)

    beams, analysers = camera_polarimetry.beams_of(camera)
    return base.Instrument(
        name=camera.name,
        telescope=telescope,
        scale_arcsec=_scale(camera.pixel_scale, camera.pixel_size, camera.focal_length),
        gain_e_adu=camera.gain if math.isfinite(camera.gain) else 1.0,
        gain_known=math.isfinite(camera.gain),
        read_noise_e=camera.read_noise,
        saturation_adu=camera.saturation,
        linear_to_adu=camera.linear_to,
        masters=tuple(FrameKind(kind) for kind in camera.masters),
        recognises=recognises,
        read=read,
        sources={"all": "the site file"},
        reads_folder=True,
        polarimeter=camera_polarimetry.polarimeter_of(camera),
        beams=beams,
        analysers=analysers,
        identity=camera.identify,
        bayer=camera.bayer,
        rows_turned=bool(camera.flipped),
        start_cards=_start_cards(camera),
    )


def _start_cards(camera: Camera) -> tuple[str, ...]:
    """The cards that are compared with the time that is used.

    None where the section names another card than the usual one: then it knows that the others are
    in local time, or wrong.
    """
    usual, *others = base.START_CARDS
    return tuple(others) if camera.time_card == usual else ()


def _scale(arcsec: float, size_um: float, focal_mm: float) -> float:
    """Arcseconds per pixel, given, or of a pixel's size at a focal length; NaN: unknown."""
    if math.isfinite(arcsec):
        return arcsec
    return math.degrees(math.atan(size_um / 1000.0 / focal_mm)) * 3600.0


def _read(header: Header, path: str, camera: Camera, telescope: Telescope) -> FrameFacts:
    exptime = _exposure(header, camera)
    kind = _kind(header, path, camera, exptime)
    if exptime is None and kind is not FrameKind.BIAS:
        raise CardError(camera.exptime_card, "is missing")
    if kind is FrameKind.SCIENCE:
        base.refuse_focus(header, path.rpartition("/")[2])
    start = _moment(header, camera) - _START_FRACTION[camera.time_is] * (exptime or 0.0) / 86400.0
    binning = _binning(header, camera)
    detector = _detector(header, camera, binning)
    through = camera_polarimetry.analysis_of(header, camera, kind)
    ny, nx = base.shape(header)
    if detector.trim is not None:
        x0, x1, y0, y1 = detector.trim
        ny, nx = y1 - y0, x1 - x0
    return FrameFacts(
        telescope=telescope.name,
        instrument=camera.name,
        kind=kind,
        night=night_of(start, telescope),
        jd_start=start,
        exptime_s=exptime or 0.0,
        shape=(ny, nx),
        binning=binning,
        band=_band(header, path, camera, kind),
        object=base.card(header, camera.object_card),
        pointing_deg=_pointing(header, camera),
        origin=base.window(header, camera.window_card, camera.window_y_card)
        if camera.window_card else (0, 0),
        flipped=bool(camera.flipped) and all(
            base.matches(header.get(card), value, any_case=True)
            for card, value in camera.flipped.items()),
        detector=detector,
        mode=through.mode,
        polariser_deg=through.angle_deg,
        beams=through.beams,
        beam_element=through.element,
    )


def _binning(header: Header, camera: Camera) -> int:
    """By the section's cards, which must be there: frames of another binning have another scale."""
    if not camera.binning_card:
        return 1
    said = base.card(header, camera.binning_card)
    if not said:
        raise CardError(camera.binning_card, "is missing; binning_card of the site file names it")
    y = camera.binning_y_card
    if y and said.isdigit() and not base.card(header, y):  # other texts hold both
        raise CardError(y, "is missing; binning_y_card of the site file names it")
    return base.square_binning(header, camera.binning_card,
                               camera.binning_y_card or camera.binning_card)


def _pointing(header: Header, camera: Camera) -> tuple[float, float] | None:
    """By the section's cards; where it has the usual ones and the header none, by OBJCTRA."""
    ra, dec = camera.ra_card, camera.dec_card
    if (ra, dec) == ("RA", "DEC") and not base.card(header, "RA"):
        ra, dec = "OBJCTRA", "OBJCTDEC"
    return base.pointing(header, ra, dec, ra_unit=camera.ra_unit) if ra else None


def _exposure(header: Header, camera: Camera) -> float | None:
    """Seconds; None where the card is missing or empty."""
    name = camera.exptime_card
    if not base.card(header, name):
        return None
    seconds = base.number(header, name) * TIME_UNITS[camera.exptime_unit]
    if not 0 <= seconds <= _LONGEST:
        raise CardError(name, f"is {seconds:g} s, which no exposure takes")
    return seconds


def _moment(header: Header, camera: Camera) -> float:
    """JD(UTC) of the moment that the cards tell."""
    name = camera.time_card
    jd = base.julian_date(header, name, clock=camera.clock_card, order=camera.date_order,
                          zone=moments.zone_of(camera.time_zone))
    said_by = f"{name} {camera.clock_card}"
    if "UT" not in said_by and not moments.names_zone(base.card(header, name)):
        jd -= moments.ahead_of_utc(base.card(header, "TIMESYS"), jd) / 86400.0
    try:
        said = base.number(header, name)
    except CardError:
        return jd
    if not camera.clock_card and said < 100000.0 and said == int(said):
        raise CardError(name, f"is {base.card(header, name)!r}, a date without a time of day; "
                              "clock_card names the card that has it")
    return jd


def _kind(header: Header, path: str, camera: Camera, exptime: float | None) -> FrameKind:
    """By the file's name, else by the card, else by the exposure time."""
    named = base.value_of_name(camera.kind_names, path)
    if named is not None:
        return FrameKind(named)
    other = FrameKind.BIAS if exptime is not None and exptime <= camera.bias_exptime \
        else FrameKind.SCIENCE
    name = camera.kind_card
    otherwise = bool(camera.kind_names) or camera.bias_exptime >= 0
    if not name or (otherwise and not base.card(header, name)):
        return other
    said = base.text(header, name)
    words = camera.kinds or base.KIND_WORDS
    kind = base.value_of(words, said)
    if kind is None:
        raise CardError(name, f"is {said!r}, expected one of {', '.join(words)}; the key kinds "
                              "says what others mean")
    return FrameKind(kind)


def _band(header: Header, path: str, camera: Camera, kind: FrameKind) -> str | None:
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None
    if camera.band:
        return camera.band
    named = base.value_of_name(camera.band_names, path)
    if named is not None:
        return named
    said = base.first_filter(header, [name.strip() for name in camera.band_card.split(",")])
    if not said:
        raise CardError(camera.band_card, "is missing or empty; the key band of the [[camera]] "
                        f"section '{camera.name}' says in which band a camera without filters is "
                        "calibrated, and band_names tells it by the file's name")
    found = base.value_of(camera.bands, said)
    return said if found is None else found


def _detector(header: Header, camera: Camera, binning: int) -> Detector:
    """What the header says of the detector, by the cards that the section names."""
    def said(name: str) -> float | None:
        if not name or not base.card(header, name):
            return None
        value = base.number(header, name)
        if value == 0 and name == camera.read_noise_card:
            return None  # no camera is without: programs write 0 where they do not know it
        if not value > 0:
            raise CardError(name, f"is {value:g}, expected a number above 0")
        return value

    return Detector(
        gain_e_adu=said(camera.gain_card), read_noise_e=said(camera.read_noise_card),
        saturation_adu=said(camera.saturation_card),
        pixel_arcsec=_pixel(camera, binning, said(camera.pixel_scale_card),
                            said(camera.pixel_size_card), said(camera.focal_length_card)),
        trim=_region(header, camera.trim, camera.trim_card),
        overscan=_region(header, camera.overscan, camera.overscan_card))


def _pixel(camera: Camera, binning: int, arcsec: float | None, size_um: float | None,
           focal_mm: float | None) -> float | None:
    """Arcseconds per pixel as read out, of the cards; None where only the section has figures.

    A size or focal length that the card lacks is the section's.
    """
    if not (camera.pixel_scale_card or camera.pixel_size_card or camera.focal_length_card):
        return None
    factor = binning if camera.scale_is == "unbinned" else 1
    if arcsec is not None:
        return arcsec * factor
    if size_um is None:
        size_um, factor = camera.pixel_size, binning  # the section's is that of one pixel
    scale = _scale(camera.pixel_scale, size_um, focal_mm or camera.focal_length) * factor
    if not math.isfinite(scale):
        names = (camera.pixel_scale_card, camera.pixel_size_card, camera.focal_length_card)
        raise CardError(next(name for name in names if name), "is missing, and the pixel scale "
                                                              "with it")
    return scale


def _region(header: Header, said: str, card: str) -> Region | None:
    if said or (card and base.card(header, card)):
        return base.region(header, card or "trim", said)
    return None
