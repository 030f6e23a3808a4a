"""Instruments that come as plug-ins."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import ConfigError
from iop4d.model.frame import FrameKind

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugin"


def plug_in(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with one entry point, as pip would lay it down."""
    info = folder / "iop4d_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: iop4d-example\nVersion: 1.0\n",
                                   encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[iop4d.instruments]\nexample = {target}\n",
                                           encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_a_plug_in_brings_an_instrument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plug_in(tmp_path, project["entry-points"]["iop4d.instruments"]["balcony"], monkeypatch)
    header = {"NAXIS": 2, "NAXIS1": 1080, "NAXIS2": 1920, "INSTRUME": "Balcony 50",
              "DATE-OBS": "2024-03-14T21:30:00", "EXPTIME": 10.0, "OBJECT": "M 42"}
    facts = instrument_for(header, find_instruments()).read(header, "x.fits")
    assert (facts.instrument, facts.band, facts.kind) == ("Balcony", "V", FrameKind.SCIENCE)


@pytest.mark.parametrize(("target", "reason"), [
    ("iop4d_no_such_module:X", "cannot be loaded: ModuleNotFoundError"),
    ("math:no_such_name", "cannot be loaded: AttributeError"),
    ("broken_plug_in:X", "cannot be loaded: ZeroDivisionError: division by zero"),
    ("math:pi", "is no Instrument")])
def test_a_broken_plug_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str,
                                   reason: str) -> None:
    (tmp_path / "broken_plug_in.py").write_text("1 / 0", encoding="utf-8")
    plug_in(tmp_path, target, monkeypatch)
    with pytest.raises(ConfigError, match=f"'example' .*{reason}"):
        find_instruments()
