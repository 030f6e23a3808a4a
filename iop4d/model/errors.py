"""Errors that carry a message meant for people."""

from __future__ import annotations


class Iop4dError(Exception):
    """Something the user can understand and mend; the message says what and how."""


class ConfigError(Iop4dError):
    """The site file is wrong; the message names the line and what was expected."""


class FrameError(Iop4dError):
    """A file cannot be used as a frame; the message says why."""


#: How the reason ends of a frame that is sound and none to be reduced: a spectrum, a lamp, a focus.
LEFT_ALONE = "not reduced"
#: How the reason begins of a frame of a camera that is not described yet.
UNKNOWN_INSTRUMENT = "no known instrument"


class CardError(FrameError):
    """A header card is missing or cannot be read."""

    def __init__(self, card: str, why: str) -> None:
        self.card = card
        super().__init__(f"card {card}: {why}")


class StageError(Iop4dError):
    """A step of the reduction failed on a sound frame."""

    def __init__(self, stage: str, why: str) -> None:
        self.stage = stage
        super().__init__(why)


class CatalogueError(Iop4dError):
    """A catalogue table is wrong; the message lists every bad row."""
