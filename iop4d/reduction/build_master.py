"""Make a master of many frames."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import iop4d
from iop4d.fits.cards import Value
from iop4d.fits.kept import common_headers, kept_of, raw_headers
from iop4d.fits.overscan import trimmed
from iop4d.fits.parts import RawRows, by_rows
from iop4d.fits.read import FitsFile, RawImage, open_fits, raw_image
from iop4d.fits.write import write_image
from iop4d.instruments.base import Instrument
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import FrameFacts, FrameKind, is_part_of, layout_of
from iop4d.model.messages import MasterBuilt, MasterRequest
from iop4d.reduction.context import Stages
from iop4d.reduction.masters import MasterCache, MasterSet
from iop4d.reduction.product_cards import OF_MASTER, comments_of
from iop4d.science.combine import clipped_mean, robust_level

FloatImage = NDArray[np.float32]

FAINTEST_FLAT = 1000.0  # ADU above bias: fainter flats add more noise than they take away
DARKEST_FLAT = 0.2  # of the flat's level: a pixel below sees too little to be corrected
MAX_PIXELS = 400_000_000  # of all frames together: more take longer than a job may
HELD_BYTES = 64_000_000  # of frames that are held as they are stored; others are read by rows
_CHUNK = 4_000_000  # values combined at a time
_SAMPLE = 200_000  # pixels that give a flat's level


@dataclass(frozen=True, kw_only=True)
class _Input:
    name: str
    raw: RawImage | RawRows
    exptime_s: float
    headers: tuple[bytes, ...]
    level: float = math.nan  # of a flat


@dataclass(kw_only=True)
class _Inputs:
    """``scratch``: a folder for what is not in its file as it is read; ``held``: bytes of pixels in
    memory."""

    scratch: Path
    closed: ExitStack
    held: int = 0
    used: list[_Input] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def kept(self, raw: RawImage, file: FitsFile, path: Path,
             stamp: os.stat_result) -> RawImage | RawRows:
        """An image in memory, while there is room for it."""
        size = max(raw.stored.nbytes, len(file.data))
        if self.held + size > HELD_BYTES:
            return by_rows(raw, file, path, stamp, scratch=self.scratch, closed=self.closed)
        self.held += size
        return raw


def build_master(request: MasterRequest, *, instrument: Instrument, masters: MasterCache,
                 min_frames: int, clip: float, stages: Stages,
                 wrong_datasum: str = "refuse") -> MasterBuilt:
    """Combine the frames and write the master; raises FrameError when too few are usable."""
    with stages("masters"):
        calibration = masters.set_of(request.masters, request.facts.shape,
                                     request.facts.origin)
    with ExitStack() as closed:
        inputs = _Inputs(scratch=request.output.parent, closed=closed)
        with stages("read"):
            _read(inputs, request, instrument, calibration, wrong_datasum)
        return _built(inputs, request, calibration, min_frames, clip, stages)


def _built(inputs: _Inputs, request: MasterRequest, calibration: MasterSet, min_frames: int,
           clip: float, stages: Stages) -> MasterBuilt:
    if len(inputs.used) < min_frames:
        why = "; ".join(inputs.left_out)
        raise FrameError(f"{len(inputs.used)} usable {request.kind} frames, at least {min_frames} "
                         f"are needed{': ' if why else ''}{why}")
    with stages("combine"):
        image = _combine(request.kind, inputs.used, calibration, clip)
        level, scatter = robust_level(image)
        if request.kind is FrameKind.FLAT:
            image /= np.float32(level)
            image[~(image > DARKEST_FLAT)] = np.nan
            level, scatter = 1.0, scatter / level
    with stages("write"):
        cards = _cards(request, inputs.used, level, scatter)
        sha256 = write_image(
            request.output, image, cards, comments=comments_of(cards, OF_MASTER),
            kept=kept_of(common_headers([item.headers for item in inputs.used]), OF_MASTER),
            history=[f"from {item.name}" for item in inputs.used])
    return MasterBuilt(sha256=sha256, n_frames=len(inputs.used), level=level, scatter=scatter,
                       used=tuple(item.name for item in inputs.used),
                       left_out=tuple(inputs.left_out))


def _read(inputs: _Inputs, request: MasterRequest, instrument: Instrument, calibration: MasterSet,
          wrong_datasum: str) -> None:
    pixels = 0
    for path in request.inputs:
        try:
            item = _input(inputs, path, request, instrument, calibration, wrong_datasum)
            pixels += math.prod(item.raw.shape)
            if pixels > MAX_PIXELS:
                raise FrameError("more frames than a master needs")
            inputs.used.append(item)
        except (FrameError, StageError) as error:
            inputs.left_out.append(f"{path.name}: {error}")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            inputs.left_out.append(f"{path.name}: cannot be read: {error.strerror or error}")


def _input(inputs: _Inputs, path: Path, request: MasterRequest, instrument: Instrument,
           calibration: MasterSet, wrong_datasum: str) -> _Input:
    stamp = path.stat()
    file = open_fits(path, wrong_datasum=wrong_datasum)
    facts = instrument.facts_of(file.header, path)
    _check_same(facts, request)
    raw = trimmed(raw_image(file), facts)
    level = math.nan
    if request.kind is FrameKind.FLAT:
        calibration.check(facts.exptime_s)
        level = _flat_level(raw, facts.exptime_s, calibration,
                            instrument.for_frame(facts).saturation_adu)
    if request.kind is FrameKind.DARK and facts.exptime_s <= 0:
        raise FrameError("a dark frame without exposure time")
    return _Input(name=path.name, raw=inputs.kept(raw, file, path, stamp), level=level,
                  exptime_s=facts.exptime_s, headers=raw_headers(file))


def _check_same(facts: FrameFacts, request: MasterRequest) -> None:
    wanted = request.facts
    if wanted.detector.celsius is None:  # nor was it of the others when they were looked at
        facts = replace(facts, detector=replace(facts.detector, celsius=None))
    layout = layout_of(wanted) if is_part_of(layout_of(wanted), facts) else layout_of(facts)
    for name, is_, should in (("kind", facts.kind, request.kind),
                              ("layout", layout, layout_of(wanted)),
                              ("band", facts.band, wanted.band),
                              ("calibration", facts.detector.calibrated,
                               wanted.detector.calibrated)):
        if is_ != should:
            raise FrameError(f"its {name} is {is_}, not {should}")


def _flat_level(image: RawImage, exptime_s: float, calibration: MasterSet,
                saturation_adu: float) -> float:
    """Median level of a flat above bias, ADU; raises FrameError when it is of no use."""
    step = max(1, math.prod(image.shape) // _SAMPLE)
    rows = slice(None, None, max(1, round(math.sqrt(step))))
    columns = rows
    raw = image.part(rows, columns).rows()
    stored = float(np.nanmedian(raw)) + float(np.median(image.overscan))
    if stored >= saturation_adu:
        raise FrameError(f"saturated: median {stored:.0f} ADU")
    level, _ = robust_level(_without_bias(raw, calibration, exptime_s, (rows, columns)))
    if not level >= FAINTEST_FLAT:
        raise FrameError(f"too faint: median {level:.0f} ADU above bias")
    return level


def _without_bias(pixels: FloatImage, calibration: MasterSet, exptime_s: float,
                  where: slice | tuple[slice, slice]) -> FloatImage:
    if calibration.bias is not None:
        pixels -= calibration.bias[where]
    if calibration.dark is not None:
        pixels -= calibration.dark[where] * np.float32(exptime_s)
    return pixels


def _combine(kind: FrameKind, inputs: Sequence[_Input], calibration: MasterSet,
             clip: float) -> FloatImage:
    """The master, by chunks of rows so that memory stays bounded."""
    ny, nx = inputs[0].raw.shape
    image = np.empty((ny, nx), dtype=np.float32)
    step = max(1, _CHUNK // (nx * len(inputs)))
    for first in range(0, ny, step):
        rows = slice(first, min(ny, first + step))
        cube = np.stack([_prepared(kind, item, calibration, rows) for item in inputs])
        image[rows] = clipped_mean(cube, clip=clip)
    return image


def _prepared(kind: FrameKind, item: _Input, calibration: MasterSet, rows: slice) -> FloatImage:
    """Rows of a frame as they enter: bias ADU; dark ADU per second; flat over its level."""
    pixels = item.raw.rows(rows.start, rows.stop)
    if kind is FrameKind.BIAS:
        return pixels
    pixels = _without_bias(pixels, calibration, item.exptime_s, rows)
    return pixels / np.float32(item.exptime_s if kind is FrameKind.DARK else item.level)


def _cards(request: MasterRequest, used: Sequence[_Input], level: float,
           scatter: float) -> dict[str, Value]:
    facts = request.facts
    return {
        "IMAGETYP": f"master {request.kind}", "TELESCOP": facts.telescope,
        "INSTRUME": facts.instrument, "NIGHT": facts.night, "FILTER": facts.band or "",
        "BINNING": facts.binning,
        "BUNIT": {"bias": "adu", "dark": "adu/s", "flat": ""}[request.kind.value],
        "EXPTIME": float(np.median([item.exptime_s for item in used])),
        "NCOMBINE": len(used), "LEVEL": level, "SCATTER": scatter,
        **{f"M{ref.kind.upper()}": ref.path.name for ref in request.masters},
        "SOFTWARE": f"iop4d {iop4d.__version__}",
    }
