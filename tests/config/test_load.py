"""A site file is read whole or refused with its line."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from iop4d.config import load_site
from iop4d.config.load import parse_site
from iop4d.model.errors import ConfigError

ROOT = Path("/site")


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_site(text, root=ROOT, overrides=overrides)
    return str(error.value)


def test_the_template_says_the_defaults() -> None:
    text = (resources.files("iop4d.config") / "template.toml").read_text(encoding="utf-8")
    written, empty = parse_site(text, root=ROOT), parse_site("", root=ROOT)
    assert written.archive[0].path == ROOT / "raw"
    assert (written.photometry, written.masters, written.daemon, written.web) == (
        empty.photometry, empty.masters, empty.daemon, empty.web)


FTP = "[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\n"


@pytest.mark.parametrize(("text", "words"), [
    ("[daemon]\nworkers = 1\nsetle = 2", ["line 3", "daemon.setle", "no such key", "settle"]),
    ("[demon]\n", ["line 1", "demon", "no such section"]),
    ('[daemon]\nworkers = "two"', ["line 2", "daemon.workers", "'two'", "a whole number"]),
    ("[daemon]\nworkers = true", ["line 2", "a whole number"]),
    ("[daemon]\nworkers = -1", ["line 2", "0 or more"]),
    ("[photometry]\npreviews = 1", ["line 2", "true or false"]),
    ("[astrometry]\nindex = '/data'", ["line 2", "a list"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\npath = 'y'", ["line 4", "name", "missing"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'", ["line 1", "host", "missing"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\nnights = '/all'", ["line 5", "date"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\nencoding = 'x'", ["line 5", "latin-1"]),
    (f"{FTP}encoding = 'utf-16'", ["line 5", "latin-1"]),
    (f"{FTP}encoding = 'rot13'", ["line 5", "latin-1"]),
    (f"{FTP}nights = '/{{night}}'", ["line 5", "date"]),
    (f"{FTP}nights = '/{{night:%m%d}}'", ["line 5", "date"]),
    (f"{FTP}port = 99999", ["line 5", "0 to 65535"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\nfiles = '*.fit'", ["line 4", "regular expression"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'b'\npath = 'x'",
     ["line 6", "folder of the archive 'a'"]),
    ("[[archive]]\nname = 'a'\nhours = '25:00-03:00'", ["line 3", "18:30-05:30"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'a'\npath = 'y'",
     ["line 5", "no other"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag < 13'\nchannels = ['mail']", ["line 4", "mail"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag of 13'", ["line 3", "mag < 13.0"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag < 13'\nclear = '13'", ["line 4", "mag > 13.2"]),
    ("[archive]\nname = 'a'", ["line 1", "double brackets"]),
    ("[[site]]\nname = 'a'", ["line 1", "a table"]),
    ("[web]\nthreads = 10\nstreams = 9", ["line 3", "half"]),
    ("[photometry]\nannulus_outer = 1.0", ["line 2", "annulus_inner"]),
    ("[site\n", ["not valid TOML"]),
])
def test_a_wrong_key_or_value_is_told_with_its_line(text: str, words: list[str]) -> None:
    message = refusal(text)
    for word in words:
        assert word in message


def test_a_password_in_plain_is_refused() -> None:
    channel = "[[channel]]\nname = 'm'\nto = ['a@b.c']\n"
    assert "password" in refusal(channel + "password = 'secret'")
    assert "in clear" in refusal(channel + "password_env = 'SMTP'")
    assert parse_site(channel + "password_env = 'SMTP'\ntls = 'tls'", root=ROOT).channel


def test_overrides_take_toml_values_and_plain_text() -> None:
    site = parse_site("[daemon]\nworkers = 4", root=ROOT, overrides=[
        "daemon.workers=1", 'astrometry.index=["/data/index", "mine"]', "site.name=Our site"])
    assert site.daemon.workers == 1
    assert site.astrometry.index == (Path("/data/index"), ROOT / "mine")
    assert site.site.name == "Our site"


def test_overrides_reach_one_item_of_a_list_by_its_name() -> None:
    text = "[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'b'\npath = 'y'"
    site = parse_site(text, root=ROOT, overrides=["archive.b.path=/new"])
    assert [archive.path for archive in site.archive] == [ROOT / "x", Path("/new")]
    assert "a, b" in refusal(text, "archive.c.path=/new")


@pytest.mark.parametrize("override", ["daemon", "daemon=1", "x.y=1", "daemon.workers='no'"])
def test_a_wrong_override_is_told(override: str) -> None:
    assert "-o" in refusal("", override)


def test_a_folder_without_a_site_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="iop4d init"):
        load_site(tmp_path)


def test_an_unreadable_site_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_site(tmp_path)
