"""The same things read from a server that serves a site (``iop4d web``), by ``/api/v1``."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from iop4d import __version__
from iop4d.library.errors import NotFoundError, NotHereError, SelectionError, ServerError
from iop4d.library.observatory import Observatory
from iop4d.library.reader import Field, Instrument, Known, Page, Row
from iop4d.store.tables import LISTINGS, Listing
from iop4d.system.astropy_folders import give_folders

if TYPE_CHECKING:
    from iop4d.library.frames import Frame, Master
    from iop4d.library.image import Image

_API = "/api/v1"
_MOST = 10_000  # rows of an answer
_TRIES = 4  # at a server that has much to do
_LONGEST_WAIT = 10.0  # seconds, that a server may ask for
_SOURCES_S = 60.0  # for which the list of sources is kept


class ServerReader:
    """See :class:`reader.Reader`."""

    def __init__(self, http: httpx2.Client, *, clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._known: tuple[float, list[Known]] | None = None
        self._instruments: list[Instrument] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Client has a token, which is not written into a file: make one in each "
                        "process; tables can be pickled")

    @property
    def words(self) -> str:
        """The address of the server."""
        return str(self._http.base_url).rstrip("/")

    def page(self, listing: Listing, fields: tuple[Field, ...], columns: tuple[str, ...],
             size: int, place: Any) -> Page:
        """At most so many rows, by one question."""
        asked = [*fields, ("columns", ",".join(columns)), ("limit", str(min(size, _MOST)))]
        if place is not None:
            asked.append(("cursor", place))
        answer = self.get(f"{_API}/{listing.name}", asked, "rows", "next")
        return Page(rows=answer["rows"], after=answer["next"])

    def count(self, listing: Listing, fields: tuple[Field, ...]) -> int:
        """How many rows there are; where the server does not count so many, they are read."""
        answer = self.get(f"{_API}/{listing.name}", [
            *fields, ("columns", listing.key), ("limit", "1"), ("total", "yes")], "total")
        if answer["total"]["is_exact"]:
            return int(answer["total"]["count"])
        found, place = 0, None
        while True:
            page = self.page(listing, fields, (listing.key,), _MOST, place)
            found, place = found + len(page.rows), page.after
            if place is None:
                return found

    def row(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key with every column."""
        names = tuple(column.name for column in listing.columns)
        rows = self.page(listing, ((listing.key, str(key)),), names, 1, None).rows
        return rows[0] if rows else None

    def details(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key with everything that belongs to it."""
        try:
            return self.get(f"{_API}/{listing.name}/{quote(str(key), safe='')}", [])
        except NotFoundError:
            return None

    def explain(self, result: int) -> Row:
        """All that a result rests on."""
        return self.get(f"{_API}/results/{result}", [])

    def sources(self) -> list[Known]:
        """The sources of the catalogue, asked for once in a minute."""
        now = self._clock()
        if self._known is None or now - self._known[0] > _SOURCES_S:
            found, place = list[Known](), None
            while True:
                page = self.page(LISTINGS["sources"], (), ("name", "other_names", "magnitudes"),
                                 _MOST, place)
                found += [Known(name=row["name"], other_names=tuple(row["other_names"] or ()),
                                bands=tuple(row["magnitudes"] or ())) for row in page.rows]
                place = page.after
                if place is None:
                    break
            self._known = now, found
        return self._known[1]

    def has_results_of(self, source: str) -> bool:
        """Whether there is a result of a source."""
        return bool(self.page(LISTINGS["results"], (("source", source),), ("id",), 1, None).rows)

    def instruments(self) -> list[Instrument]:
        """The instruments of the site, asked for once; none where the server does not tell them."""
        if self._instruments is None:
            try:
                rows = self.get(f"{_API}/instruments", [], "rows")["rows"]
            except NotFoundError:  # an older version
                rows = []
            self._instruments = [Instrument(name=row["name"], telescope=row["telescope"])
                                 for row in rows]
        return self._instruments

    def file(self, address: str) -> bytes:
        """A file of the server."""
        return self._asked(address, []).content

    def get(self, address: str, fields: list[Field], *needs: str) -> Row:
        """The answer at an address, as plain values; with what it needs to have."""
        answer = self._asked(address, fields)
        found: Row = {}
        with suppress(json.JSONDecodeError, UnicodeDecodeError):
            found = answer.json()
        if not isinstance(found, dict) or not found or set(needs) - set(found):
            raise ServerError(f"{self.words} answers with something else: is that the address of "
                              "'iop4d web'?", status=answer.status_code)
        return found

    def _asked(self, address: str, fields: list[Field]) -> httpx2.Response:
        for left in range(_TRIES - 1, -1, -1):
            if self._http.is_closed:
                raise ServerError(f"the connection to {self.words} was closed: make another Client")
            try:
                answer = self._http.get(address, params=tuple(fields))
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise ServerError(f"{self.words} cannot be reached: "
                                  f"{str(error) or type(error).__name__}") from None
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE or not left:
                break
            self._sleep(_wait(answer))
        if answer.status_code == httpx2.codes.OK:
            return answer
        raise self._refused(answer)

    def _refused(self, answer: httpx2.Response) -> Exception:
        """An answer that is none, in words."""
        status, said, field = answer.status_code, "", ""
        try:
            content = answer.json()
            said, field = str(content.get("error", "")), str(content.get("field", ""))
        except (ValueError, AttributeError):
            said = ""
        if status == httpx2.codes.BAD_REQUEST and field:
            return SelectionError(said)
        if status == httpx2.codes.NOT_FOUND:
            return NotFoundError(said or f"{self.words} has no {answer.request.url.path}")
        words = {
            401: "needs a token that is valid: make one on the page of your account, or by "
                 "'iop4d users token'; iop4d.Client(url, token)",
            403: "does not let this account read that", 503: "has too much to do now",
            429: "has had too many requests"}
        if 300 <= status < 400:
            return ServerError(f"{self.words} sends to {answer.headers.get('Location', '?')}: "
                               "use that address", status=status)
        what = words.get(status, f"answers with the status {status}")
        return ServerError(f"{self.words} {what}{f' ({said})' if said else ''}", status=status)

    def close(self) -> None:
        """End the connection."""
        self._http.close()


def _wait(answer: httpx2.Response) -> float:
    """Seconds that a busy server asks to wait; a second where it names a date, or nothing."""
    text = answer.headers.get("Retry-After", "")
    return min(_LONGEST_WAIT, float(text)) if text.isdecimal() and text.isascii() else 1.0


class Client(Observatory):
    """A server that serves a site: the same names as of :class:`Site`, read by ``/api/v1``.

    ``url``: such as ``https://iop4d.example.org``; ``token``: of an account, None for what is open
    to everybody. ``timeout_s``: seconds that an answer may take. Raises ServerError where the
    server is not reached or does not answer as it should; its ``status`` says how. Reductions by
    hand need the site itself (NotHereError).
    """

    reader: ServerReader

    def __init__(self, url: str, token: str | None = None, *, timeout_s: float = 60.0,
                 transport: httpx2.BaseTransport | None = None) -> None:
        give_folders()
        headers = {"Accept": "application/json", "User-Agent": f"iop4d {__version__}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s,
                                 transport=transport)
        except httpx2.InvalidURL as error:
            raise ServerError(f"'{url}' is no address: {error}") from None
        if http.base_url.scheme not in ("http", "https"):
            raise ServerError(f"'{url}' is no address: it begins with http:// or https://")
        super().__init__(ServerReader(http))

    def image_of(self, frame: Frame, kind: str) -> Image:
        """``raw`` (all of its pixels, as the file has them) or ``reduced``."""
        from iop4d.library.pixels import raw_of, reduced_of

        if kind == "masks":
            raise NotHereError("masks are made from the site's masters: open the site itself")
        if kind not in ("raw", "reduced"):
            raise SelectionError(f"'{kind}' is none of raw, reduced")
        try:
            content = self.reader.file(f"/frames/{frame['id']}/{kind}")
        except NotFoundError as error:
            raise NotFoundError(f"{self.reader.words} has no {kind} image of the frame "
                                f"{frame['id']}: it is {frame['state']} ({error})") from None
        with tempfile.TemporaryDirectory(prefix="iop4d-") as folder:
            path = Path(folder) / Path(str(frame["name"])).name
            path.write_bytes(content)
            if kind == "raw":
                return raw_of(path, None, None, None)
            info = frame.info
            return reduced_of(path, info.get("wcs"), sky=info.get("sky"),
                              sky_sigma=info.get("sky_sigma"),
                              gain=(frame.details.get("detector") or {}).get("gain_e_adu"))

    def image_of_master(self, master: Master) -> Image:
        """Masters are not to be had from a server."""
        raise NotHereError("the pixels of masters are in the site's files: open the site itself")

