"""``iop4d samp``: send a table or a frame to DS9, TOPCAT or Aladin on one's own machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from iop4d.cli.common import verbosity
from iop4d.cli.output import echo
from iop4d.model.errors import Iop4dError

_MOST = 2 << 30  # bytes that are taken from a page
_PART = 1 << 20


@click.command()
@click.argument("what", metavar="FILE|ADDRESS")
@click.option("--to", default="", metavar="NAME",
              help="Only to programs whose name has this in it, such as topcat.")
@verbosity
def samp(what: str, to: str) -> None:
    """Send a FITS file or a VOTable to the programs of a SAMP hub on this machine.

    ADDRESS is one of a page: of a file of /data (format=votable), of a frame's raw or reduced
    file. A token in the variable IOP4D_TOKEN is sent with it. The programs get a copy.
    """
    from iop4d.system.samp import Hub, SampError, lock_file, message_of

    hub = Hub.find(lock_file(os.environ))
    path = _taken(what) if "://" in what else Path(what).absolute()
    try:
        with path.open("rb") as file:
            mtype = message_of(file.read(1 << 16))
    except OSError as error:
        raise SampError(f"{path}: {error.strerror or error}") from None
    sent = hub.send(mtype, {"url": path.as_uri(), "name": path.name}, to=to)
    if not sent:
        raise SampError(f"no program of the hub takes {mtype}" + (f" and is named {to}" if to
                                                                   else ""))
    echo(f"{path.name} sent to {', '.join(sent)}")


def _taken(address: str) -> Path:
    """A copy of a page's file; raises Iop4dError where it does not come."""
    import urllib.error
    import urllib.request
    from urllib.parse import urlsplit

    if urlsplit(address).scheme not in ("http", "https"):
        raise Iop4dError(f"{address}: expected an address with http or https")
    asked = urllib.request.Request(address)  # noqa: S310 - checked above
    if token := os.environ.get("IOP4D_TOKEN"):
        asked.add_unredirected_header("Authorization", f"Bearer {token}")
    folder = Path(tempfile.mkdtemp(prefix="iop4d-samp-"))
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - checked above
            path = folder / _name_of(answer.headers.get_filename() or "iop4d.file")
            with path.open("wb") as file:
                while (part := answer.read(_PART)) and file.tell() < _MOST:
                    file.write(part)
    except urllib.error.HTTPError as error:
        raise Iop4dError(f"{address}: the page answers {error.code} {error.reason}") from None
    except OSError as error:
        raise Iop4dError(f"{address}: {error}") from None
    return path


def _name_of(said: str) -> str:
    """The name that a page gives a file, as a name alone."""
    return Path(said.replace("\\", "/")).name or "iop4d.file"
