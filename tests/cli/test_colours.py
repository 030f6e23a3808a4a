"""``iop4d calibrate-colours``: from calibrators of some nights to a section of the site file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.config.load import load_site
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import ConfigError
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Measurement

TERM = 0.08
HEADER = "name,ra,dec,kind,calibrates,mag_B,mag_V,mag_R,mag_err\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two fields of six stars each, three nights of four frames, by a camera with a term in V."""
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    rng = np.random.default_rng(2)
    rows, stars = [], {}
    for n, field in enumerate(("One", "Two")):
        rows.append(f"{field},{10.0 + 90 * n},20.0,target,,,,,")
        for i in range(6):
            v, colour = 13.0 + 0.3 * i, float(rng.uniform(0.3, 1.5))
            stars[f"{field} {i}"] = field, v, colour
            listed = v + rng.normal(0.0, 0.01)
            rows.append(f"{field} {i},{10.0 + 90 * n + 0.01 * i},20.0,calibrator,{field},"
                        f"{listed + colour:.4f},{listed:.4f},{listed - 0.5:.4f},0.01")
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, parse(HEADER + "\n".join(rows)))
        for number in range(24):
            field, night = ("One", "Two")[number % 2], number // 8
            frame = tx.create(
                Frame, name=f"f{number}", path=f"/f{number}", archive="a", size=1, mtime_ns=1,
                state="done", kind="science", mode="photometry", instrument="AndorT90",
                telescope="OSN-T090", band="V", night=f"2024-03-{10 + night}", exptime_s=60.0,
                jd_start=2460380.0 + night + 0.01 * number, seen_at=1.0, completed_at=1.0,
                changed_at=1.0)
            for name, (own, v, colour) in stars.items():
                if own == field:
                    mag = v - 21.0 - TERM * colour + 0.1 * night + rng.normal(0.0, 0.004)
                    tx.create(Measurement, frame=frame, source=name, x=1.0, y=1.0, flux=1.0,
                              flux_err=0.01, mag_inst=mag, mag_inst_err=0.004, snr=200.0)
    database.close()
    return tmp_path


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["calibrate-colours", *words, "--site", str(site)])


def test_the_term_is_found_and_its_section_is_one_of_the_site_file(site: Path) -> None:
    ran = run(site, "AndorT90")
    assert ran.exit_code == 0, ran.output
    assert ("AndorT90 V against B-V: 12 of 12 stars in 2 fields, 24 frames of 3 nights from "
            "2024-03-10 to 2024-03-12") in ran.output
    section = ran.output[ran.output.index("[[colour_term]]"):]
    (site / "iop4d.toml").write_text(section, encoding="utf-8")
    loaded = load_site(site)
    (term,) = loaded.colour_term
    assert (term.instrument, term.band, term.colour, term.since) == (
        "AndorT90", "V", "B-V", "2024-03-10")
    assert abs(term.term - TERM) < 3 * term.term_err
    assert 0.004 < term.term_err < 0.02
    (facts,) = json.loads(run(site, "AndorT90", "--json").output)
    assert (facts["band"], facts["colour"], len(facts["calibrators"])) == ("V", "B-V", 12)
    assert round(facts["term"], 4) == term.term
    andor = next(i for i in find_instruments((), (), loaded.colour_term) if i.name == "AndorT90")
    held = andor.system.term_at("V", 2460380.5)
    assert held is not None
    assert held.term == term.term
    assert andor.system.term_at("V", 2460378.0) is None
    assert andor.system.term_at("R", 2460380.5) is None


def test_nights_and_bands_can_be_chosen(site: Path) -> None:
    assert "8 frames of 1 nights" in run(site, "AndorT90", "--since", "2024-03-12").output
    assert "no photometry frame" in str(run(site, "AndorT90", "--band", "R").exception)
    assert "V-R" in run(site, "AndorT90", "--colour", "V-R").output


def test_an_unknown_instrument_is_refused(site: Path) -> None:
    (site / "iop4d.toml").write_text(
        '[[colour_term]]\ninstrument = "Nobody"\nband = "V"\ncolour = "B-V"\nterm = 0.1\n',
        encoding="utf-8")
    with pytest.raises(ConfigError, match="Nobody"):
        find_instruments((), (), load_site(site).colour_term)
