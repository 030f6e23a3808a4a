"""Polarimetry of a camera that is described: its analyser, its two images, and each frame's angle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iop4d.config.camera import Camera, numbers_of
from iop4d.instruments import base
from iop4d.instruments.base import Header
from iop4d.model.errors import CardError
from iop4d.model.frame import FrameKind
from iop4d.model.polarimeter import Analyser, Beams, InstrumentalPolarisation, Polarimeter
from iop4d.model.units import UNKNOWN_ANGLE_ERR

_POSITIONS = {Analyser.POLARISER: (-45.0, 0.0, 45.0, 90.0),
              Analyser.HALF_WAVE_PLATE: (0.0, 22.5, 45.0, 67.5)}
_PERIOD = {Analyser.POLARISER: 180.0, Analyser.HALF_WAVE_PLATE: 90.0}
_SAME_ANGLE = 1.0  # degrees
_SOURCE = "the site file"

#: Of an instrument whose standards were not measured: 1 % as real telescopes have, any zero angle.
UNMEASURED = InstrumentalPolarisation(
    q0=0.0, q0_err=0.01, u0=0.0, u0_err=0.01, angle_deg=0.0, angle_err_deg=UNKNOWN_ANGLE_ERR,
    source="not measured: set q0, u0 and zero_angle in a [[polarimeter]] section")


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a frame was taken through: its angle (None: photometry), the images of a star, and the
    fixed analyser's name."""

    angle_deg: float | None = None
    beams: int = 1
    element: str = ""

    @property
    def mode(self) -> str:
        """What the frame is for."""
        return "photometry" if self.angle_deg is None else "polarimetry"


def polarimeter_of(camera: Camera) -> Polarimeter | None:
    """The polarimeter of a section, its constants not measured; None where there is none."""
    if not camera.analyser:
        return None
    analyser = Analyser(camera.analyser)
    positions = positions_of(camera)
    return Polarimeter(
        analyser=analyser, angles_deg=positions,
        fewest=2 if analyser is Analyser.FIXED else max(3, len(positions) // 2),
        constants=(UNMEASURED,), turns_with_camera=camera.turns_with_camera)


def positions_of(camera: Camera) -> tuple[float, ...]:
    """The positions of a whole group, in degrees."""
    listed = dict.fromkeys(numbers_of(said)[0] for said in camera.angles.values())
    return camera.positions or tuple(listed) or _POSITIONS[Analyser(camera.analyser)]


def beams_of(camera: Camera) -> tuple[Beams | None, dict[str, Beams]]:
    """The two images of every star, and those behind each fixed analyser by its name."""
    tolerance = (camera.pair_tolerance[0], camera.pair_tolerance[1])
    one = Beams(offset_px=(camera.pair_offset[0], camera.pair_offset[1]), tolerance_px=tolerance,
                source=_SOURCE) if camera.pair_offset else None
    if camera.analyser != Analyser.FIXED:
        return one, {}
    several = {}
    for value in camera.angles:
        x, y = numbers_of(camera.pair_offsets[value]) if camera.pair_offsets \
            else camera.pair_offset
        ratio = numbers_of(camera.beam_ratios.get(value, "")) or [0.0, float("nan")]
        several[element_of(value)] = Beams(
            offset_px=(x, y), tolerance_px=tolerance, source=_SOURCE, ratio=ratio[0],
            ratio_err=ratio[1])
    return one, several


def element_of(value: str) -> str:
    """The name of a fixed analyser: the value of its card without what stands for anything."""
    return re.sub(r"[*?@+]+", "", value).strip(" -_") or value


def analysis_of(header: Header, camera: Camera, kind: FrameKind) -> Analysis:
    """What a frame was taken through; raises CardError for a position that is none."""
    if kind not in (FrameKind.SCIENCE, FrameKind.FLAT):
        return Analysis()
    if camera.analyser == Analyser.FIXED:
        return _fixed(header, camera, kind)
    if kind is FrameKind.FLAT:
        return Analysis()
    if not camera.analyser:
        return Analysis(beams=2 if camera.pair_offset else 1)
    if not all(base.matches(header.get(card), wanted, any_case=True)
               for card, wanted in camera.two_images.items()):
        return Analysis()
    angle = _angle(header, camera)
    double = camera.analyser == Analyser.HALF_WAVE_PLATE and (
        angle is not None or bool(camera.two_images))
    return Analysis(angle_deg=angle, beams=2 if double else 1)


def _listed(header: Header, camera: Camera) -> str | None:
    """The value of angles that the card has; None if none."""
    said = base.card(header, camera.angle_card)
    return next((value for value in camera.angles
                 if base.matches(said, value, any_case=True)), None)


def _fixed(header: Header, camera: Camera, kind: FrameKind) -> Analysis:
    """Behind a fixed analyser every star has two images, and a flat is that of the analyser."""
    value = _listed(header, camera)
    if value is None:
        return Analysis()
    if kind is FrameKind.FLAT:
        return Analysis(element=element_of(value))
    return Analysis(angle_deg=numbers_of(camera.angles[value])[0], beams=2,
                    element=element_of(value))


def _angle(header: Header, camera: Camera) -> float | None:
    """The position of the polariser or plate, as listed; None where no card shows it."""
    name, value = camera.angle_card, _listed(header, camera)
    if value is not None:
        said_deg = numbers_of(camera.angles[value])[0]
    elif camera.angles or not base.card(header, name):
        return None
    else:
        said = base.text(header, name)
        said_deg = base.number({name: re.sub(r"\s*deg(rees)?\.?$", "", said, flags=re.IGNORECASE)},
                           name)
    positions = positions_of(camera)
    for period in (360.0, _PERIOD[Analyser(camera.analyser)]):
        for position in positions:
            if abs((said_deg - position + period / 2.0) % period - period / 2.0) < _SAME_ANGLE:
                return position
    raise CardError(name, f"is {said_deg:g} deg, expected one of "
                          f"{', '.join(f'{position:g}' for position in positions)}")
