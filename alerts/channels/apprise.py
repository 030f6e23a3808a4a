"""Other services, through the library Apprise (the extra ``apprise``).

The addresses of such services hold their passwords. So they stand in a secret, one a line as
``tag = address``, and the recipients of the channel are the tags.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import threading
from typing import Any

from iop4d import config
from iop4d.alerts.channels.base import WHOLE, Notice, SendError, scrub, secret_for
from iop4d.alerts.rendering import clean

log = logging.getLogger(__name__)

_TAG = re.compile(r"[A-Za-z0-9][\w.-]*")  # without the colons that mean retries to the library
_PARSING = threading.Lock()  # what is caught meanwhile must be of one channel's secret
_KINDS = {"high": "warning", "atel": "warning", "critical": "failure"}


class AppriseChannel:
    """Services by their tags. The library waits for them on a thread, one notice at a time."""

    def __init__(self, channel: config.AppriseChannel, timeout: float) -> None:
        self._channel = channel
        self._timeout = timeout
        self._under_way: asyncio.Task[None] | None = None

    async def send(self, notice: Notice, recipient: str) -> None:
        """Hand a notice to every service of a tag; raises SendError unless all accepted it.

        A tag of several services that is tried again reaches all of them again: with a tag for
        each, each has its own retries.
        """
        addresses = secret_for(self._channel, needed="addresses")
        if not _TAG.fullmatch(recipient):
            raise SendError(f"'{clean(recipient, 80)}' is not a tag: expected one of the secret of "
                            f"channel '{self._channel.name}'", permanent=True)
        # A thread cannot be stopped; to start others beside it would fill the machine with them.
        if self._under_way is not None and not self._under_way.done():
            raise SendError("the previous delivery has not ended yet", permanent=False,
                            channel_down=True)
        self._under_way = asyncio.create_task(asyncio.to_thread(
            self._deliver, addresses, notice, recipient), name=f"apprise {self._channel.name}")
        try:
            async with asyncio.timeout(WHOLE * self._timeout):
                await asyncio.shield(self._under_way)
        except TimeoutError:
            self._under_way.add_done_callback(_swallow)
            raise SendError(f"the service of '{recipient}' did not answer in time",
                            permanent=False, unsure=True) from None

    def _deliver(self, addresses: str, notice: Notice, tag: str) -> None:
        """Runs on a thread. Raises SendError when a notice was not accepted."""
        apprise = self._library()
        try:
            reason = self._refusal_of(apprise, addresses, notice, tag)
        except SendError:
            raise
        except Exception as error:  # noqa: BLE001 code of a hundred services may raise anything
            reason = f"{type(error).__name__}: {clean(str(error))}"
            raise SendError(f"'{tag}': {scrub(reason, addresses)}", permanent=False) from None
        if reason is not None:
            raise SendError(f"'{tag}': {scrub(reason, addresses) or 'the service refused it'}",
                            permanent=False)

    def _refusal_of(self, apprise: Any, addresses: str, notice: Notice, tag: str) -> str | None:
        """Hand a notice to the services of a tag; why one refused it, None when all accepted it."""
        services, wrong = _parsed(apprise, addresses)
        if not list(services.find(tag=tag)):
            raise SendError(
                f"the secret of channel '{self._channel.name}' has no address for '{tag}' that "
                f"Apprise understands; expected a line '{tag} = address'"
                + (f" ({scrub(wrong, addresses)})" if wrong else ""), permanent=False)
        taken = services.notify(
            title=notice.subject, body=notice.text or notice.subject, tag=tag,
            notify_type=_KINDS.get(notice.severity, "info"), body_format="text",
            attach=_picture(notice))
        return None if taken else "; ".join(clean(entry.message, 200) for entry in taken.logs())

    def _library(self) -> Any:
        try:
            library = importlib.import_module("apprise")
        except ImportError as error:
            raise SendError(f"channel '{self._channel.name}' needs the library Apprise: install "
                            "iop4d[apprise]", permanent=False, channel_down=True) from error
        # What it logs can hold whole addresses. Its reasons come back in its results, which it
        # takes from its log: one that commands made quieter than that would leave them out.
        logger = logging.getLogger("apprise")
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        return library


def _parsed(apprise: Any, addresses: str) -> tuple[Any, str]:
    """The services of a secret, and what is wrong with its lines."""
    with _PARSING, apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as caught:
        book = apprise.AppriseConfig()
        book.add_config(addresses, format="text")
        services = apprise.Apprise()
        services.add(book)
        len(services)  # it is read no sooner
        return services, clean("; ".join(caught.getvalue().splitlines()))


def _picture(notice: Notice) -> Any:
    if not notice.picture:
        return None
    memory = importlib.import_module("apprise.attachment.memory")
    return memory.AttachMemory(content=notice.picture, name="light-curve.png",
                               mimetype="image/png")


def _swallow(task: asyncio.Task[None]) -> None:
    """A delivery that ended too late: its outcome is only logged."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a delivery that had timed out ended with an error: %s", error)
