"""A file goes to the programs of a SAMP hub; the hub here is astropy's own."""

from __future__ import annotations

import threading
import time
import warnings
import xmlrpc.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from iop4d.cli.samp import samp
from iop4d.system.samp import Hub, SampError, lock_file, message_of

with warnings.catch_warnings():  # it moves to pyvo, which is no dependency of ours
    warnings.simplefilter("ignore")
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A hub that runs, by the file that tells of it."""
    file = tmp_path_factory.mktemp("hub") / "samp"
    server = SAMPHubServer(web_profile=False, lockfile=str(file), mode="single", addr="127.0.0.1")
    server.start()
    yield file
    server.stop()


@pytest.fixture
def topcat(hub: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What a program of the name Topcat gets."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{hub.as_uri()}")
    client, got = SAMPIntegratedClient(name="Topcat", addr="127.0.0.1"), []
    client.connect(hub=None)
    for mtype in ("table.load.votable", "image.load.fits"):
        client.bind_receive_notification(
            mtype, lambda key, sender, mtype, params, extra: got.append((mtype, params)))
    yield got
    client.disconnect()


def _files(folder: Path) -> tuple[Path, Path]:
    table, image = folder / "results.vot", folder / "a frame.fits"
    Table({"mag": [13.2]}).write(table, format="votable")
    fits.PrimaryHDU(np.zeros((4, 5), np.float32)).writeto(image)
    return table, image


def test_a_table_and_an_image_come_to_the_program_that_takes_them(
        topcat: list[tuple[str, Any]], tmp_path: Path) -> None:
    for path, mtype in zip(_files(tmp_path), ("table.load.votable", "image.load.fits"),
                           strict=True):
        ran = CliRunner().invoke(samp, [str(path), "--to", "topcat"])
        assert ran.exit_code == 0, ran.output
        assert "sent to Topcat" in ran.output
        until = time.monotonic() + 5
        while not topcat and time.monotonic() < until:
            time.sleep(0.02)
        assert topcat.pop() == (mtype, {"url": path.as_uri(), "name": path.name})
    ran = CliRunner().invoke(samp, [str(path), "--to", "aladin"])
    assert isinstance(ran.exception, SampError)
    assert str(ran.exception) == "no program of the hub takes image.load.fits and is named aladin"


def test_without_a_hub_or_with_a_strange_one_nothing_is_sent(tmp_path: Path) -> None:
    with pytest.raises(SampError, match="no SAMP hub runs"):
        Hub.find(lock_file({"HOME": str(tmp_path)}))
    file = tmp_path / ".samp"
    file.write_text("# text\n", encoding="ascii")
    with pytest.raises(SampError, match="does not say where the hub is"):
        Hub.find(file)
    for url in ("http://127.0.0.1:port/x", "http://[::1/x", "http:///x"):
        file.write_text(f"samp.secret=x\nsamp.hub.xmlrpc.url={url}\n", encoding="ascii")
        with pytest.raises(SampError, match="does not say where the hub is"):
            Hub.find(file)
    for url, said in (("http://192.0.2.1:1/x", "not this machine"),
                      ("http://127.0.0.1:1/x", "does not answer")):
        file.write_text(f"samp.secret=x\nsamp.hub.xmlrpc.url={url}\n", encoding="ascii")
        with pytest.raises(SampError, match=said):
            Hub.find(file).send("image.load.fits", {})


class Other(BaseHTTPRequestHandler):
    """What has the port of a hub that ended: it answers something else."""

    says = b""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.says)))
        self.end_headers()
        self.wfile.write(self.says)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize("says", [
    b"<html><p>It works!</html>", b"", xmlrpc.client.dumps(("yes",), methodresponse=True).encode(),
    xmlrpc.client.dumps((7,), methodresponse=True).encode()], ids=["page", "nothing", "text", "7"])
def test_what_has_the_port_of_a_hub_that_ended_is_told_from_one(
        says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Other, "says", says)
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            with pytest.raises(SampError, match="is no SAMP hub"):
                Hub(url=f"http://127.0.0.1:{server.server_port}/x", secret="x").send(
                    "image.load.fits", {})
        finally:
            server.shutdown()
            thread.join()


def test_files_are_known_by_what_they_hold(tmp_path: Path) -> None:
    table, image = _files(tmp_path)
    assert message_of(table.read_bytes()) == "table.load.votable"
    assert message_of(image.read_bytes()) == "image.load.fits"
    Table({"mag": [13.2]}).write(tmp_path / "t.fits")
    assert message_of((tmp_path / "t.fits").read_bytes()) == "table.load.fits"
    with pytest.raises(SampError, match="neither"):
        message_of(b"mag,band\n")
