"""A notice from elsewhere that a source flares, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.model.errors import Iop4dError


class NoticeError(Iop4dError):
    """A notice cannot be read; the message says what was expected."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a notice says.

    ``event``: by which two notices are of one event, whichever way they came. ``names``: what it
    calls the source. ``ra_deg``, ``dec_deg``, ``error_deg``: ICRS degrees and the radius of the
    error, None where it has none. ``at``: Unix seconds of what happened; ``issued_at``: of the
    notice; ``until``: until when it asks for priority, else None; ``hours``: for how long.
    ``significance``: in sigma. ``flux``: in ``flux_unit``. ``text``: what it says, in a line.
    ``withdrawn``: it takes back what was said before. ``test``: why it is none to act on, or empty.
    """

    event: str
    names: tuple[str, ...] = ()
    ra_deg: float | None = None
    dec_deg: float | None = None
    error_deg: float | None = None
    at: float | None = None
    issued_at: float | None = None
    until: float | None = None
    hours: float | None = None
    text: str = ""
    significance: float | None = None
    flux: float | None = None
    flux_unit: str = ""
    withdrawn: bool = False
    test: str = ""
