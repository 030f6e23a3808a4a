"""What a site and a server have in common: the same names for the same things."""

from __future__ import annotations

from datetime import date
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from iop4d.library.errors import NotFoundError, NotHereError
from iop4d.library.fields import evening as evening_of
from iop4d.library.frames import Frame, Group, Master, Measurement
from iop4d.library.nights import Alert, Night
from iop4d.library.reader import Reader
from iop4d.library.results import Result, Results
from iop4d.library.row import Row
from iop4d.library.selection import Asked, Selection
from iop4d.library.sources import Source
from iop4d.model.source import canonical, similar
from iop4d.store.tables import LISTINGS
from iop4d.store.tables.results import FIRST, MORE, RESULTS

if TYPE_CHECKING:
    from iop4d.library.image import Image
    from iop4d.library.reduction import Reduction
    from iop4d.library.trial import Trial

Thing = TypeVar("Thing", bound=Row)
_LARGEST = 2**63  # that databases hold
_NO_FILES = "this needs the site itself, with its files: open it with iop4d.open(FOLDER)"
_ORDERS = {"results": "jd_mid"}  # in which rows are read; else as the pages list them
_USUAL = {"results": tuple(column.name for column in FIRST + MORE)}


class Observatory:
    """Sources, nights, frames, groups, masters, results and alerts, all only read."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    # Selections.

    @property
    def results(self) -> Results:
        """Calibrated magnitudes and polarisations, in order of time; withdrawn ones never."""
        return Results(self._asked(RESULTS.name), self._make(Result), self.name_of)

    @property
    def sources(self) -> Selection[Source]:
        """The sources of the catalogue."""
        return self._selection(Source)

    @property
    def nights(self) -> Selection[Night]:
        """The nights that have frames or results, the latest first."""
        return self._selection(Night)

    @property
    def frames(self) -> Selection[Frame]:
        """Raw files with their fate, those that came last first."""
        return self._selection(Frame)

    @property
    def groups(self) -> Selection[Group]:
        """Polarimetry groups, the latest first."""
        return self._selection(Group)

    @property
    def masters(self) -> Selection[Master]:
        """Bias, dark and flat masters, the latest first."""
        return self._selection(Master)

    @property
    def alerts(self) -> Selection[Alert]:
        """Episodes of the rules of alerts, the latest first."""
        return self._selection(Alert)

    # Single things.

    def source(self, name: str) -> Source:
        """The source of any of its names; raises NotFoundError, with names that are like it."""
        own = self.name_of(name)
        found = self.sources(name=own).first()
        if found is None:
            raise NotFoundError(f"the source '{own}' left the catalogue; its results are at "
                                f"results(source={own!r})")
        return found

    def night(self, evening: str | date) -> Night:
        """The night of the date of its evening, such as 2026-11-22.

        Raises NotFoundError, SelectionError for what is no date.
        """
        return self._one(Night, evening_of("night()", evening))

    def frame(self, number: int) -> Frame:
        """The frame of a number; raises NotFoundError."""
        return self._one(Frame, _whole("frame", number))

    def group(self, number: int) -> Group:
        """The polarimetry group of a number; raises NotFoundError."""
        return self._one(Group, _whole("group", number))

    def master(self, number: int) -> Master:
        """The master of a number; raises NotFoundError."""
        return self._one(Master, _whole("master", number))

    def result(self, number: int) -> Result:
        """The result of a number; raises NotFoundError, also for a withdrawn one."""
        return self._one(Result, _whole("result", number))

    def alert(self, number: int) -> Alert:
        """The alert of a number; raises NotFoundError."""
        return self._one(Alert, _whole("alert", number))

    def name_of(self, name: str) -> str:
        """The own name of a source by any of its names; raises NotFoundError."""
        known = self.reader.sources()
        wanted = canonical(str(name))
        for one in known:
            if wanted in map(canonical, (one.name, *one.other_names)):
                return one.name
        if self.reader.has_results_of(str(name)):
            return str(name)
        names = [n for one in known for n in (one.name, *one.other_names)]
        parts = [n for n in names if wanted and wanted in canonical(n)][:5]
        hint = similar(str(name), names) or (
            f"; did you mean {' or '.join(parts)}?" if parts else "")
        raise NotFoundError(f"no source is named '{name}'{hint}")

    # Ends.

    def close(self) -> None:
        """Close what is open; a site is closed by the end of a ``with``, too."""
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.reader.words}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # copies of rows are read from where the rows are from

    # For rows.

    def results_of(self, numbers: list[int]) -> Results:
        """The results of some numbers."""
        return Results(self._asked(RESULTS.name, numbers), self._make(Result), self.name_of)

    def sources_of(self, numbers: list[int]) -> Selection[Source]:
        """The sources of some numbers."""
        return self._selection(Source, numbers)

    def frames_of(self, numbers: list[int]) -> Selection[Frame]:
        """The frames of some numbers."""
        return self._selection(Frame, numbers)

    def masters_of(self, numbers: list[int]) -> Selection[Master]:
        """The masters of some numbers."""
        return self._selection(Master, numbers)

    def measurements_of(self, frame: int) -> Selection[Measurement]:
        """The measurements of a frame."""
        return self._selection(Measurement)(frame_id=frame)

    def reduction_of(self, frame: Frame, settings: dict[str, Any]) -> Reduction:
        """The steps of the reduction of a frame with other settings."""
        raise NotHereError(_NO_FILES)

    def trial_of(self, result: Result, settings: dict[str, Any],
                 without: tuple[str, ...]) -> Trial:
        """A result computed with other settings."""
        raise NotHereError(_NO_FILES)

    def image_of(self, frame: Frame, kind: str) -> Image:
        """An image of a frame."""
        raise NotHereError(_NO_FILES)

    def image_of_master(self, master: Master) -> Image:
        """The image of a master."""
        raise NotHereError(_NO_FILES)

    def _selection(self, kind: type[Thing],
                   numbers: list[int] | None = None) -> Selection[Thing]:
        return Selection(self._asked(kind._listing.name, numbers), self._make(kind), self.name_of)

    def _asked(self, table: str, keys: list[int] | None = None) -> Asked:
        listing = LISTINGS[table]
        return Asked(self.reader, listing, keys=None if keys is None else tuple(keys),
                     order=_ORDERS.get(table, listing.order), usual=_USUAL.get(table, ()))

    def _make(self, kind: type[Thing]) -> Any:
        return partial(kind, self)

    def _one(self, kind: type[Thing], key: Any) -> Thing:
        listing = kind._listing
        row = self.reader.row(listing, key)
        if row is None:
            raise NotFoundError(f"there is no {listing.one} {key}")
        return kind(self, row)


def _whole(what: str, number: int) -> int:
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{what}() expects its number, found {number!r}")
    if not -_LARGEST <= int(number) < _LARGEST:
        raise NotFoundError(f"there is no {what} {number}")
    return int(number)

