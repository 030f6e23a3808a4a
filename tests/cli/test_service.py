"""Units for systemd: what they hold, and what systemd itself says of them."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.config.load import parse_site
from iop4d.system import units

ANALYZE = shutil.which("systemd-analyze")
WHY = "systemd-analyze is not on this machine"
SITE = """\
[[archive]]
name = "T090"
kind = "ftp"
host = "ftp.example.org"
password_credential = "t090"
path = "/srv/raw 1/T090"

[[channel]]
name = "mail"
to = ["a@example.org"]
user = "u"
tls = "starttls"
password_credential = "smtp"

[[channel]]
name = "bot"
kind = "telegram"
to = ["1"]
token_credential = "bot-token"

[[channel]]
name = "hook"
kind = "webhook"
url = "https://example.org"
secret_credential = "hook-key"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "iop4d.toml").write_text(SITE)
    return tmp_path / "site"


def install(site: Path, *words: str) -> str:
    result = CliRunner().invoke(cli, ["systemd", "install", *words, "--site", str(site)])
    return result.output + (str(result.exception) if result.exception else "")


@pytest.fixture(params=["--system", "--user"])
def written(request: pytest.FixtureRequest, site: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "units"
    words = ("--as", "daemon") if request.param == "--system" else ()
    said = install(site, request.param, *words, "--output", str(folder))
    assert "enable --now iop4d.service iop4d-web.socket iop4d-backup.timer" in said
    return folder


def test_the_units_hold_the_site_and_no_place_is_left(site: Path, written: Path) -> None:
    texts = {path.name: path.read_text() for path in written.iterdir()}
    assert set(texts) == {"iop4d.service", "iop4d-web.service", "iop4d-web.socket",
                          "iop4d-backup.service", "iop4d-backup.timer"}
    for text in texts.values():
        assert not re.search(r"(?m)^[^#]*@[A-Z]+@", text)
        pages = re.findall(r"(?m)^Documentation=file://(.+)$", text)
        assert [Path(unquote(page)).name for page in pages if Path(unquote(page)).is_file()] == [
            "service.md"] * ("Documentation=" in text)
    daemon = texts["iop4d.service"]
    assert f"ExecStart={sys.executable} -m iop4d --site {site} run" in daemon
    for line in ("Type=notify", "WatchdogSec=120", "RestartPreventExitStatus=78"):
        assert line in daemon
    assert re.findall(r"(?m)^LoadCredential=([\w-]+):", daemon) == [
        "bot-token", "hook-key", "smtp", "t090"]
    assert "ListenStream=127.0.0.1:8765" in texts["iop4d-web.socket"]
    assert "LoadCredential" not in texts["iop4d-web.service"]
    assert f"--site {site} backup" in texts["iop4d-backup.service"]
    assert "LoadCredential" not in texts["iop4d-backup.service"]
    assert "OnCalendar=*-*-* 12:30:00 UTC" in texts["iop4d-backup.timer"]


@pytest.mark.skipif(ANALYZE is None, reason=WHY)
def test_systemd_finds_nothing_wrong(written: Path) -> None:
    own = ["--user"] if "User=" not in (written / "iop4d.service").read_text() else []
    checked = subprocess.run(
        [str(ANALYZE), *own, "verify", "--man=no", *map(str, sorted(written.iterdir()))],
        capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": "/tmp"})
    ours = [line for line in checked.stderr.splitlines() if "iop4d" in line]
    assert ours == []


@pytest.mark.skipif(ANALYZE is None, reason=WHY)
@pytest.mark.parametrize(("unit", "threshold"), [
    ("iop4d.service", 15), ("iop4d-web.service", 10), ("iop4d-backup.service", 15)])
def test_they_are_as_closed_as_they_should_be(site: Path, tmp_path: Path, unit: str,
                                              threshold: int) -> None:
    install(site, "--system", "--as", "daemon", "--output", str(tmp_path / "units"))
    rated = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", f"--threshold={threshold}", "--no-pager",
         str(tmp_path / "units" / unit)], capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-600:] + rated.stderr


FOLDERS = ("a b", "100%", "%h", "é ñ", 'say "so"', "back\\slash", "dollar$HOME", "it's", "a;b",
           "a:b", "a#b", "[x]", "-", "@IOP4D@", "tab\tin")
LAYOUTS = {
    **{f"site in {folder!r}": {"folder": folder} for folder in FOLDERS[:-1]},
    **{f"archive in {folder!r}": {"archive": folder} for folder in FOLDERS[:6]},
    "an account whose group has another name": {"words": ("--as", "sync")},
    "a group of one's own choice": {"words": ("--as", "daemon", "--group", "nogroup")},
    "memory by share": {"words": ("--as", "daemon", "--memory", "50%")},
    "a host by name": {"text": '[web]\nhost = "localhost"\n'},
    "an address of version 6": {"text": '[web]\nhost = "::1"\n'},
}


def laid_out(tmp_path: Path, *, folder: str = "site", archive: str = "raw", text: str = "",
             words: tuple[str, ...] = ("--as", "daemon")) -> str:
    """The folder of the units of such a site, or what was said against it."""
    site, units = tmp_path / folder, tmp_path / "units"
    site.mkdir()
    quoted = str(tmp_path / archive).replace("\\", "\\\\").replace('"', '\\"')
    (site / "iop4d.toml").write_text(SITE.replace("/srv/raw 1/T090", quoted) + text)
    said = install(site, "--system", *words, "--output", str(units))
    return str(units) if "enable --now" in said else said


@pytest.mark.skipif(ANALYZE is None, reason=WHY)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_systemd_reads_the_units_of_any_layout(tmp_path: Path, layout: dict[str, Any]) -> None:
    units = Path(laid_out(tmp_path, **layout))
    assert units.is_dir(), units
    checked = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", *map(str, sorted(units.iterdir()))],
        capture_output=True, text=True, check=False)
    assert [line for line in checked.stderr.splitlines() if "iop4d" in line] == []


def test_the_words_of_a_path_are_those_of_systemd(tmp_path: Path) -> None:
    folder = tmp_path / 'a 5% $x "so"'
    daemon = Path(laid_out(tmp_path, folder=folder.name), "iop4d.service").read_text()
    assert f"WorkingDirectory={tmp_path}/a 5%% $x \"so\"\n" in daemon
    assert f'ReadWritePaths="{tmp_path}/a 5%% $x \\"so\\""' in daemon
    assert f'--site "{tmp_path}/a 5%% $$x \\"so\\"" run' in daemon


@pytest.mark.parametrize(("layout", "said"), [
    ({"words": ("--as", "observer-of-none")}, "no account is named 'observer-of-none'"),
    ({"words": ("--as", "daemon", "--group", "none-such")}, "no group is named 'none-such'"),
    ({"words": ("--as", "daemon", "--memory", "lots")}, "--memory is 'lots'"),
    ({"folder": FOLDERS[-1]}, "cannot be printed"),
    ({"folder": "end\\"}, "ends with a space or a backslash"),
    ({"text": '[web]\nhost = "no.such.host.invalid"\n'}, "no address is found"),
    ({"text": '[[channel]]\nname = "x"\nkind = "telegram"\nto = ["1"]\ntoken_credential = "a:b"\n'},
     "a credential of systemd cannot be named 'a:b'"),
])
def test_what_systemd_would_refuse_is_refused_with_its_name(
        tmp_path: Path, layout: dict[str, Any], said: str) -> None:
    assert said in laid_out(tmp_path, **layout)
    assert not (tmp_path / "units").exists()


def test_the_group_is_that_of_the_account(site: Path) -> None:
    group = grp.getgrgid(pwd.getpwnam("sync").pw_gid).gr_name
    assert f"User=sync\nGroup={group}\n" in install(site, "--system", "--as", "sync",
                                                      "--dry-run")
    assert "--as and --group are for --system" in install(site, "--user", "--as", "nobody")


HOMES = {
    "nothing": "",
    "an archive": '[[archive]]\nname = "raw"\npath = "HOME/raw"\n',
    "index files": '[astrometry]\nindex = ["HOME/index"]\n',
    "a key": '[[archive]]\nname = "a"\nkind = "sftp"\nhost = "h"\nhost_key = "SHA256:x"\n'
             'key_file = "HOME/key"\n',
    "known hosts": '[[archive]]\nname = "a"\nkind = "sftp"\nhost = "h"\n'
                   'known_hosts = "HOME/hosts"\n',
    "a password": '[[archive]]\nname = "a"\nkind = "ftp"\nhost = "h"\nuser = "u"\n'
                  'password_file = "HOME/password"\n',
    "a link": '[[archive]]\nname = "raw"\npath = "LINK"\n',
}


@pytest.mark.parametrize("what", HOMES)
def test_what_is_needed_of_the_homes_is_not_hidden(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    home, link, elsewhere = tmp_path / "home", tmp_path / "link", tmp_path / "elsewhere"
    for folder in (home / "index", home / "raw", elsewhere):
        folder.mkdir(parents=True)
    (home / "back").symlink_to(elsewhere)
    link.symlink_to(home / "back")
    monkeypatch.setattr(units, "_HOMES", (home,))
    monkeypatch.setattr(units, "_TEMPORARY", ())
    text = HOMES[what].replace("HOME", str(home)).replace("LINK", str(link))
    said = units.units(parse_site(text, root=tmp_path / "site"), user="daemon")
    expected = "yes" if what == "nothing" else "read-only"
    for name in ("iop4d.service", "iop4d-web.service"):
        assert f"ProtectHome={expected}\n" in said[name]


@pytest.mark.parametrize(("keys", "expected"), [
    ("", "read-only"), ('known_hosts = "k"\n', "read-only"), ('key_file = "k"\n', "read-only"),
    ('host_key = "SHA256:x"\n', "read-only"),
    ('known_hosts = "k"\nkey_file = "k"\n', "yes"),
    ('host_key = "SHA256:x"\npassword_file = "k"\n', "yes")])
def test_the_keys_and_known_hosts_of_the_account_are_not_hidden_where_they_serve(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, expected: str) -> None:
    monkeypatch.setattr(units, "_HOMES", (Path(pwd.getpwnam("daemon").pw_dir, ".ssh"),))
    site = parse_site('[[archive]]\nname = "a"\nkind = "sftp"\nhost = "h"\nuser = "u"\n' + keys,
                      root=tmp_path / "site")
    assert f"ProtectHome={expected}\n" in units.units(site, user="daemon")["iop4d.service"]


def test_an_interpreter_that_links_into_a_home_is_not_hidden(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, venv = tmp_path / "home", tmp_path / "venv" / "bin"
    for folder in (home, venv):
        folder.mkdir(parents=True)
    (home / "python3.11").symlink_to(Path(sys.executable).resolve())
    (venv / "python3").symlink_to(home / "python3.11")
    monkeypatch.setattr(units, "_HOMES", (home,))
    site = parse_site("", root=tmp_path / "site")
    assert "ProtectHome=yes" in units.units(site, user="daemon")["iop4d.service"]
    monkeypatch.setattr(sys, "executable", str(venv / "python3"))
    assert "ProtectHome=read-only" in units.units(site, user="daemon")["iop4d.service"]


def test_a_site_in_a_temporary_folder_is_not_hidden(tmp_path: Path) -> None:
    where = {Path("/tmp/site"): "no", Path("/srv/site"): "yes"}
    for root, private in where.items():
        said = units.units(parse_site("", root=root), user="daemon")["iop4d.service"]
        if not str(units.__file__).startswith("/tmp/"):
            assert f"PrivateTmp={private}\n" in said


def test_a_user_is_told_how_the_daemon_outlives_the_session(site: Path, tmp_path: Path) -> None:
    said = install(site, "--user", "--output", str(tmp_path / "units"))
    assert f"loginctl enable-linger {pwd.getpwuid(os.geteuid()).pw_name}" in said


def test_one_of_two_kinds_must_be_said(site: Path) -> None:
    assert "say --user" in install(site)
    assert "say --user" in install(site, "--user", "--system")


def test_the_page_takes_the_socket_that_it_is_given(site: Path) -> None:
    """As systemd starts it: a listening socket is file descriptor 3."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        code = ("import os, sys\n"
                f"os.dup2({listening.fileno()}, 3)\n"
                "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
                "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n")
        page = subprocess.Popen(
            [sys.executable, "-c", code, "-m", "iop4d", "web", "--site", str(site)],
            pass_fds=[listening.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=5) as said:
                    assert said.status == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        page.terminate()
        assert page.wait(30) == 0
