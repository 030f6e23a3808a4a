"""A result computed again with other settings, beside the stored one."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from iop4d.ledger.compared import calibrators_apart, compare, notes_of
from iop4d.ledger.trials import answer_of
from iop4d.library.compared import table_of
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import TrialRequest
from iop4d.reduction.workbench import Workbench
from iop4d.store.results import VALUES

if TYPE_CHECKING:
    from astropy.table import Table

    from iop4d.library.results import Result


class Trial:
    """A result with other settings; ``Result.reduce`` makes it. Nothing is written."""

    def __init__(self, result: Result, planned: TrialRequest, bench: Workbench) -> None:
        self.result = result
        self.settings = dict(planned.settings)
        self.without = planned.without
        self._planned = planned
        self._bench = bench

    @cached_property
    def _answer(self) -> dict[str, Any]:
        answer = answer_of(self._bench.perform(self._planned))
        if "error" in answer:
            raise Iop4dError(f"result {self.result['id']} cannot be computed so: "
                             f"{answer['error']}")
        return answer

    @property
    def stored(self) -> dict[str, Any]:
        """The result of its own frames alone with the site's settings, as plain values."""
        return dict(self._answer["stored"])

    @property
    def tried(self) -> dict[str, Any]:
        """The same with the other settings."""
        return dict(self._answer["tried"])

    def compare(self) -> Table:
        """A row for each quantity: ``kept`` (on record), ``stored`` (of its frames alone, with the
        site's settings), ``tried``, each with its random error; ``difference`` of the last two, and
        ``sigmas``: that in units of the stored error. Both rest on the same light, so that one
        sigma is much. ``meta["notes"]``: what is to be known besides. NaN for none."""
        kept = {name: self.result[name] if name in self.result._listing.by_name else None
                for name in VALUES if name not in ("calibrators", "methods")}
        table = table_of(compare(kept, self._answer))
        table.meta["notes"] = notes_of(self.settings, self._answer)
        return table

    def calibrators(self) -> list[dict[str, Any]]:
        """Each calibrator's own zero point, ``stored`` and ``tried``; None where it has none."""
        return calibrators_apart(self._answer)

    def __repr__(self) -> str:
        said = [f"{name} = {value}" for name, value in self.settings.items()]
        said += [f"without {name}" for name in self.without]
        return f"<Trial of {self.result!r} with {', '.join(said)}>"
