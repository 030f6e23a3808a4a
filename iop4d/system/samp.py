"""A client of a SAMP hub on this machine (standard profile 1.3), to send a file to DS9 or TOPCAT.

The hub writes its address and a secret into a file of the account that runs it. Only who may read
that file can speak to it, which is why this is a command and no button of a page: a page would have
to speak to a port of the reader's own machine (docs/decisions/0020).
"""

from __future__ import annotations

import http.client
import os
import re
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit
from xml.parsers.expat import ExpatError

from iop4d.model.errors import Iop4dError

_SECONDS = 10.0  # for the hub's answer
_LOCAL = ("127.0.0.1", "localhost", "::1")


class SampError(Iop4dError):
    """Nothing was sent; the message says why."""


def lock_file(environment: Mapping[str, str]) -> Path:
    """Where the hub of an account says how to reach it."""
    said = environment.get("SAMP_HUB", "")
    if said.startswith("std-lockurl:file:"):
        return Path(unquote(urlsplit(said.removeprefix("std-lockurl:")).path))
    return Path(environment.get("HOME") or Path.home()) / ".samp"


@dataclass(frozen=True, kw_only=True)
class Hub:
    """How a hub is reached."""

    url: str
    secret: str

    @staticmethod
    def find(file: Path) -> Hub:
        """The hub that a file tells of; raises SampError where there is none."""
        try:
            text = file.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            raise SampError(f"no SAMP hub runs: there is no {file}; TOPCAT, Aladin or the command "
                            "'samp_hub' starts one") from None
        except OSError as error:
            raise SampError(f"{file}: {error.strerror or error}") from None
        keys = dict(line.partition("=")[::2] for line in text.splitlines()
                    if "=" in line and not line.startswith("#"))
        url, secret = keys.get("samp.hub.xmlrpc.url", "").strip(), keys.get("samp.secret", "")
        if not _is_address(url) or not secret:
            raise SampError(f"{file} does not say where the hub is")
        return Hub(url=url, secret=secret.strip())

    def send(self, mtype: str, params: Mapping[str, str], *, to: str = "") -> list[str]:
        """Notify every client that takes a kind of message, or those whose name has ``to`` in it.

        The names of those that got it. Raises SampError where the hub does not answer.
        """
        try:
            with xmlrpc.client.ServerProxy(self.url, transport=_Transport()) as proxy:
                return _send(cast(Any, proxy).samp.hub, self.secret, mtype, params, to)
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SampError(f"the SAMP hub at {self.url} does not answer: {error}") from error
        except (ExpatError, LookupError, TypeError, AttributeError, ValueError) as error:
            raise SampError(f"what answers at {self.url} is no SAMP hub, or has ended since: start "
                            "TOPCAT, Aladin or the command 'samp_hub' again") from error


def _is_address(url: str) -> bool:
    try:
        place = urlsplit(url)
        return place.scheme == "http" and bool(place.hostname) and place.port != 0
    except ValueError:  # a port that is no number
        return False


def _send(hub: Any, secret: str, mtype: str, params: Mapping[str, str], to: str) -> list[str]:
    key = hub.register(secret)["samp.private-key"]
    try:
        hub.declareMetadata(key, {"samp.name": "iop4d"})
        names = {one: str(hub.getMetadata(key, one).get("samp.name", one))
                 for one in hub.getSubscribedClients(key, mtype)}
        wanted = {one: name for one, name in names.items() if to.casefold() in name.casefold()}
        for one in wanted:
            hub.notify(key, one, {"samp.mtype": mtype, "samp.params": dict(params)})
        return sorted(wanted.values())
    finally:
        hub.unregister(key)


class _Transport(xmlrpc.client.Transport):
    """With a time limit, and to this machine alone."""

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        place = urlsplit(f"//{host}")
        if place.hostname not in (*_LOCAL, os.uname().nodename):
            raise SampError(f"the SAMP hub is said to be at {place.hostname}, which is not this "
                            "machine")
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=_SECONDS)


def message_of(content: bytes) -> str:
    """The kind of message that loads a file; raises SampError for what is none of the three."""
    if content.startswith(b"SIMPLE  ="):
        axes = re.search(rb"NAXIS   = +(\d)", content)
        is_image = bool(axes and int(axes[1]) > 1) or b"XTENSION= 'IMAGE" in content
        return "image.load.fits" if is_image else "table.load.fits"
    if b"<VOTABLE" in content[:4096]:
        return "table.load.votable"
    raise SampError("it is neither a FITS file nor a VOTable")
