"""The commands as a user calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def iop4d(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "iop4d", *map(str, words)], cwd=cwd, check=False,
                          capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("made") / "site"
    assert iop4d("init", site).returncode == 0
    return site


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "site"))


@pytest.fixture(scope="module")
def filled(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a catalogue, on which nothing ran; its tests only read it."""
    site = Path(shutil.copytree(made, tmp_path_factory.mktemp("filled") / "site"))
    assert iop4d("--site", site, "catalogue", "import", "builtin:blazars").returncode == 0
    return site


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = ("import sys\nfrom iop4d.cli import cli\n"
            "try: cli(['--help'], standalone_mode=False)\nexcept SystemExit: pass\n"
            "heavy = {'numpy', 'astropy', 'peewee', 'asyncio', 'flask'} & set(sys.modules)\n"
            "assert not heavy, heavy")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                         timeout=60)
    assert ran.returncode == 0, ran.stderr
    for word in ("init", "catalogue", "reduce", "run", "web", "demo", "status", "results"):
        assert f"  {word} " in ran.stdout


def test_init_makes_the_folders_and_touches_nothing_that_is_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} >= {
        "iop4d.toml", "raw", "masters", "reduced", "previews"}
    again = iop4d("init", folder)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_a_site_inside_another_is_said_to_be_and_is_refused_among_its_files(folder: Path) -> None:
    inside = iop4d("init", folder / "second")
    assert inside.returncode == 0
    assert f"it stands inside the site {folder}" in inside.stderr
    refused = iop4d("init", folder / "raw" / "T090" / "site")
    assert refused.returncode == 1
    assert f"is among the files of the site {folder}" in refused.stderr
    assert not (folder / "raw" / "T090").exists()
    assert "inside" not in iop4d("init", folder.parent / "beside").stderr


def test_names_of_files_move_no_cursor_and_make_no_lines_in_the_log(folder: Path) -> None:
    names = ("evil\n2026-11-28 20:00:00 UTC ERROR   the disk is on fire.fits",
             "esc\x1b[31mred.fits", "cr\rX.fits")
    night = folder / "raw" / "T" / "2026-11-27"
    night.mkdir(parents=True)
    for number, name in enumerate(names):
        (night / name).write_bytes(b"SIMPLE  =" + b"x" * number)
    reduced = iop4d("-v", "reduce", "--site", folder, folder / "raw")
    listed = iop4d("status", "--all", "--site", folder)
    for shown in (reduced.stderr, listed.stdout):
        assert not {"\x1b", "\r"} & set(shown)
        assert "esc\\x1b[31mred.fits" in shown
        assert "cr\\rX.fits" in shown
        assert "the disk is on fire" in shown
        assert not any(line.startswith("2026-11-28 20:00:00") for line in shown.splitlines())


def test_the_program_s_own_folder_is_no_place_for_a_site(tmp_path: Path) -> None:
    """An old fault: a clone in ~/iop4d, and the first site by "iop4d init ~/iop4d"."""
    (tmp_path / "iop4d").mkdir()
    (tmp_path / "iop4d" / "__init__.py").touch()
    refused = iop4d("init", tmp_path)
    assert refused.returncode == 1
    assert "is the folder of the program: a site needs one of its own" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["iop4d"]


def test_a_wrong_site_file_ends_with_78_and_its_line(folder: Path) -> None:
    path = folder / "iop4d.toml"
    path.write_text("[daemon]\n\nworkrs = 2\n", encoding="utf-8")
    for command in ("status", "run", "web"):
        ran = iop4d("--site", folder, command)
        assert ran.returncode == 78
        assert "line 3" in ran.stderr
        assert "workers" in ran.stderr


def test_the_site_may_stand_after_the_command_or_be_the_current_folder(folder: Path) -> None:
    for ran in (iop4d("catalogue", "import", "builtin:blazars", "--site", folder),
                iop4d("catalogue", "list", "--kind", "target", cwd=folder)):
        assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 25


def test_a_wrong_catalogue_is_told_row_by_row(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text("name,ra,dec,kind\na,1,1,target\nb,x,1,target\n", encoding="utf-8")
    ran = iop4d("--site", folder, "catalogue", "import", table)
    assert ran.returncode == 1
    assert "line 3, b: ra is 'x'" in ran.stderr
    assert iop4d("--site", folder, "catalogue", "list").stdout == ""


def test_the_catalogue_goes_out_as_it_came_in(folder: Path, tmp_path: Path) -> None:
    assert iop4d("--site", folder, "catalogue", "import", "builtin:blazars").returncode == 0
    first = iop4d("--site", folder, "catalogue", "export").stdout
    out = tmp_path / "out.csv"
    assert iop4d("--site", folder, "catalogue", "export", out).returncode == 0
    assert iop4d("--site", folder, "catalogue", "import", out).stdout.startswith("0 sources added")
    assert iop4d("--site", folder, "catalogue", "export").stdout == first
    shown = iop4d("--site", folder, "catalogue", "show", "bllac").stdout
    assert "2200+420 B" in shown


def test_status_of_a_site_on_which_nothing_ran(filled: Path) -> None:
    state = json.loads(iop4d("--site", filled, "status", "--json").stdout)
    assert state["daemon"] == {"state": "never"}
    assert (state["frames"], state["failed_by_reason"], state["queue"]) == ({}, [], [])
    assert "has never run" in iop4d("--site", filled, "status").stdout


@pytest.mark.parametrize("form", ["csv", "ecsv", "votable"])
def test_results_of_an_empty_site_are_an_empty_table(filled: Path, form: str) -> None:
    ran = iop4d("--site", filled, "results", "--format", form)
    assert ran.returncode == 0, ran.stderr
    assert "zero_point_err" in ran.stdout


def test_wrong_arguments_are_told(filled: Path) -> None:
    for words, text in ((("results", "--since", "soon"), "--since: 'soon' is not a time"),
                        (("results", "--source", "nobody"), "no source is named 'nobody'"),
                        (("reduce", filled / "raw"), "no frames there")):
        ran = iop4d("--site", filled, *words)
        assert ran.returncode == 1
        assert text in ran.stderr


def test_an_instrument_check_names_the_card_at_fault(folder: Path, tmp_path: Path) -> None:
    import numpy as np
    from astropy.io import fits

    header = fits.Header({"INSTRUME": "AndorT90", "IMAGETYP": "LIGHT", "EXPOSURE": "x",
                          "JD": 2459831.4, "FILTER": "R"})
    good = tmp_path / "good.fit"
    fits.writeto(good, np.zeros((8, 8), "uint16"),
                 fits.Header([*header.items(), ("EXPTIME", 60.0)]))
    bad = tmp_path / "bad.fit"
    fits.writeto(bad, np.zeros((8, 8), "uint16"), header)
    ran = iop4d("--site", folder, "instruments", "check", good, bad)
    assert ran.returncode == 1
    assert "AndorT90 on OSN-T090" in ran.stdout
    assert "card EXPOSURE: is 'x', no number" in ran.stdout
