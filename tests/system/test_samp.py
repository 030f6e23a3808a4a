"""A file goes to the programs of a SAMP hub; the hub here is astropy's own."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
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
    for url, said in (("http://192.0.2.1:1/x", "not this machine"),
                      ("http://127.0.0.1:1/x", "does not answer")):
        file.write_text(f"samp.secret=x\nsamp.hub.xmlrpc.url={url}\n", encoding="ascii")
        with pytest.raises(SampError, match=said):
            Hub.find(file).send("image.load.fits", {})


def test_files_are_known_by_what_they_hold(tmp_path: Path) -> None:
    table, image = _files(tmp_path)
    assert message_of(table.read_bytes()) == "table.load.votable"
    assert message_of(image.read_bytes()) == "image.load.fits"
    Table({"mag": [13.2]}).write(tmp_path / "t.fits")
    assert message_of((tmp_path / "t.fits").read_bytes()) == "table.load.fits"
    with pytest.raises(SampError, match="neither"):
        message_of(b"mag,band\n")
