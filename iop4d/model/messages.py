"""What is asked of a worker process, and what it answers: plain frozen values, both ways.

A worker never lets an exception out: it answers :class:`Done`, :class:`Rejected` (the input is at
fault, with the reason) or :class:`Failed` (a step failed, with its stage and trace). The pool adds
:class:`Crashed` and :class:`TimedOut` for a worker that died or hung.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from iop4d.model.frame import AstrometryFrom, FrameFacts, FrameKind
from iop4d.model.result import FieldStar, Measurement, ResultValue

#: Stage of a failure that passes by itself: the file was still being written.
CHANGED = "changed"
#: Stage of a failure that another frame of the same field may mend.
UNSOLVED = "solve"
#: Stage of a failure that passes when a frame of the whole field has been solved.
NO_REFERENCE = "reference"
#: Stage of a failure that passes when there is room on the disk again.
NO_SPACE = "no space"
#: Stage of a failure that may pass: a file may not be read, is locked, or its disk has trouble.
UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class MasterRef:
    """A master to calibrate with. ``provisional``: of another night than the frame.

    ``origin``: (x, y) of its first pixel on the detector, binned; a frame takes its cut of it.
    ``holds_bias``: of a dark from which no bias was subtracted: it serves its exposure time alone.
    ``celsius``: the detector's temperature when a dark was taken, None where that is not known.
    """

    id: int
    revision: int = 0
    kind: FrameKind
    path: Path
    provisional: bool = False
    exptime_s: float = 0.0
    origin: tuple[int, int] = (0, 0)
    holds_bias: bool = False
    celsius: float | None = None


@dataclass(frozen=True, kw_only=True)
class ClassifyRequest:
    """Check a file's structure and read what its header says."""

    path: Path


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A sound file: its header's facts and what identifies its contents.

    ``exposure``: what its pixels have in common with every copy of them, however it is packed or
    processed; empty for an image without noise. ``doubts``: why its time cannot be right, in words.
    """

    facts: FrameFacts
    sha256: str
    size: int
    exposure: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MasterRequest:
    """Combine frames of one kind and layout into a master written to ``output``."""

    kind: FrameKind
    facts: FrameFacts  # of one of the frames: instrument, layout, band
    inputs: tuple[Path, ...]
    masters: tuple[MasterRef, ...]
    output: Path


@dataclass(frozen=True, kw_only=True)
class MasterBuilt:
    """A master on disk. ``level`` and ``scatter``: median and robust sigma, ADU (flat: 1)."""

    sha256: str
    n_frames: int
    level: float
    scatter: float
    used: tuple[str, ...]  # names of the frames that entered
    left_out: tuple[str, ...] = ()  # "name: reason"


@dataclass(frozen=True, kw_only=True)
class StarList:
    """The stars of a solved frame, brightest first: 0-based pixels, fluxes in ADU; its WCS cards.

    ``frame``: its id; ``blended``: sources whose images hold another star's light there.
    """

    frame: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    flux: tuple[float, ...]
    wcs: dict[str, float | int | str]
    binning: int = 1
    blended: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReduceRequest:
    """Reduce one science frame; write the reduced frame and its preview, or None for neither.

    ``reference``: a solved frame of the whole detector, of the same target, for one that the index
    cannot solve, and of the same night for a sub-frame that holds too few stars.
    ``seen_at``: Unix time at which the file was there; ``doubts``: why its time cannot be right.
    """

    path: Path
    facts: FrameFacts
    masters: tuple[MasterRef, ...]
    reduced_path: Path | None
    preview_path: Path | None
    reference: StarList | None = None
    seen_at: float = float("nan")
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Solution:
    """How a field was found. ``steps``: the ways that failed before, each with its reason.

    ``attempts``: star lists that the way that succeeded has tried; ``log_odds``: natural logarithm
    of the odds that its match is no accident, NaN where it gives none. ``matched``: the brightest
    stars that the projection was fitted to: x, y, and where they were found less where it puts
    them, all in pixels.
    """

    steps: tuple[str, ...] = ()
    attempts: int = 0
    log_odds: float = float("nan")
    matched: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """A frame measured. ``wcs`` maps FITS keywords to values; lengths in pixels unless named.

    ``wcs_ordinary``: of the ordinary images, where every star has two; ``wcs`` is then of the
    extraordinary ones. ``target``: the source that the frame was taken for, empty if none is in it;
    ``field_stars``: stars that show the transparency; ``stars``: of a whole frame, on which
    sub-frames are matched: (x, y, flux), brightest first. ``astrometry_from``: the rung of
    ``reduction.field`` that found the field.
    """

    wcs: dict[str, float | int | str]
    n_detected: int
    n_matched: int
    wcs_rms_px: float
    fwhm_px: float
    fwhm_arcsec: float
    sky: float
    sky_sigma: float
    aperture_px: float
    annulus_px: tuple[float, float]
    airmass: float
    bjd_tdb: float
    measurements: tuple[Measurement, ...]
    results: tuple[ResultValue, ...]
    psf_beta: float = float("nan")  # Moffat's exponent
    frame_flags: int = 0  # of the frame as a whole; part of its results' flags
    warnings: tuple[str, ...] = ()
    wcs_ordinary: dict[str, float | int | str] = field(default_factory=dict)
    target: str = ""
    field_stars: tuple[FieldStar, ...] = ()
    stars: tuple[tuple[float, float, float], ...] = ()
    astrometry_from: AstrometryFrom = AstrometryFrom.INDEX
    solution: Solution = Solution()
    stages: dict[str, float] = field(default_factory=dict)  # stage to core-seconds


@dataclass(frozen=True, kw_only=True)
class MeasuredFrame:
    """A frame's stored measurements, with what its results need besides."""

    id: int
    facts: FrameFacts
    measurements: tuple[Measurement, ...]
    fwhm_arcsec: float
    airmass: float
    bjd_tdb: float
    flags: int = 0  # of the frame as a whole
    field_stars: tuple[FieldStar, ...] = ()
    aperture_arcsec: float = float("nan")  # radius
    psf_beta: float = float("nan")  # Moffat's exponent of its PSF
    sky_angle_deg: float = float("nan")  # position angle of its +y axis, east of north


@dataclass(frozen=True, kw_only=True)
class CalibrateRequest:
    """Calibrate a target on all frames of a night together, with the catalogue as it is now."""

    target: str
    frames: tuple[MeasuredFrame, ...]


@dataclass(frozen=True, kw_only=True)
class SeriesCalibrated:
    """The target's result on each frame, by the frame's id.

    ``stack``: of the frames ``stacked`` (ids) together, where it is too faint on each.
    """

    results: tuple[tuple[int, ResultValue], ...]
    stack: ResultValue | None = None
    stacked: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PolarimetryRequest:
    """Compute the polarisation of every target on the frames of a group."""

    frames: tuple[MeasuredFrame, ...]


@dataclass(frozen=True, kw_only=True)
class Polarised:
    """The targets' results; ``refused``: (source, reason) of those without one."""

    results: tuple[ResultValue, ...]
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """Compute a result of ``source`` with other settings, beside how it is stored; keep nothing.

    ``stored``: its frames as they are measured; ``frames``: how to reduce each of them again, none
    where the settings need no pixels. ``settings``: of ``config.tried``; ``without``: calibrators
    that are left out.
    """

    source: str
    stored: tuple[MeasuredFrame, ...]
    frames: tuple[ReduceRequest, ...] = ()
    settings: tuple[tuple[str, float | str], ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A result of the same frames with the site's settings, and with those that were tried."""

    stored: ResultValue
    tried: ResultValue


@dataclass(frozen=True, kw_only=True)
class PlotRequest:
    """A small light-curve picture for a message. Points are (jd, mag, mag_err)."""

    title: str
    band: str
    points: tuple[tuple[float, float, float], ...]
    highlight_jd: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlotSeries:
    """Points of one band: (jd, value, error, sound). ``before``: they are of an earlier night;
    ``camera``: by which instrument, where there are several."""

    band: str
    points: tuple[tuple[float, float, float, bool], ...]
    before: bool = False
    camera: str = ""


@dataclass(frozen=True, kw_only=True)
class PlotPanel:
    """One quantity of a night's plot; ``literature``: (band, value) of lines across it."""

    label: str
    series: tuple[PlotSeries, ...]
    literature: tuple[tuple[str, float], ...] = ()
    downwards: bool = False


@dataclass(frozen=True, kw_only=True)
class NightPlotRequest:
    """One source in one night. ``before``: the earlier night that is shown beside it, if any."""

    title: str
    night: str
    panels: tuple[PlotPanel, ...]
    before: str = ""


@dataclass(frozen=True, kw_only=True)
class Plotted:
    """A PNG picture."""

    png: bytes


Request = (ClassifyRequest | MasterRequest | ReduceRequest | CalibrateRequest
           | PolarimetryRequest | TrialRequest | PlotRequest | NightPlotRequest)
Value = Classified | MasterBuilt | Reduced | SeriesCalibrated | Polarised | Trial | Plotted


@dataclass(frozen=True, kw_only=True)
class Done:
    """The work is done; ``core_s`` is the processor time it took, in seconds."""

    value: Value
    core_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """The input cannot be used; ``reason`` says why in words for people."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A step failed. ``stage`` names it; ``trace`` is for whoever mends it."""

    stage: str
    reason: str
    trace: str = ""


@dataclass(frozen=True, kw_only=True)
class Crashed:
    """The worker died at it; ``how``: the signal or exit code."""

    how: str


@dataclass(frozen=True, kw_only=True)
class TimedOut:
    """The worker was killed at the deadline."""

    seconds: float


Outcome = Done | Rejected | Failed | Crashed | TimedOut
