"""Index files from a server: only the tiles that are needed, whole, and on from where it broke."""

from __future__ import annotations

import errno
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from iop4d.fields.download import fetch, wanted
from iop4d.fits.slim_index import has_further_columns
from iop4d.fits.solver_files import load
from iop4d.model.errors import Iop4dError
from iop4d.model.source import Source, SourceKind
from tests.support.index_files import with_further_columns

NAME = "index-5204-14.fits"


class Server(SimpleHTTPRequestHandler):
    """A folder; knows ranges, and breaks off after so many bytes if it is told to."""

    ranges = True
    breaks_after = 0
    asked: list[str | None]

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        self.asked.append(self.headers.get("Range"))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        start = 0
        if self.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + self.breaks_after if self.breaks_after else None
        self.wfile.write(content[start:end])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, type[Server], Path]]:
    folder = tmp_path / "served"
    folder.mkdir()
    fits.writeto(folder / NAME, np.arange(300000, dtype="i4"))
    handler = type("Handler", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as one:
        thread = threading.Thread(target=one.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{one.server_address[1]}/{NAME}", handler, folder / NAME
        one.shutdown()
        thread.join()


def nothing(_have: int, _total: int | None) -> None:
    pass


def test_a_file_comes_whole_and_only_once(server: tuple[str, type[Server], Path],
                                          tmp_path: Path) -> None:
    url, handler, original = server
    told: list[tuple[int, int | None]] = []
    assert fetch(url, tmp_path / "a" / NAME, progress=lambda *one: told.append(one))
    assert (tmp_path / "a" / NAME).read_bytes() == original.read_bytes()
    size = original.stat().st_size
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert not fetch(url, tmp_path / "a" / NAME, progress=nothing)
    assert handler.asked == [None]
    assert [path.name for path in (tmp_path / "a").iterdir()] == [NAME]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_fetch_goes_on(server: tuple[str, type[Server], Path], tmp_path: Path, *,
                                ranges: bool) -> None:
    url, handler, original = server
    handler.ranges, handler.breaks_after = ranges, 500000
    with pytest.raises(Iop4dError, match="resumes from there"):
        fetch(url, tmp_path / NAME, progress=nothing)
    assert not (tmp_path / NAME).exists()
    assert (tmp_path / f"{NAME}.part").stat().st_size == 500000
    handler.breaks_after = 0
    assert fetch(url, tmp_path / NAME, progress=nothing)
    assert handler.asked == [None, "bytes=500000-"]
    assert (tmp_path / NAME).read_bytes() == original.read_bytes()


def test_a_part_that_is_all_there_is_only_renamed(server: tuple[str, type[Server], Path],
                                                  tmp_path: Path) -> None:
    url, handler, original = server
    (tmp_path / f"{NAME}.part").write_bytes(original.read_bytes())
    assert fetch(url, tmp_path / NAME, progress=nothing)
    assert len(handler.asked) == 1


def test_a_part_of_another_file_is_begun_anew(server: tuple[str, type[Server], Path],
                                              tmp_path: Path) -> None:
    url, _, original = server
    (tmp_path / f"{NAME}.part").write_bytes(bytes(5_000_000))
    assert fetch(url, tmp_path / NAME, progress=nothing)
    assert (tmp_path / NAME).read_bytes() == original.read_bytes()


def test_further_columns_of_stars_are_not_kept(server: tuple[str, type[Server], Path],
                                               tmp_path: Path) -> None:
    url, _, original = server
    original.write_bytes(with_further_columns(tmp_path / "index")[0].read_bytes())
    assert fetch(url, tmp_path / "a" / NAME, progress=nothing)
    assert not has_further_columns(tmp_path / "a" / NAME)
    assert load([tmp_path / "a" / NAME])
    assert [path.name for path in (tmp_path / "a").iterdir()] == [NAME]


def test_a_file_that_cannot_be_written_is_named(
        server: tuple[str, type[Server], Path], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    url, _, _ = server

    def full(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("iop4d.fields.download.slim", full)
    with pytest.raises(Iop4dError, match=f"{NAME}: No space left on device"):
        fetch(url, tmp_path / NAME, progress=nothing)
    assert (tmp_path / f"{NAME}.part").exists()


def test_what_is_no_fits_file_is_thrown_away(server: tuple[str, type[Server], Path],
                                             tmp_path: Path) -> None:
    url, _, original = server
    original.write_text("<html>moved</html>", encoding="utf-8")
    with pytest.raises(Iop4dError, match="not a complete FITS file"):
        fetch(url, tmp_path / NAME, progress=nothing)
    assert not list(tmp_path.glob("*.part"))


def test_trouble_is_told(server: tuple[str, type[Server], Path], tmp_path: Path) -> None:
    url, _, _ = server
    with pytest.raises(Iop4dError, match="the server says 404"):
        fetch(url + "x", tmp_path / NAME, progress=nothing)
    with pytest.raises(Iop4dError, match="Connection refused"):
        fetch("http://127.0.0.1:9/x", tmp_path / NAME, progress=nothing)
    with pytest.raises(Iop4dError, match="not an http or https address"):
        fetch("file:///etc/passwd", tmp_path / NAME, progress=nothing)


def source(ra: float, dec: float) -> Source:
    return Source(name=f"{ra}", ra_deg=ra, dec_deg=dec, kind=SourceKind.TARGET)


def test_only_the_tiles_of_the_fields_are_wanted() -> None:
    bl_lac, three_c_273 = source(330.68, 42.28), source(187.28, 2.05)
    assert wanted("5200", (0, 4), [bl_lac], 0.5) == ["index-5200-14.fits", "index-5204-14.fits"]
    assert wanted("5200", (4,), [bl_lac, three_c_273, bl_lac], 0.5) == [
        "index-5204-14.fits", "index-5204-26.fits"]
    assert wanted("4200", (4, 5, 8), [bl_lac], 0.5) == [
        "index-4204-14.fits", "index-4205-03.fits", "index-4208.fits"]
    with pytest.raises(Iop4dError, match="has no quads of 23 to 32 arcmin: it has those of 2 to "
                                         "23; '--fetch 4200' has those of 2 to 2048"):
        wanted("5200", (7,), [bl_lac], 0.5)
    with pytest.raises(Iop4dError, match="has no quads of 2048 to 2896 arcmin: it has"):
        wanted("4200", (20,), [bl_lac], 0.5)


@pytest.mark.parametrize(("error", "said"), [
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
     "no name server answers: this machine may have no network"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
     "no name server knows this name"),
    (OSError(errno.ENETUNREACH, "Network is unreachable"),
     "no way leads there: this machine may have no network"),
])
@pytest.mark.parametrize("begun", [False, True])
def test_without_a_network_it_says_so_and_what_is_kept(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str,
        *, begun: bool) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError(error)

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    if begun:
        (tmp_path / f"{NAME}.part").write_bytes(b"SIMPLE")
    url = f"https://example.org/{NAME}"
    with pytest.raises(Iop4dError) as failed:
        fetch(url, tmp_path / NAME, progress=nothing)
    kept = "; the part that was downloaded is kept, and the next run resumes from there"
    assert str(failed.value) == f"{url}: {said}{kept if begun else ''}"
