"""What can go wrong in the library, in words; each is an :class:`Iop4dError` too."""

from __future__ import annotations

from iop4d.model.errors import Iop4dError


class NotFoundError(Iop4dError, LookupError):
    """There is no source, frame, result or other thing of that name or number."""


class SelectionError(Iop4dError, ValueError):
    """A value by which rows are selected makes no sense; the message says what does."""


class NotInstalledError(Iop4dError, ImportError):
    """An optional package is not installed; the message says how to install it."""


class ServerError(Iop4dError):
    """A server did not answer as it should. ``status``: its HTTP status, 0: it was not reached."""

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class NotHereError(Iop4dError):
    """What was asked for needs the site's own files: it is not to be had from a server."""
