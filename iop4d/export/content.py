"""What is written into a file: columns, rows, and where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from iop4d import __version__
from iop4d.store.tables.columns import Column, Kind

#: The published pipeline that iop4d stands on, and how to name both.
PAPER = "Escudero Pedrosa et al. 2024, AJ, 168, 84"
BIBCODE = "2024AJ....168...84E"

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Content:
    """A table to be written. ``about``: what its rows are, and which of them; ``made``: UTC.

    ``observer``: the code of an observer at the AAVSO. ``comments``: whether a CSV file begins with
    lines of comments.
    """

    name: str
    columns: tuple[Column, ...]
    about: str = ""
    made: str = ""
    observer: str = ""
    comments: bool = True

    @property
    def citation(self) -> str:
        """How to cite the table."""
        return (f"Made with iop4d {__version__}. If you publish these data, please cite iop4d and "
                f"the pipeline that it stands on, IOP4: {PAPER} ({BIBCODE}).")

    @property
    def lines(self) -> list[str]:
        """What every file says of itself."""
        made = f"Made {self.made} UTC." if self.made else ""
        return [line for line in (self.about, made, self.citation) if line]


def text_of(column: Column, value: Any) -> str:
    """A value as text; empty for none."""
    if value is None:
        return ""
    match column.kind:
        case Kind.YES_NO:
            return "true" if value else "false"
        case Kind.FLAGS:
            return ";".join(value)
        case Kind.LIST:
            return _of_list(value)
        case Kind.NUMBER | Kind.DAY | Kind.MOMENT:
            return repr(rounded(column, value))
        case _:
            return str(value)


def rounded(column: Column, value: float) -> float:
    """A number with as many digits as the column has."""
    return float(value) if column.digits is None else column.rounded(
        float(value), column.digits)


def _of_list(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        return ";".join(str(part) for part in value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""
