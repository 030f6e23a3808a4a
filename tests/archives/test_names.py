"""No name of a server leads out of the archive's folder, and no two become one."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iop4d.archives.names import LONGEST, is_safe, local_path, printable, safe_name

ROOT = Path("/site/raw/OSN")

#: What attackers and old cameras put together; any text besides.
_PIECES = st.sampled_from([
    "..", ".", "/", "\\", "\0", "~", "~root", "-", "-rf", " ", "\n", "\r", "\x1b[2J", "CON", "NUL",
    "con.fits", "a", "V0332", ".fits", ".fit.gz", ".fits.fz", ".part", ".", ":", "$(id)", "`id`",
    ";", "|", "*", "\u202e", "\u200b", "\ufeff", "\u2028", "😀", "é", "e\u0301", "\u0301", "\ud800",
    "\udcff", "\udce9", "%2e%2e%2f", "~0123456789abcdef", "_", "x" * 100, "é" * 90, "\U0001f1ea"])
NAMES = st.one_of(st.lists(_PIECES, max_size=8).map("".join), st.text(
    st.characters(exclude_categories=()), max_size=60))

_MANY = settings(max_examples=800, derandomize=True, database=None)
_SOME = settings(_MANY, max_examples=400)


@pytest.mark.parametrize("name", [
    "a.fits", "V0332+53 R 60s (2).fit.gz", "2023-03-13T20:15:00.fits", "étoile.fits", "星.fits",
    "CON", "caf-20230313-23:40:01-sci-agui.fits", "BL_Lac-0001R.fts", "x#1[2]=3,4@5%6~7.fits"])
def test_a_harmless_name_stays(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "...", "/", "///", "./..", "\\", " ", "\n", "\0"])
def test_what_names_nothing_has_no_name_here(name: str) -> None:
    assert safe_name(name) is None


@pytest.mark.parametrize(("name", "begins", "ends"), [
    ("../../../evil.fits", "_.._.._.._evil~", ".fits"),
    ("/etc/passwd", "_etc_passwd~", ""),
    ("a\0b.fit.gz", "a_b~", ".fit.gz"),
    ("-rf.fits.fz", "_-rf~", ".fits.fz"),
    ("~root", "_~root~", ""),
    (".hidden.fits", "_.hidden~", ".fits"),
    ("\udce9toile.fits", "_toile~", ".fits"),
    ("\u202egpj.fits", "_gpj~", ".fits"),
    (" a.fits ", "a~", ".fits"),
    ("2023.03.13 x\n.fits", "2023.03.13 x_~", ".fits"),
    ("x" * 300 + ".fit.gz", "xxx", ".fit.gz"),
    ("é" * 300 + ".fits", "ééé", ".fits"),
])
def test_a_harmful_name_is_mended_and_keeps_its_suffix(name: str, begins: str, ends: str) -> None:
    mended = safe_name(name)
    assert mended is not None
    assert mended.startswith(begins)
    assert mended.endswith(ends)
    assert mended == safe_name(name)


def test_a_name_that_looks_mended_is_not_mistaken_for_one() -> None:
    mended = safe_name("a/b.fits")
    assert mended is not None
    assert safe_name(mended) not in (None, mended)


@_MANY
@given(NAMES)
@example("..")
@example("/" + "x" * 255)
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    local = safe_name(name)
    if local is None:
        return
    assert is_safe(local)
    assert not set(local) & {"/", "\\", "\0"}
    assert not [char for char in local if unicodedata.category(char)[0] == "C"]
    assert local[0] not in ".-~"
    assert len(local.encode()) <= LONGEST
    path = local_path(ROOT, "2023-03-13", local)
    assert path.parent.parent == ROOT
    assert path.name == local
    assert path.resolve().is_relative_to(ROOT)


@_SOME
@given(NAMES, NAMES)
@example("a/b.fits", "a\\b.fits")
@example("x" * 300 + ".fits", "x" * 301 + ".fits")
def test_two_names_stay_two(one: str, other: str) -> None:
    if one != other and safe_name(one) is not None:
        assert safe_name(one) != safe_name(other)


@_SOME
@given(NAMES, NAMES)
@example("..", "a.fits")
@example("2023-03-13", "..")
@example("2023-03-13/..", "a.fits")
@example("", "a.fits")
@example("/etc", "passwd")
def test_a_night_leads_nowhere_else_either(night: str, name: str) -> None:
    try:
        path = local_path(ROOT, night, name)
    except ValueError:
        return
    assert (path.parent.parent, path.parent.name, path.name) == (ROOT, night, name)
    assert path.resolve().is_relative_to(ROOT)


@_SOME
@given(NAMES)
def test_what_is_told_of_a_name_is_printable(name: str) -> None:
    assert printable(name).isprintable()
