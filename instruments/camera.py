"""Plain cameras described by a ``[[camera]]`` section of the site file."""

from __future__ import annotations

from iop4d.config import Camera
from iop4d.instruments import base
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.errors import CardError
from iop4d.model.frame import FrameFacts, FrameKind

#: What the kind card says where the section does not tell.
_WORDS = {**{kind.value: kind.value for kind in FrameKind}, "light": FrameKind.SCIENCE.value}
_START_FRACTION = {"start": 0.0, "middle": 0.5, "end": 1.0}


def instrument_of(camera: Camera) -> base.Instrument:
    """The instrument that a section describes."""
    telescope = Telescope(name=camera.telescope, latitude_deg=camera.latitude,
                          longitude_deg=camera.longitude, height_m=camera.height)

    def recognises(header: base.Header) -> bool:
        return all(str(header.get(card, "")).strip() == value.strip()
                   for card, value in camera.identify.items())

    def read(header: base.Header, _name: str) -> FrameFacts:
        return _read(header, camera, telescope)

    return base.Instrument(
        name=camera.name,
        telescope=telescope,
        scale_arcsec=camera.pixel_scale,
        gain_e_adu=camera.gain,
        read_noise_e=camera.read_noise,
        saturation_adu=camera.saturation,
        masters=tuple(FrameKind(kind) for kind in camera.masters),
        recognises=recognises,
        read=read,
        sources={"all": "the site file"},
    )


def _read(header: base.Header, camera: Camera, telescope: Telescope) -> FrameFacts:
    kind = _kind(header, camera)
    exptime = 0.0 if kind is FrameKind.BIAS and camera.exptime_card not in header \
        else base.exposure(header, camera.exptime_card)
    start = base.julian_date(header, camera.time_card) \
        - _START_FRACTION[camera.time_is] * exptime / 86400.0
    card = camera.binning_card
    binning = base.square_binning(header, card, card) if card else 1
    return FrameFacts(
        telescope=telescope.name,
        instrument=camera.name,
        kind=kind,
        night=night_of(start, telescope),
        jd_start=start,
        exptime_s=exptime,
        shape=base.shape(header),
        binning=binning,
        band=_band(header, camera, kind),
        object=str(header.get(camera.object_card, "")).strip(),
        pointing_deg=base.pointing(header, camera.ra_card, camera.dec_card, ra_unit=camera.ra_unit)
        if camera.ra_card and camera.dec_card else None,
    )


def _kind(header: base.Header, camera: Camera) -> FrameKind:
    if not camera.kind_card:
        return FrameKind.SCIENCE
    said = base.text(header, camera.kind_card)
    words = camera.kinds or _WORDS
    for text, kind in words.items():
        if text.strip().lower() == said.lower():
            return FrameKind(kind)
    raise CardError(camera.kind_card, f"is {said!r}, expected one of {', '.join(words)}")


def _band(header: base.Header, camera: Camera, kind: FrameKind) -> str | None:
    if kind in (FrameKind.BIAS, FrameKind.DARK):
        return None
    said = base.text(header, camera.band_card)
    return camera.bands.get(said, said)
