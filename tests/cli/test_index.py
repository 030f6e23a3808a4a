"""Index files as a user makes them."""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner, Result

from iop4d.cli.catalogue import catalogue
from iop4d.cli.common import Context
from iop4d.cli.index import index
from iop4d.fields.indexes import check, presets, quad_size, select
from iop4d.fields.star_list import from_text
from iop4d.fits.slim_index import has_further_columns
from iop4d.model.errors import Iop4dError
from iop4d.model.source import Source, SourceKind
from tests.support.index_files import with_further_columns

RA, DEC = 330.680390, 42.277778  # BL Lac
PROGRAM = pytest.mark.skipif(shutil.which("build-astrometry-index") is None,
                             reason="astrometry.net is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    context = Context(folder=str(tmp_path), overrides=())
    assert CliRunner().invoke(catalogue, ["import", "builtin:blazars"], obj=context).exit_code == 0
    return tmp_path


def run(folder: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(index, list(map(str, words)),
                              obj=Context(folder=str(folder), overrides=()))


def stars(path: Path, count: int = 300) -> Path:
    rng = np.random.default_rng(12)
    radius, angle = 0.25 * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    rows = [f"{RA + r * np.cos(a) / np.cos(np.radians(DEC)):.6f},{DEC + r * np.sin(a):.6f},{m:.2f}"
            for r, a, m in zip(radius, angle, rng.uniform(11.0, 18.5, count), strict=True)]
    path.write_text("\n".join(["ra,dec,phot_g_mean_mag", *rows]) + "\n", encoding="utf-8")
    return path


def test_presets_are_steps_of_the_square_root_of_two() -> None:
    assert [quad_size(n) for n in (0, 2, 4, 6)] == pytest.approx([2.0, 4.0, 8.0, 16.0])
    assert presets(2.0, 16.0) == (0, 1, 2, 3, 4, 5)
    assert presets(4.0, 5.7) == (2,)
    with pytest.raises(Iop4dError, match="no preset"):
        presets(1.0, 2.0)


def test_stars_are_chosen_about_each_field_and_once() -> None:
    text = f"ra,dec,mag\n{RA},{DEC + 0.1},12\n{RA},{DEC + 0.3},12\n{RA},{DEC - 0.1},-999\n"
    field = Source(name="A", ra_deg=RA, dec_deg=DEC, kind=SourceKind.TARGET)
    far = Source(name="B", ra_deg=RA - 180.0, dec_deg=-DEC, kind=SourceKind.TARGET)
    tables = [from_text(text, "one"), from_text(text, "two")]
    found = select(tables, [field, far], 15.0)
    assert found.mag.tolist() == [12.0]
    assert found.of == {"A": 1, "B": 0}
    with pytest.raises(Iop4dError, match="no star of the list lies within 15"):
        select(tables, [far], 15.0)


@PROGRAM
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_field_is_built_and_found_again(folder: Path) -> None:
    out = folder / "index"
    ran = run(folder, out, "--stars", stars(folder / "gaia.csv"), "--source", "BL Lac",
              "--scales", "4-8")
    assert ran.exit_code == 0, ran.output
    names = [f"index-iop4d-{depth}-{preset:02d}.fits" for depth in ("all", "bright")
             for preset in (2, 3)]
    assert sorted(path.name for path in out.iterdir()) == names
    assert "Frames of 13.2': 1 of 1 fields found" in ran.output
    assert f'index = ["{out}"]' in ran.output
    for path in out.iterdir():
        content = path.read_bytes()
        assert str(folder).encode() not in content
        assert b"build-astrometry" not in content
        assert check(path, 2).quads > 0
        assert not has_further_columns(path)
    again = run(folder, out, "--stars", folder / "gaia.csv", "--source", "BL Lac",
                "--scales", "5.6-8")
    assert again.exit_code == 0, again.output
    assert sorted(path.name for path in out.iterdir()) == [names[1], names[3]]


def test_files_from_elsewhere_lose_further_columns(folder: Path) -> None:
    files = with_further_columns(folder / "index")
    ran = run(folder, folder / "index", "--strip")
    assert ran.exit_code == 0, ran.output
    assert f"{len(files)} of {len(files)} files stripped; 0.2 MB less." \
        in ran.output
    assert not any(map(has_further_columns, files))
    assert f"0 of {len(files)} files stripped" in run(folder, folder / "index", "--strip").output
    assert run(folder, folder / "index", "--strip", "--fetch", "5200").exit_code == 2
    (folder / "index/notes.fits").write_text("none")
    assert "notes.fits: " in str(run(folder, folder / "index", "--strip").exception)
    assert "no index files" in str(run(folder, folder / "none", "--strip").exception)


@PROGRAM
def test_too_few_stars_are_told_and_nothing_is_left(folder: Path) -> None:
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv", 3), "--source",
              "BL Lac")
    assert isinstance(ran.exception, Iop4dError)
    assert "the list is too short" in str(ran.exception)
    assert list((folder / "index").iterdir()) == []


def fake_program(folder: Path, monkeypatch: pytest.MonkeyPatch, *, fails: str,
                 said: str = "build-index.c:129:step_codetree: codetree failed") -> None:
    """A program that fails for some presets, and else writes a file of 7 quads."""
    fits.PrimaryHDU(header=fits.Header({"NQUADS": 7, "NSTARS": 60})).writeto(
        folder / "made.fits", overwrite=True)
    program = folder / "bin" / "build-astrometry-index"
    program.parent.mkdir()
    program.write_text(f"""#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -o) out=$2;; -P) preset=$2;; esac; shift; done
case $preset in {fails}) echo "{said}" >&2; exit 1;; esac
cp "{folder}/made.fits" "$out"
""", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr("iop4d.fields.indexes.try_fields", lambda *_: {"2200+420": True})


def test_a_size_of_which_there_are_no_quads_is_left_out(folder: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(folder, monkeypatch, fails="0|3")
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv"), "--source",
              "BL Lac", "--faintest", "14")
    assert ran.exit_code == 0, ran.output
    assert sorted(path.name for path in (folder / "index").iterdir()) == [
        f"index-iop4d-all-{n:02d}.fits" for n in (1, 2, 4, 5)]
    assert "Left out: index-iop4d-all: too few stars for quads of 2.0', 5.7'." in ran.output
    assert "Left out: index-iop4d-bright: fewer than 4 stars are brighter than 11." in ran.output


def test_where_no_size_has_quads_the_list_is_too_short(folder: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(folder, monkeypatch, fails="*")
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv", 4), "--source",
              "BL Lac", "--scales", "2-4")
    assert isinstance(ran.exception, Iop4dError)
    assert str(ran.exception).startswith(
        "no index file can be made: the list is too short, or --faintest too small. "
        "index-iop4d-all: too few stars for quads of 2.0', 2.8'")
    assert list((folder / "index").iterdir()) == []


def test_another_failure_of_the_program_ends_the_build(folder: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(folder, monkeypatch, fails="2", said="no space left on the disk")
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv"), "--source", "BL Lac")
    assert isinstance(ran.exception, Iop4dError)
    assert str(ran.exception).endswith("failed for quads of 4.0': no space left on the disk")


def test_a_list_of_three_stars_is_said_to_have_three(folder: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(folder, monkeypatch, fails="*")
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv", 3), "--source",
              "BL Lac")
    assert "3 stars in 1 field." in ran.output
    assert "fewer than 4 stars, too few for a quad, for 2200+420" in ran.output
    assert "no stars" not in ran.output


def test_without_the_program_it_says_what_to_do(folder: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    ran = run(folder, folder / "index", "--stars", stars(folder / "gaia.csv"))
    assert isinstance(ran.exception, Iop4dError)
    assert "apt install astrometry.net" in str(ran.exception)


def test_an_index_file_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "no.fits").write_text("no", encoding="utf-8")
    with pytest.raises(Iop4dError, match="not an index file"):
        check(tmp_path / "no.fits", 0)
    empty = fits.PrimaryHDU(header=fits.Header({"NQUADS": 0, "NSTARS": 5}))
    empty.writeto(tmp_path / "empty.fits")
    with pytest.raises(Iop4dError, match="no quads"):
        check(tmp_path / "empty.fits", 0)


@pytest.mark.parametrize(("words", "text"), [
    ((), "give either --stars"), (("--fetch", "5200", "--stars", "x"), "give either --stars"),
    (("--fetch", "5300"), "expected 5200, 4200 or an address"),
    (("--fetch", "5200", "--scales", "wide"), "expected as 2-16"),
    (("--fetch", "5200", "--scales", "12-4"), "expected as 2-16"),
    (("--fetch", "5200", "--name", "a/b"), "letters, digits")])
def test_wrong_words_are_told(folder: Path, words: tuple[str, ...], text: str) -> None:
    ran = run(folder, folder / "index", *words)
    assert ran.exit_code == 2
    assert text in ran.output


def test_tiles_are_fetched_from_a_mirror(folder: Path) -> None:
    served = folder / "served"
    served.mkdir()
    for name in ("index-5202-14.fits", "index-5203-14.fits"):
        fits.writeto(served / name, np.zeros(1000))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        words = (folder / "index", "--fetch", f"http://127.0.0.1:{server.server_address[1]}/",
                 "--source", "BL Lac", "--scales", "4-8")
        ran = run(folder, *words)
        again = run(folder, *words)
        server.shutdown()
        thread.join()
    assert ran.exit_code == 0, ran.output
    assert "2 files of the 5200 series cover 1 field" in ran.output
    assert "2 fetched, 0 were there" in ran.output
    assert "0 fetched, 2 were there" in again.output
    assert sorted(path.name for path in (folder / "index").iterdir()) == sorted(
        path.name for path in served.iterdir())
