"""A worker that answers at once what follows from the bytes it is given, for the kill loop.

The loop tests the ledger, the files and the outbox, not the science: a true reduction would only
make its rounds longer. Every number that it answers is a digest of the frame and of its masters'
files, so a result that rests on anything but the last masters is seen in the end.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from iop4d.fits.atomic import write_atomic
from iop4d.ledger.engines.pipe import pack, read_message
from iop4d.ledger.engines.worker import die_with_parent
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    CalibrateRequest,
    Classified,
    ClassifyRequest,
    Done,
    MasterBuilt,
    MasterRequest,
    NightPlotRequest,
    Outcome,
    PlotRequest,
    Plotted,
    PolarimetryRequest,
    Polarised,
    Reduced,
    ReduceRequest,
    Rejected,
    Request,
    SeriesCalibrated,
    TrialRequest,
)
from iop4d.model.result import Measurement, ResultValue
from tests.support import crash_points

_FEWEST = 3  # frames of a master, positions of a group
_WORK = 0.05  # seconds that a reduction takes
_ZERO_POINT = 21.5
_NAN = float("nan")

#: What a file may ask for by its key ``fault``.
FAULTS = ("kill", "segv", "exit", "hang", "memory", "error", "noise")


def answer(request: Request) -> Outcome:
    """What a worker answers."""
    match request:
        case ClassifyRequest():
            return _classify(request)
        case MasterRequest():
            return _master(request)
        case ReduceRequest():
            return _reduce(request)
        case CalibrateRequest():
            return _calibrate(request)
        case PolarimetryRequest():
            return _polarise(request)
        case TrialRequest() | PlotRequest() | NightPlotRequest():
            return Done(value=Plotted(png=b"\x89PNG"))


def _classify(request: ClassifyRequest) -> Outcome:
    content = request.path.read_bytes()
    said = json.loads(content)
    facts = FrameFacts(
        telescope="OSN-T090", instrument="AndorT90", kind=FrameKind(said["kind"]),
        night=said["night"], jd_start=said["jd"], exptime_s=60.0, shape=(64, 64), binning=2,
        band=None if said["kind"] == "bias" else "R", object=said["object"],
        mode="photometry" if said["angle"] is None else "polarimetry",
        polariser_deg=said["angle"])
    return Done(value=Classified(facts=facts, sha256=hashlib.sha256(content).hexdigest(),
                                 size=len(content)))


def _master(request: MasterRequest) -> Outcome:
    if len(request.inputs) < _FEWEST:
        return Rejected(reason=f"{len(request.inputs)} frames, at least {_FEWEST} are needed")
    content = _digest(*request.inputs, *(master.path for master in request.masters))
    time.sleep(_WORK / 2)
    write_atomic(request.output, (content.encode(),), durable=True)
    names = tuple(path.name for path in request.inputs)
    return Done(value=MasterBuilt(sha256=hashlib.sha256(content.encode()).hexdigest(),
                                  n_frames=len(names), level=300.0, scatter=1.0, used=names))


def _reduce(request: ReduceRequest) -> Outcome:
    said = json.loads(request.path.read_bytes())
    if fault := said.get("fault"):
        misbehave(fault)
    digest = _digest(request.path, *(master.path for master in request.masters))
    time.sleep(_WORK)
    for path in (request.reduced_path, request.preview_path):
        if path is not None:
            write_atomic(path, (digest.encode(),), durable=True)
    measurement = Measurement(
        source=said["object"], x=1.0, y=2.0, flux=float(int(digest[:6], 16)), flux_err=1.0,
        mag_inst=said["mag"] - _ZERO_POINT, mag_inst_err=0.005, snr=200.0, sky=100.0, flags=0)
    result = _result(request.facts, measurement, zero_point=_ZERO_POINT)
    return Done(value=Reduced(
        wcs={}, n_detected=100, n_matched=50, wcs_rms_px=0.05, fwhm_px=2.6, fwhm_arcsec=2.0,
        sky=100.0, sky_sigma=5.0, aperture_px=3.3, annulus_px=(5.5, 9.9), airmass=1.1,
        bjd_tdb=_NAN, measurements=(measurement,), target=said["object"],
        results=() if request.facts.mode == "polarimetry" else (result,)))


def misbehave(fault: str) -> None:
    """What a frame that is poison does to its worker."""
    match fault:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segv":
            ctypes.string_at(0)
        case "exit":
            sys.exit(3)
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600.0)
        case "memory":
            resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
            bytearray(8 << 30)
        case "error":
            raise ValueError(fault)
        case "noise":
            print("x" * 200_000_000, flush=True)
            sys.exit(1)


def _calibrate(request: CalibrateRequest) -> Outcome:
    """The zero point follows from all the frames of the series."""
    own = [next(m for m in frame.measurements if m.source == request.target)
           for frame in request.frames]
    zero_point = _ZERO_POINT + _part(m.flux for m in own) / 1e5
    return Done(value=SeriesCalibrated(results=tuple(
        (frame.id, _result(frame.facts, m, zero_point=zero_point))
        for frame, m in zip(request.frames, own, strict=True))))


def _polarise(request: PolarimetryRequest) -> Outcome:
    own = [frame.measurements[0] for frame in request.frames]
    source = own[0].source
    if len(own) < _FEWEST:
        return Done(value=Polarised(results=(), refused=((source, f"{len(own)} positions"),)))
    p = 0.05 + _part(m.flux for m in own) / 1e5
    value = _result(request.frames[0].facts, own[0], zero_point=_ZERO_POINT)
    fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
    fields |= {"mode": "polarimetry", "p": p, "p_err": 0.001, "q": p, "q_err": 0.001, "u": 0.0,
               "u_err": 0.001, "chi_deg": 0.0, "chi_err_deg": 1.0, "method": "plain"}
    return Done(value=Polarised(results=(ResultValue(**fields),)))


def _result(facts: FrameFacts, measured: Measurement, *, zero_point: float) -> ResultValue:
    return ResultValue(
        source=measured.source, band=facts.band or "", mode="photometry", jd_mid=facts.jd_mid,
        bjd_tdb=_NAN, exptime_s=facts.exptime_s, mag_err=0.01, zero_point=zero_point,
        mag=measured.mag_inst + zero_point + measured.flux / 2**24 / 1e3, zero_point_err=0.01,
        n_calibrators=3, fwhm_arcsec=2.0, airmass=1.1, flags=0)


def _part(fluxes: Iterable[float]) -> int:
    return sum(map(int, fluxes)) % 1000


def _digest(*paths: Path) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def main() -> None:
    """Serve requests until the daemon closes the channel, as the true worker does."""
    die_with_parent(int(sys.argv[1]))
    if (crash_point := crash_points.of_environment()) is not None:
        crash_points.install_renames(crash_point)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            what, content = read_message(requests)
            reply: object = "ready" if what == "context" else answer(content)
            answers.write(pack(reply))


if __name__ == "__main__":
    main()
