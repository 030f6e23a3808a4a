"""Reductions by hand: instruments, masters and index files of a site, loaded once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iop4d.config import Site
from iop4d.config.tried import TRIED, Tried, parse, with_settings
from iop4d.instruments.base import Instrument
from iop4d.instruments.discovery import find_instruments
from iop4d.ledger.trials import plan_trial, reduction_of
from iop4d.library.errors import NotFoundError, SelectionError
from iop4d.library.pixels import raw_of, reduced_of
from iop4d.library.reduction import Reduction
from iop4d.library.trial import Trial
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from iop4d.store import catalogue, frames
from iop4d.store.kind import StoreUnavailableError
from iop4d.store.schema import Frame as StoredFrame

if TYPE_CHECKING:
    from iop4d.library.frames import Frame
    from iop4d.library.image import Image
    from iop4d.library.results import Result
    from iop4d.library.stored import StoreReader

#: The settings by their last words, which are enough.
SETTINGS = {name.rpartition(".")[2]: name for name in TRIED}


class Workshop:
    """What a worker has, in this process."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        self._site = reader.site

    @cached_property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments that the site knows, by their names."""
        site = self._site
        return {one.name: one for one in find_instruments(
            site.camera, site.polarimeter, site.colour_term)}

    @cached_property
    def bench(self) -> Workbench:
        """A worker's bench with the catalogue as it is now."""
        with self._reader.reading() as db:
            return Workbench(WorkerContext(site=self._site, catalogue=catalogue.load(db)))

    def image_of(self, frame: Frame, kind: str) -> Image:
        """See ``Frame.image``."""
        if kind == "masks":
            return self.reduction_of(frame, {}).masks()
        with self._reader.reading() as db:
            row = frames.by_id(db, frame["id"])
            facts = frames.facts_of(row) if row.kind and row.jd_start is not None else None
        camera = self.instruments.get(row.instrument) if facts is not None else None
        instrument = None if camera is None or facts is None else camera.for_frame(facts)
        info: dict[str, Any] = row.info or {}
        if kind == "raw":
            return raw_of(Path(row.path), facts, instrument, info.get("wcs"))
        if not row.reduced_path:
            raise NotFoundError(f"the frame {row.id} has no reduced image: {_fate(row)}")
        return reduced_of(Path(row.reduced_path), info.get("wcs"), sky=info.get("sky"),
                          sky_sigma=info.get("sky_sigma"),
                          gain=None if instrument is None else instrument.gain_e_adu)

    def reduction_of(self, frame: Frame, settings: dict[str, Any]) -> Reduction:
        """See ``Frame.reduce``."""
        tried = _parsed(settings)
        if of_groups := [name for name in tried if name.startswith("polarimetry.")]:
            name = of_groups[0].rpartition(".")[2]
            raise TypeError(f"'{name}' is a setting of polarimetry, which needs the frames of a "
                            f"group: result.reduce({name}=...)")
        with self._reader.reading() as db:
            row = frames.by_id(db, frame["id"])
            if not frames.is_measured(row):
                raise NotFoundError(f"the frame {row.id} was not measured: {_fate(row)}")
            if row.instrument not in self.instruments:
                raise NotFoundError(f"the instrument {row.instrument} is not in the site file any "
                                    "more")
            request = reduction_of(db, self._site, row, self.instruments)
        site = _checked(self._site, tried, row.instrument, row.target)
        return Reduction(frame, request, self.bench, site=site, settings=tried)

    def trial_of(self, result: Result, settings: dict[str, Any],
                 without: tuple[str, ...]) -> Trial:
        """See ``Result.reduce``."""
        _parsed(settings)
        with self._reader.reading() as db:
            try:
                planned = plan_trial(db, result["id"], said_of(settings), without,
                                     site=self._site, instruments=self.instruments)
            except ConfigError as error:
                raise SelectionError(str(error)) from None
            except StoreUnavailableError:
                raise
            except Iop4dError as error:
                raise SelectionError(f"result {result['id']}: {error}") from None
        return Trial(result, planned, self.bench)


def said_of(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as texts by their whole names; raises TypeError for one that there is not."""
    said = {}
    for name, value in settings.items():
        if name not in SETTINGS:
            raise TypeError(f"'{name}' is no setting of a reduction; there are "
                            f"{', '.join(SETTINGS)}")
        if value is None:
            continue
        said[SETTINGS[name]] = str(_in_arcsec(name, value) if hasattr(value, "to_value") else value)
    return said


def _in_arcsec(name: str, value: Any) -> float:
    """The number of a quantity; raises SelectionError where the setting is no angle."""
    from astropy.units import UnitConversionError

    try:
        if name.endswith("_arcsec"):
            return float(value.to_value("arcsec"))
    except (UnitConversionError, TypeError):
        raise SelectionError(f"{name}: is one angle, found {value}") from None
    raise SelectionError(f"{name}: is a plain number, found {value}")


def _fate(row: StoredFrame) -> str:
    reason = f" ({row.reason})" if row.reason else ""
    return f"it is {row.state}{f', {row.kind}' if row.kind else ''}{reason}"


def _parsed(settings: dict[str, Any]) -> Tried:
    try:
        return parse(said_of(settings))
    except ConfigError as error:
        raise SelectionError(str(error)) from None


def _checked(site: Site, tried: Tried, instrument: str, source: str) -> Site:
    try:
        return with_settings(site, tried, instrument=instrument, source=source)
    except ConfigError as error:
        raise SelectionError(str(error)) from None
