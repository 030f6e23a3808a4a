"""``iop4d catalogue interstellar``: from the field stars of stored groups to the catalogue."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.instruments.discovery import find_instruments
from iop4d.model.states import FrameState, GroupState
from iop4d.science.stokes import Stokes, rotated
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import builtin, parse
from iop4d.store.database import Database, Transaction
from iop4d.store.schema import Frame, FrameStars, Group

ISP = (0.010, -0.004)  # of the field, on the sky


def observe(tx: Transaction, number: int, rng: np.random.Generator) -> None:
    """A group of AndorT90 whose transparency changes by 2 %, and its field stars."""
    tool = next(i for i in find_instruments() if i.name == "AndorT90")
    assert tool.polarimeter is not None
    constants = tool.polarimeter.constants[0]
    seen = rotated(Stokes(q=ISP[0], u=ISP[1], covariance=np.eye(2), method="", n=1),
                   -constants.angle_deg)
    q, u = seen.q + constants.q0, seen.u + constants.u0
    night = f"2024-03-{number + 1:02d}"
    group = tx.create(Group, source="2200+420", telescope="OSN-T090", instrument="AndorT90",
                      night=night, band="R", exptime_s=60.0, state=GroupState.COMPLETE,
                      changed_at=0.0)
    for k, angle in enumerate(tool.polarimeter.angles_deg):
        frame = tx.create(
            Frame, archive="raw", path=f"{number}/{k}", name=f"f{number}{k}", size=1, mtime_ns=1,
            state=FrameState.DONE, kind="science", instrument="AndorT90", telescope="OSN-T090",
            band="R", mode="polarimetry", polariser_deg=angle, night=night, exptime_s=60.0, ny=100,
            nx=100, binning=2, jd_start=2460380.0 + number + k / 1000.0, group_id=group.id,
            completed_at=0.0, seen_at=0.0, changed_at=0.0, info={
                "airmass": 1.1, "fwhm_arcsec": 2.0, "fwhm_px": 4.0, "aperture_px": 5.0})
        phase = 2.0 * math.radians(angle)
        light = 1e4 * (1 + 0.02 * rng.standard_normal()) * (
            1 + q * math.cos(phase) + u * math.sin(phase))
        tx.create(FrameStars, frame=frame.id, field=[
            [330.6 + n / 100, 42.2, light * (n + 1), 10.0] for n in range(8)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    rng = np.random.default_rng(4)
    database = Database(tmp_path / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, parse(builtin("blazars")))
        for number in range(20):
            observe(tx, number, rng)
    database.close()
    return tmp_path


def run(folder: Path, *words: str) -> str:
    result = CliRunner().invoke(cli, ["catalogue", "interstellar", *words, "--site", str(folder)])
    return result.output if result.exit_code == 0 else f"{result.exception}"


def test_the_field_s_polarisation_is_measured_and_written(folder: Path) -> None:
    printed = run(folder, "BL Lac")
    assert "AndorT90: q" in printed
    assert "from 20 groups" in printed
    q, q_err, u, u_err = (float(n) / 100.0 for n in re.findall(
        r"2200\+420: q (\S+) ± (\S+) %, u (\S+) ± (\S+) %", printed)[0])
    assert abs(q - ISP[0]) < 3 * q_err < 0.02
    assert abs(u - ISP[1]) < 3 * u_err < 0.02
    assert q_err > 0.002  # the instrument's q0 is known to no better
    facts = json.loads(run(folder, "BL Lac", "--json"))
    assert facts["mean"]["q"] == pytest.approx(q, abs=1e-5)
    assert (facts["instruments"]["AndorT90"]["groups"], facts["written"]) == (20, False)
    assert "Written" in run(folder, "BL Lac", "--write")
    database = Database(folder / "iop4d.db")
    with database.read() as db:
        known = catalogue.find(db, "BL Lac").interstellar
    database.close()
    assert known == pytest.approx((q, q_err, u, u_err), abs=1e-5)


def test_a_field_without_groups_is_told(folder: Path) -> None:
    assert "no field stars of three polariser groups" in run(folder, "Mrk 421")


def test_an_instrument_without_a_polariser_is_told(folder: Path) -> None:
    """It printed that no field stars are stored."""
    for name in ("DIPOL", "AndorT91"):
        assert (f"no instrument with a polariser is called '{name}'; there are AndorT150, AndorT90"
                in run(folder, "BL Lac", "--instrument", name))
    assert "from 20 groups" in run(folder, "BL Lac", "--instrument", "AndorT90")


def test_groups_whose_zero_angle_is_not_measured_have_no_part(folder: Path) -> None:
    """Their angle may be any: the value was written to the catalogue with the error of q0 alone."""
    (folder / "iop4d.toml").write_text(
        '[[polarimeter]]\ninstrument = "AndorT90"\nzero_angle_err = 60\n', encoding="utf-8")
    assert "of an instrument whose zero angle is measured" in run(folder, "BL Lac")
    (folder / "iop4d.toml").write_text(
        '[[polarimeter]]\ninstrument = "AndorT90"\nzero_angle_err = 60\nuntil = "2024-03-15"\n',
        encoding="utf-8")
    printed = run(folder, "BL Lac")
    assert "AndorT90: 6 groups left out, whose zero angle is not measured" in printed
    assert "from 14 groups" in printed
