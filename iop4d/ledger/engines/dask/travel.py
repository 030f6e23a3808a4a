"""The files of a request, and a request with the paths of another machine in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from iop4d.config import Site
from iop4d.model.messages import (
    ClassifyRequest,
    Done,
    Failed,
    MasterBuilt,
    MasterRef,
    MasterRequest,
    Outcome,
    ReduceRequest,
    Rejected,
    Request,
    TrialRequest,
)
from iop4d.reduction.context import WorkerContext, index_files


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of a request: those of this job alone, masters, and what is to be written."""

    frames: tuple[Path, ...] = ()
    masters: tuple[Path, ...] = ()
    products: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders of another machine, below which files have the paths that they have here.

    ``job``: of one request, removed with it; ``kept``: of masters and index files.
    """

    job: Path
    kept: Path


def files_of(request: Request) -> Files:
    """The files that a request reads and writes."""
    match request:
        case ClassifyRequest(path=path):
            return Files(frames=(path,))
        case MasterRequest():
            return Files(frames=request.inputs, products=(request.output,),
                         masters=tuple(ref.path for ref in request.masters))
        case ReduceRequest():
            written = (request.reduced_path, request.preview_path)
            return Files(frames=(request.path,), products=tuple(path for path in written if path),
                         masters=tuple(ref.path for ref in request.masters))
        case TrialRequest():
            each = [files_of(frame) for frame in request.frames]
            return Files(frames=tuple(path for one in each for path in one.frames),
                         masters=tuple(dict.fromkeys(path for one in each for path in one.masters)))
        case _:
            return Files()


def moved(request: Request, places: Places) -> Request:
    """The request with the paths of its files on another machine."""
    match request:
        case ClassifyRequest(path=path):
            return replace(request, path=below(places.job, path))
        case MasterRequest():
            return replace(request, output=below(places.job, request.output),
                           inputs=tuple(below(places.job, path) for path in request.inputs),
                           masters=_masters(request.masters, places))
        case ReduceRequest():
            return replace(request, path=below(places.job, request.path),
                           masters=_masters(request.masters, places),
                           reduced_path=_or_none(request.reduced_path, places),
                           preview_path=_or_none(request.preview_path, places))
        case TrialRequest():
            return replace(request, frames=tuple(
                _frame(frame, places) for frame in request.frames))
        case _:
            return request


def moved_context(context: object, kept: Path) -> object:
    """What workers must know, with the paths of the index files on another machine."""
    if not isinstance(context, WorkerContext):
        return context
    site = context.site
    return replace(context, site=replace(site, root=below(kept, site.root), astrometry=replace(
        site.astrometry, index=tuple(below(kept, path) for path in site.astrometry.index))))


def index_files_of(site: Site) -> list[Path]:
    """The files of the site that every worker needs, whatever it does."""
    return index_files(site.astrometry.index)


def named_here(outcome: Outcome, places: Places) -> Outcome:
    """An outcome whose words name files as the daemon knows them."""
    def here(text: str) -> str:
        for folder in (places.job, places.kept):
            text = text.replace(f"{folder}/", "/")
        return text

    match outcome:
        case Rejected(reason=reason):
            return Rejected(reason=here(reason))
        case Failed(reason=reason, trace=trace):
            return replace(outcome, reason=here(reason), trace=here(trace))
        case Done(value=MasterBuilt() as built):
            return replace(outcome, value=replace(
                built, left_out=tuple(here(line) for line in built.left_out)))
        case _:
            return outcome


def below(folder: Path, path: Path) -> Path:
    """Where a file of this machine is below a folder."""
    return folder / path.relative_to(path.anchor)


def _masters(refs: Iterable[MasterRef], places: Places) -> tuple[MasterRef, ...]:
    return tuple(replace(ref, path=below(places.kept, ref.path)) for ref in refs)


def _or_none(path: Path | None, places: Places) -> Path | None:
    return None if path is None else below(places.job, path)


def _frame(frame: ReduceRequest, places: Places) -> ReduceRequest:
    there = moved(frame, places)
    assert isinstance(there, ReduceRequest)
    return there
