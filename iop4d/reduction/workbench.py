"""What a worker does: one request in, one outcome out, and never an exception."""

from __future__ import annotations

import errno
import time
import traceback
from pathlib import Path

import astrometry

from iop4d.config import Site
from iop4d.fits.fingerprint import fingerprint, sample_rows
from iop4d.fits.read import open_fits, sampled_rows
from iop4d.fits.solver_files import load
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.instruments.start_cards import start_doubts
from iop4d.model.errors import FrameError, StageError
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import (
    NO_SPACE,
    UNREADABLE,
    CalibrateRequest,
    Classified,
    ClassifyRequest,
    Done,
    Failed,
    MasterBuilt,
    MasterRequest,
    NightPlotRequest,
    Outcome,
    PlotRequest,
    Plotted,
    PolarimetryRequest,
    Reduced,
    ReduceRequest,
    Rejected,
    Request,
    SeriesCalibrated,
    TrialRequest,
    Value,
)
from iop4d.model.source import Catalogue
from iop4d.reduction.build_master import build_master
from iop4d.reduction.build_pattern import build_pattern
from iop4d.reduction.calibrate import calibrate
from iop4d.reduction.context import Stages, WorkerContext, index_files
from iop4d.reduction.fluxes import light_error
from iop4d.reduction.frame import Tools, reduce_frame
from iop4d.reduction.masters import MasterCache
from iop4d.reduction.plots import plot_light_curve, plot_night
from iop4d.reduction.polarise import polarise
from iop4d.reduction.product_cards import refuse_product
from iop4d.reduction.stack import is_stacked, stack
from iop4d.reduction.trial import try_settings

#: Errors of the system that are not the frame's fault, and pass.
_PASSING = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), NO_SPACE) | dict.fromkeys(
    (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EIO, errno.ESTALE, errno.ETIMEDOUT,
     errno.EHOSTDOWN, errno.EAGAIN, errno.EMFILE, errno.ENFILE), UNREADABLE)


class Workbench:
    """A worker's instruments, index files and masters, kept from one request to the next."""

    def __init__(self, context: WorkerContext) -> None:
        self.context = context
        self._instruments = find_instruments(
            context.site.camera, context.site.polarimeter, context.site.colour_term)
        self._masters = MasterCache()
        self.solver: astrometry.Solver | None = None  # of the index files, read at the first need

    def perform(self, request: Request) -> Outcome:
        """Do what is asked. Whatever happens, the answer is an outcome."""
        began = time.process_time()
        stages = Stages()
        try:
            value = self._value(request, stages)
            return Done(value=value, core_s=time.process_time() - began)
        except FrameError as error:
            return Rejected(reason=str(error))
        except StageError as error:
            return Failed(stage=error.stage, reason=str(error), trace=traceback.format_exc())
        except OSError as error:
            return Failed(stage=_PASSING.get(error.errno or 0, stages.current),
                          reason=_of_system(error), trace=traceback.format_exc())
        except Exception as error:  # noqa: BLE001 - an exception must not cross the pool
            return Failed(stage=stages.current, trace=traceback.format_exc(),
                          reason=f"unexpected {type(error).__name__}: {error}")

    def _value(self, request: Request, stages: Stages) -> Value:
        if isinstance(request, ClassifyRequest):
            return self._classify(request, stages)
        if isinstance(request, MasterRequest):
            return self._master(request, stages)
        if isinstance(request, ReduceRequest):
            return self._reduce(request, stages)
        if isinstance(request, CalibrateRequest):
            return self._calibrate(request, stages)
        if isinstance(request, PolarimetryRequest):
            with stages("polarimetry"):
                return polarise(
                    request.frames, catalogue=self.context.catalogue,
                    instrument=self.named(request.frames[0].facts),
                    settings=self.context.site.polarimetry)
        return self._besides(request, stages)

    def _besides(self, request: Request, stages: Stages) -> Value:
        """What is no job of the ledger: nothing of it is kept with the results."""
        if isinstance(request, TrialRequest):
            return try_settings(request, site=self.context.site, catalogue=self.context.catalogue,
                                named=self.named, tools=self.tools, stages=stages)
        if isinstance(request, PlotRequest | NightPlotRequest):
            with stages("plot"):
                return Plotted(png=plot_light_curve(request) if isinstance(request, PlotRequest)
                               else plot_night(request))
        raise TypeError(f"no such request: {type(request).__name__}")

    def _classify(self, request: ClassifyRequest, stages: Stages) -> Classified:
        with stages("read"):
            file = open_fits(request.path, digest=True,
                             wrong_datasum=self.context.site.photometry.wrong_datasum)
        with stages("classify"):
            refuse_product(file.header)
            instrument = instrument_for(file.header, self._instruments)
            facts = instrument.facts_of(file.header, request.path)
            doubts = start_doubts(file.header, instrument, facts)
            exposure = fingerprint(sampled_rows(file, sample_rows(facts.shape[0])))
        return Classified(facts=facts, sha256=file.sha256, size=file.size, exposure=exposure,
                          doubts=doubts)

    def _master(self, request: MasterRequest, stages: Stages) -> MasterBuilt:
        settings = self.context.site.masters
        if request.kind is FrameKind.PATTERN:
            return build_pattern(request, instrument=self.named(request.facts),
                                 masters=self._masters, stages=stages)
        return build_master(request, instrument=self.named(request.facts),
                            masters=self._masters, min_frames=settings.min_frames,
                            clip=settings.clip_sigma, stages=stages,
                            wrong_datasum=self._of_masters)

    @property
    def _of_masters(self) -> str:
        """Whether masters leave out files that do not agree with their DATASUM, or ignore that."""
        said = self.context.site.photometry.wrong_datasum
        return "refuse" if said == "flag" else said

    def _reduce(self, request: ReduceRequest, stages: Stages) -> Reduced:
        tools = self.tools(self.context.site, self.context.catalogue, request.facts)
        return reduce_frame(request, tools, stages)

    def tools(self, site: Site, catalogue: Catalogue, facts: FrameFacts) -> Tools:
        """What reduces a frame of a site with a catalogue; raises StageError."""
        return Tools(site=site, catalogue=catalogue, instrument=self.named(facts),
                     masters=self._masters, solver=self._index())

    def _calibrate(self, request: CalibrateRequest, stages: Stages) -> SeriesCalibrated:
        known = {instrument.name: instrument for instrument in self._instruments}
        instrument = known.get(request.frames[0].facts.instrument)
        catalogue = self.context.catalogue
        target = next((s for s in catalogue.sources if s.name == request.target), None)
        if target is None:
            raise StageError("calibrate", f"{request.target} is no longer in the catalogue")
        with stages("calibrate"):
            results = calibrate(target, request.frames, catalogue=catalogue,
                                telescope=instrument.telescope if instrument else None,
                                system=instrument.system if instrument else None)
        forced = [m for frame in request.frames for m in frame.measurements
                  if m.source == target.name and not m.beam]
        each = [(frame.id, result) for frame, result in zip(request.frames, results, strict=True)]
        return SeriesCalibrated(results=tuple(each), stacked=tuple(
            id_ for id_, result in each if is_stacked(result)), stack=stack(
                results, shared=light_error(results, forced)))

    def named(self, facts: FrameFacts) -> Instrument:
        """A frame's instrument, with what the frame's own header says of it."""
        for instrument in self._instruments:
            if instrument.name == facts.instrument:
                return instrument.for_frame(facts)
        raise StageError("instrument", f"the instrument {facts.instrument} is no longer known")

    def _index(self) -> astrometry.Solver:
        """The solver with the site's index files; loaded with the first frame."""
        if self.solver is None:
            files = index_files(self.context.site.astrometry.index)
            if not files:
                raise StageError("solve", _without_index(self.context.site.astrometry.index))
            try:
                self.solver = load(files)
            except ValueError as error:
                raise StageError("solve", str(error)) from error
        return self.solver


def _without_index(folders: tuple[Path, ...]) -> str:
    """Why no frame can get coordinates, and what helps."""
    said = "the key [astrometry] index of the site file names no folder" if not folders else \
        f"{', '.join(map(str, folders))} of [astrometry] index holds no *.fits"
    return f"no index files: {said}; 'iop4d index' makes some, see 'iop4d docs indexes'"


def _of_system(error: OSError) -> str:
    where = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{where}"
