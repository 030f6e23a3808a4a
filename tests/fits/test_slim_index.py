"""Index files lose what no solution needs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import astrometry
import numpy as np
import pytest

from iop4d.fits.slim_index import has_further_columns, slim
from iop4d.fits.solver_files import load
from iop4d.simulator.sky import field_of, index_folder, load_sky
from tests.support.index_files import with_further_columns

_PIXEL_ARCSEC = 0.774


def solved(files: list[Path]) -> astrometry.Match:
    """The match of a field's 40 brightest stars."""
    stars = load_sky().stars(field_of("BLLac"))
    order = np.argsort(stars.magnitudes["R"])[:40]
    east = (stars.ra[order] - stars.ra[0]) * np.cos(np.radians(stars.dec[0]))
    north = stars.dec[order] - stars.dec[0]
    places = np.column_stack([-east, north]) * 3600.0 / _PIXEL_ARCSEC + 512.0
    found = load(files).solve(
        places.tolist(), astrometry.SizeHint(0.76, 0.79),
        astrometry.PositionHint(float(stars.ra[0]), float(stars.dec[0]), 1.0),
        astrometry.SolutionParameters(sip_order=0, tune_up_logodds_threshold=None))
    return found.best_match()


def test_files_without_further_columns_give_the_same_stars(tmp_path: Path) -> None:
    files = with_further_columns(tmp_path / "index")
    before = solved(files)
    assert "MAG" in before.stars[0].metadata  # the solver has read them, star by star
    assert all(map(has_further_columns, files))
    assert all(map(slim, files))
    assert not any(map(has_further_columns, files))
    after = solved(files)
    assert len(after.stars) > 100
    assert {(s.ra_deg, s.dec_deg) for s in after.stars} == {
        (s.ra_deg, s.dec_deg) for s in before.stars}
    assert after.logodds == before.logodds
    assert after.stars[0].metadata == {}


def test_a_file_without_them_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.fits"
    path.write_bytes(min(index_folder().glob("*.fits")).read_bytes())
    before = path.stat()
    assert not slim(path)
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_headers_keep_what_is_no_comment_once(tmp_path: Path) -> None:
    plain = min(index_folder().glob("*.fits"))
    cards = plain.read_bytes()[:2880].split(b"END".ljust(80))[0]
    idle = b"".join(text.ljust(80) for text in (
        b"COMMENT made by hand", b"HISTORY build -i /home/ana/stars.fits", b"", cards[80:160],
        b"SWEEP12 =                   60", b"DATE    = '2026-11-29T00:00:00'"))
    path = tmp_path / "talking.fits"
    path.write_bytes((cards[:160] + idle + cards[160:] + b"END".ljust(80)).ljust(2880)
                     + plain.read_bytes()[2880:])
    assert slim(path)
    assert path.read_bytes() == (cards + b"END".ljust(80)).ljust(2880) + plain.read_bytes()[2880:]


def test_a_table_between_others_is_cut_out(tmp_path: Path) -> None:
    plain = min(index_folder().glob("*.fits")).read_bytes()
    further = with_further_columns(tmp_path / "index")[0].read_bytes()[len(plain):]
    path = tmp_path / "between.fits"
    path.write_bytes(plain[:2880] + further + plain[2880:] + further)
    assert slim(path, to=tmp_path / "new.fits")
    assert (tmp_path / "new.fits").read_bytes() == plain
    assert has_further_columns(path)


def test_the_simulated_sky_has_none(tmp_path: Path) -> None:
    files = sorted(index_folder().glob("*.fits"))
    assert not any(slim(path, to=tmp_path / path.name) for path in files)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_fits_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "text.fits").write_text("no index")
    with pytest.raises(OSError, match="SIMPLE"):
        has_further_columns(tmp_path / "text.fits")
