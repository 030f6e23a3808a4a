"""What a raw frame is: its kind, and the facts in its header."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path


class FrameKind(StrEnum):
    """What was exposed."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"
    SCIENCE = "science"
    PATTERN = "pattern"  # of masters alone: what science frames show of a detector without others


@dataclass(frozen=True, kw_only=True)
class CompleteFile:
    """A file that an archive found complete. ``announced``: by an event, not by a scan.

    ``completed_at``: when it was first seen as it is now (Unix seconds).
    """

    path: Path
    size: int
    mtime_ns: int
    completed_at: float
    announced: bool


class AstrometryFrom(StrEnum):
    """What the astrometric solution of a frame is from: the rungs of ``reduction.field``."""

    INDEX = "index"  # the index files
    FRAME = "frame"  # another frame of the field
    CATALOGUE = "catalogue"  # the pattern of the target and its calibrators
    QUADS = "quads"  # of a sub-frame: a solved frame of the whole field
    PAIR = "pair"  # of a sub-frame: the place of its target

    @property
    def uses_reference(self) -> bool:
        """Whether the reference that the frame was given has its part in the solution."""
        return self not in (AstrometryFrom.INDEX, AstrometryFrom.CATALOGUE)

    @property
    def is_second_choice(self) -> bool:
        """Whether a solved frame of the same field may give a better one."""
        return self in (AstrometryFrom.FRAME, AstrometryFrom.CATALOGUE)


#: (x0, x1, y0, y1) of stored pixels that count from 0; x1 and y1 are not part of it.
Region = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Detector:
    """What a frame's header says of its detector, in place of the instrument's; None: nothing.

    ``gain_e_adu``: electrons per ADU; ``read_noise_e``: electrons; ``saturation_adu``: raw level;
    ``pixel_arcsec``: as read out; ``trim``: the pixels that see light; ``overscan``: those whose
    level is subtracted; ``settings``: gain, offset and read-out mode, such as
    ``GAIN=120,OFFSET=10``: frames of other settings have other masters. ``calibrated``: the masters
    that were applied before the frame came; ``mosaic``: of the pixels behind colour filters, those
    that are taken, such as ``G:RGGB``; ``placed``: whether it is known where on the detector the
    frame begins; ``celsius``: its temperature.
    """

    gain_e_adu: float | None = None
    read_noise_e: float | None = None
    saturation_adu: float | None = None
    pixel_arcsec: float | None = None
    trim: Region | None = None
    overscan: Region | None = None
    settings: str = ""
    calibrated: tuple[FrameKind, ...] = ()
    mosaic: str = ""
    placed: bool = False
    celsius: float | None = None


@dataclass(frozen=True, kw_only=True)
class FrameFacts:
    """A frame as its header describes it.

    ``jd_start`` is JD(UTC) of the start of the exposure; ``night`` the ISO date of the evening of
    the local noon-to-noon night; ``shape`` is (ny, nx) in pixels, without overscan;
    ``pointing_deg`` ICRS (RA, Dec) in degrees, or None; ``band`` None where the kind has none
    (bias, dark). ``beam_element``: name of what stands in the beam besides the filter, a prism or
    an analyser, where each has flats of its own; ``polariser_deg``: position of the
    polariser or the half-wave plate, or angle of the fixed analyser.
    """

    telescope: str
    instrument: str
    kind: FrameKind
    night: str
    jd_start: float
    exptime_s: float
    shape: tuple[int, int]
    binning: int = 1
    band: str | None = None
    object: str = ""
    pointing_deg: tuple[float, float] | None = None
    mode: str = "photometry"
    polariser_deg: float | None = None
    beams: int = 1
    origin: tuple[int, int] = (0, 0)
    subframe: bool = False
    flipped: bool = False
    beam_element: str = ""
    detector: Detector = Detector()

    @property
    def jd_mid(self) -> float:
        """JD(UTC) of the middle of the exposure."""
        return self.jd_start + self.exptime_s / 2 / 86400


#: Degrees to which the temperature of darks is rounded: a dark current doubles in about six.
WARMTH_STEP = 5.0
#: Degrees by which the darks of a layout may lie beyond its rounding: those on either side of an
#: edge are part of both, in whichever order they came.
_BEYOND_EDGE = 1.0
_WARMTH = "T"
_ALIKE = 0.8  # of the pairs that differ upwards in either fingerprint: of other noise 1/3 would


#: Seconds within which the times of headers may be rounded.
ROUNDED_S = 2.0


def is_same_exposure(one: str, other: str) -> bool:
    """Whether two of ``fits.fingerprint`` are of one exposure, some noise added."""
    if not one or len(one) != len(other):
        return False
    a, b = int(one, 16), int(other, 16)
    return (a & b).bit_count() >= _ALIKE * (a | b).bit_count()


def layout_of(facts: FrameFacts) -> str:
    """Binning, shape, place and settings as text: only frames of one layout are ever combined.

    Of a dark with its temperature, to ``WARMTH_STEP``, among the settings: ``T=-20``.

    ``2x 1024x1024``, with an origin ``2x 1120x896+1400+1100``, with settings
    ``1x 1024x1024 GAIN=120``; of a flat field with what stands in the beam, if anything does:
    ``1x 1024x1024@P1``.
    """
    (ny, nx), (x, y) = facts.shape, facts.origin
    settings = facts.detector.settings
    if facts.kind is FrameKind.DARK and facts.detector.celsius is not None:
        step = WARMTH_STEP * round(facts.detector.celsius / WARMTH_STEP)
        settings = ",".join(filter(None, (settings, f"{_WARMTH}={step:.0f}")))
    behind = f"@{facts.beam_element}" if facts.kind is FrameKind.FLAT and facts.beam_element else ""
    return (f"{facts.binning}x {nx}x{ny}" + (f"+{x}+{y}" if (x, y) != (0, 0) else "")
            + (f" {settings}" if settings else "") + behind)


def is_part_of(layout: str, facts: FrameFacts) -> bool:
    """Whether a calibration frame is combined with those of a layout.

    Darks near the edge of their layout's temperatures are part of the next one, too.
    """
    return layout in (layout_of(facts), *(layout_of(near) for near in near_darks(facts)))


def near_darks(facts: FrameFacts) -> list[FrameFacts]:
    """A dark as if its temperature were that of the layouts beside its own of which it is part."""
    celsius = facts.detector.celsius
    if facts.kind is not FrameKind.DARK or celsius is None:
        return []
    own = WARMTH_STEP * round(celsius / WARMTH_STEP)
    return [replace(facts, detector=replace(facts.detector, celsius=other))
            for other in (own - WARMTH_STEP, own + WARMTH_STEP)
            if abs(celsius - other) <= WARMTH_STEP / 2.0 + _BEYOND_EDGE]


def beam_element_of(layout: str) -> str:
    """What stood in the beam, of a layout as ``layout_of`` writes it; empty if nothing did."""
    return layout.partition("@")[2]


def region_of(layout: str) -> tuple[int, int, int, int, int]:
    """(binning, x, y, nx, ny) of a layout as ``layout_of`` writes it."""
    binning, _, rest = layout.partition("x ")
    size, *origin = rest.partition("@")[0].partition(" ")[0].split("+")
    nx, ny = map(int, size.split("x"))
    x, y = map(int, origin) if origin else (0, 0)
    return int(binning), x, y, nx, ny


def is_same_time(one_s: float, other_s: float) -> bool:
    """Whether two exposure times are the same but for what a shutter or a header rounds."""
    return abs(one_s - other_s) <= 0.02 + 0.01 * max(one_s, other_s)


def celsius_of(layout: str) -> float | None:
    """The temperature of a dark's layout, degrees Celsius; None where it has none."""
    said = settings_of(layout).get(_WARMTH)
    return None if said is None else float(said)


def warmer_by(celsius: float | None, dark: float | None) -> float:
    """By how many degrees a frame is clearly warmer than a dark, negative if colder; 0 if neither.
    """
    if celsius is None or dark is None or abs(celsius - dark) <= WARMTH_STEP:
        return 0.0
    return celsius - dark


def settings_of(layout: str) -> dict[str, str]:
    """The settings of a layout, by their cards."""
    said = layout.partition("@")[0].partition("x ")[2].partition(" ")[2]
    return dict(pair.partition("=")[::2] for pair in said.split(",") if pair)


def covers(layout: str, facts: FrameFacts) -> bool:
    """Whether a frame's pixels are all within a layout of the same binning and settings.

    A setting that either does not tell is no difference. A frame of another size must be known to
    begin somewhere on the detector.
    """
    wanted = settings_of(layout_of(facts))
    if any(wanted.get(name, value) != value for name, value in settings_of(layout).items()):
        return False
    binning, x, y, nx, ny = region_of(layout)
    (height, width), (left, bottom) = facts.shape, facts.origin
    if (nx, ny) != (width, height) and not facts.detector.placed and (left, bottom) == (0, 0):
        return False
    return (binning == facts.binning and x <= left and y <= bottom
            and left + width <= x + nx and bottom + height <= y + ny)
