"""What results were before they changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.table import QTable

if TYPE_CHECKING:
    from iop4d.library.results import Result

_NUMBERS = {"mag": "mag", "mag_err": "mag", "p": "", "p_err": "", "chi_deg": "deg",
            "chi_err_deg": "deg"}


def history_of(results: list[Result]) -> QTable:
    """A row for each revision of each result, the earliest first, the present one last."""
    rows = [row for result in results for row in _revisions(result)]
    table = QTable()
    table["result"] = [row["result"] for row in rows]
    table["source"] = [row["source"] for row in rows]
    table["revision"] = [row["revision"] for row in rows]
    for name, unit in {"replaced_at": "s", **_NUMBERS}.items():
        values = [math.nan if row.get(name) is None else float(row[name]) for row in rows]
        table[name] = values * u.Unit(unit) if unit else values
    table["flags"] = [row["flags"] for row in rows]
    return table


def _revisions(result: Result) -> list[dict[str, Any]]:
    from iop4d.model.flags import names

    chain = result.explain()
    now = {name: result[name] for name in _NUMBERS} | {
        "revision": result["revision"], "flags": ";".join(result["flags"] or ())}
    before = [was | {"flags": ";".join(names(int(was.get("flags") or 0)))}
              for was in chain["history"]]
    return [{"result": result["id"], "source": result["source"], **row}
            for row in (*before, now)]
