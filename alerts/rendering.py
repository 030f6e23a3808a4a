"""What messages, summaries and ATel drafts are written with: clean text, one Jinja environment."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from iop4d.model.units import (
    TO_MINUTES,
    decimal,
    plus_minus,
    plus_minus_chi,
    utc_of_unix,
)


def clean(text: str, limit: int = 200) -> str:
    """Text on one line, fit for a header: no control, direction or line-break character.

    Names come from headers of frames and from catalogues; a line break in one would let it write
    headers of its own, and the mail library refuses it, which would lose the alert.
    """
    kept = ("" if unicodedata.category(c) in ("Cf", "Cs", "Co", "Cn") else
            " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    joined = " ".join("".join(kept).split())
    return joined if len(joined) <= limit else joined[:limit - 1].rstrip() + "…"


def headline(value: float | None, error: float | None) -> str:
    """``12.87 ± 0.02``, in three decimals where the error needs them."""
    return plus_minus(value, error, 3 if error is not None and error < 0.01 else 2)


def count(number: int, what: str) -> str:
    """``1 frame``, ``3 frames``."""
    return f"{number} {what}{'s' * (number != 1)}"


def moment(at: float) -> str:
    """Unix seconds as ``2026-11-22 21:04``."""
    return utc_of_unix(at, TO_MINUTES)


def render(template: str, values: Mapping[str, Any], **helpers: Any) -> str:
    """The text of a file of ``templates/``; raises jinja2.TemplateError.

    A value that is missing is an error. In ``.html`` all values are escaped.
    """
    return _environment().get_template(template).render(values, **helpers)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("iop4d.alerts"), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=select_autoescape(["html"]))
    environment.filters |= {"number": decimal, "moment": moment}
    environment.globals |= {"plus_minus": plus_minus, "plus_minus_chi": plus_minus_chi,
                            "headline": headline, "count": count}
    return environment
