"""Units for systemd: what they hold, and what systemd itself says of them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli

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
    assert "enable --now iop4d.service iop4d-web.socket" in said
    return folder


def test_the_units_hold_the_site_and_no_place_is_left(site: Path, written: Path) -> None:
    texts = {path.name: path.read_text() for path in written.iterdir()}
    assert set(texts) == {"iop4d.service", "iop4d-web.service", "iop4d-web.socket"}
    for text in texts.values():
        assert not re.search(r"(?m)^[^#]*@[A-Z]+@", text)
    daemon = texts["iop4d.service"]
    assert f"ExecStart={sys.executable} -m iop4d --site {site} run" in daemon
    for line in ("Type=notify", "WatchdogSec=120", "RestartPreventExitStatus=78"):
        assert line in daemon
    assert re.findall(r"(?m)^LoadCredential=([\w-]+):", daemon) == [
        "bot-token", "hook-key", "smtp", "t090"]
    assert "ListenStream=127.0.0.1:8765" in texts["iop4d-web.socket"]
    assert "LoadCredential" not in texts["iop4d-web.service"]


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
@pytest.mark.parametrize(("unit", "threshold"), [("iop4d.service", 15), ("iop4d-web.service", 10)])
def test_they_are_as_closed_as_they_should_be(site: Path, tmp_path: Path, unit: str,
                                              threshold: int) -> None:
    install(site, "--system", "--as", "daemon", "--output", str(tmp_path / "units"))
    rated = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", f"--threshold={threshold}", "--no-pager",
         str(tmp_path / "units" / unit)], capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-600:] + rated.stderr


def test_paths_with_blanks_are_quoted_and_others_refused(site: Path, tmp_path: Path) -> None:
    said = install(site, "--system", "--as", "daemon", "--dry-run")
    assert '"/srv/raw 1/T090"' in said
    assert not (tmp_path / "units").exists()
    (site / "iop4d.toml").write_text(SITE.replace('"/srv/raw 1/T090"', "'/srv/ra\"w'"))
    assert "systemd cannot be given the path" in install(site, "--user", "--dry-run")


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
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as said:
                    assert said.status == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        page.terminate()
        assert page.wait(30) == 0
