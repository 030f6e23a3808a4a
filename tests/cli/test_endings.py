"""What a user, or a machine, does wrong ends in one line and the exit code of the docs."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import iop4d.cli
from iop4d.cli import cli, main
from iop4d.cli.endings import EX_CONFIG, EX_TEMPFAIL, FAILED, INTERRUPTED, ending_of
from iop4d.config import store
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store.database import Database
from tests.docs.blocks import blocks
from tests.support import on_postgresql
from tests.support.stores import has_database

Call = Callable[..., tuple[int, str, str]]
ROOT = Path(iop4d.__file__).resolve().parents[1]
HUGE = "9" * 23  # more than an id of SQLite can be
EMPTY = "EMPTY"  # stands for a folder with nothing in it


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line; its exit code and what it printed and said."""
    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["iop4d", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err
    return run


def _with_catalogue(site: Path) -> None:
    ran = CliRunner().invoke(cli, ["--site", str(site), "catalogue", "import", "builtin:blazars"])
    assert ran.exit_code == 0, ran.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new site with a catalogue, to copy; a schema of a server cannot be copied with it."""
    site = tmp_path_factory.mktemp("made") / "site"
    assert CliRunner().invoke(cli, ["init", str(site)]).exit_code == 0
    if not on_postgresql.IS_ON:
        _with_catalogue(site)
    return site


@pytest.fixture
def folder(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = Path(shutil.copytree(made, tmp_path / "site"))
    if on_postgresql.IS_ON:
        _with_catalogue(site)
    monkeypatch.setenv("IOP4D_SITE", str(site))
    return site


@pytest.mark.parametrize(("words", "code", "said"), [
    (("init", "/proc/x"), 1, "/proc/x: No such file or directory"),
    (("init", "/dev/null/x"), 1, "/dev/null/x/raw: Not a directory"),
    (("demo", "--folder", "/proc/x", "--for", "1s"), 1, "/proc/x"),
    (("--site", "/dev/null", "status"), 78, "Not a directory"),
    (("results", "--output", "/nope/x.csv"), 1, "/nope/x.csv: No such file or directory"),
    (("results", "--output", "/tmp"), 1, "/tmp: Is a directory"),
    (("catalogue", "export", "/nope/x.csv"), 1, "/nope/x.csv: No such file or directory"),
    (("catalogue", "export", "/dev/full"), 1, "the disk is full"),
    (("catalogue", "import", "/nope.csv"), 1, "/nope.csv cannot be read"),
    (("catalogue", "import", "/tmp"), 1, "/tmp cannot be read"),
    (("catalogue", "import", sys.executable), 1, "line 1: "),
    (("summary", "2024-01-01", "--html", "/proc/x/a.html"), 1, "cannot be written"),
    (("index", "x", "--stars", "/nope", "--scales", "..-.."), 2, "--scales is '..-..'"),
    (("systemd", "install", "--user", "--output", "/proc/x"), 1, "/proc/x"),
    (("explain", HUGE), 2, HUGE),
    (("retry", HUGE), 2, HUGE),
    (("flag", HUGE), 2, HUGE),
    (("masters", "restore", HUGE), 2, HUGE),
    (("results", "--source", "BL Lca"), 1, "did you mean BL"),
    (("catalogue", "show", "OJ278"), 1, "did you mean"),
    (("reprocess", "--source", "Mrk 412"), 1, "did you mean"),
    (("results", "--since", "foo"), 1, "--since: 'foo' is not a time"),
    (("web", "--port", "99999"), 78, "expected 0 to 65535"),
    (("masters", "list", "--instrument", "Foo"), 1, "there are "),
    (("reprocess", "--instrument", "Foo"), 1, "no instrument is named 'Foo'"),
    (("nosuch",), 2, "No such command"),
    (("staus",), 2, "No such command 'staus'; did you mean status?"),
    (("demo", "--port", "99999"), 2, "99999 is not in the range"),
    (("calibrate-colours", "Foo"), 1, "no instrument is named 'Foo'"),
    (("calibrate-polarisation", "Foo"), 1, "no polarimeter 'Foo'"),
    (("calibrate-polarisation", "DIPOL"), 1, "the flag field_rotated do not count\n"),
    (("catalogue", "import", "builtin:nope"), 1, "no built-in catalogue 'nope'"),
    (("catalogue", "rename", "BL Lac", "Mrk 421"), 1, "share a name"),
    (("catalogue", "remove", "BL Lca"), 1, "did you mean BL"),
    (("reduce", "/nope"), 2, "does not exist"),
    (("reduce", EMPTY), 1, "no frames there"),
    (("instruments", "check", "/etc/passwd"), 1, ""),
    (("instruments", "draft", "/etc/passwd"), 1, "is text, not FITS"),
    (("instruments", "draft", "/etc/ssl"), 1, "is a folder: give some of its frames"),
    (("explain", "abc"), 2, "'abc'"),
    (("explain", "1", "--plot", "/nope/x.png"), 1, "there is no result 1"),
    (("flag", "1"), 1, "there is no result 1"),
    (("masters", "reject", "1"), 2, "Missing option '--reason'"),
    (("masters", "reject", "1", "--reason", "x"), 1, "no master 1"),
    (("retry",), 1, "name the frames"),
    (("retry", "77"), 1, "no frame 77"),
    (("reprocess",), 1, "expected one of --source"),
    (("archives", "check", "nope"), 1, "unknown archive 'nope'"),
    (("archives", "fetch", "raw/2023-99-99"), 1, "'2023-99-99' is not a night"),
    (("archives", "discover", "raw"), 1, "'raw' is a local folder"),
    (("channels", "test"), 1, "no [[channel]] section"),
    (("rules", "test", "nope"), 1, "no rule 'nope'"),
    (("rules", "mute", "nope"), 1, "no rule 'nope'"),
    (("alerts", "ack", "1"), 1, "no active alerts"),
    (("users", "remove", "nope"), 1, "no account 'nope'"),
    (("atel", "nope"), 1, "no source is named 'nope'"),
    (("summary", "2024-99-01"), 1, "'2024-99-01' is not a night"),
    (("summary", "--send"), 1, "there is no recipient"),
    (("systemd", "install"), 1, "say --user"),
    (("reload",), 1, "no daemon runs on this site"),
    (("web", "--port", "abc"), 2, "'abc'"),
    (("-o", "foo", "run"), 78, "expected section.key=value"),
    (("-o", "daemon.workers=x", "run"), 78, "expected a whole number"),
    (("--site", "/nope", "status"), 78, "make a site with 'iop4d init"),
    (("results", "--format", "foo"), 2, "'foo' is not one of"),
])
def test_a_mistake_has_a_line(folder: Path, call: Call, tmp_path: Path, words: tuple[str, ...],
                              code: int, said: str) -> None:
    (tmp_path / EMPTY).mkdir()
    ended, _, err = call(*(tmp_path / EMPTY if word == EMPTY else word for word in words))
    assert (ended, said in err) == (code, True), err
    assert "Traceback" not in err


def test_a_reduction_with_an_empty_catalogue_says_so(
        tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("init", tmp_path / "site")[0] == 0
    monkeypatch.setattr("iop4d.cli.frames.do", lambda *_: None)
    monkeypatch.setattr("iop4d.cli.frames.report", lambda _: 0)
    Database(tmp_path / "site" / "iop4d.db").close()
    code, _, err = call("--site", tmp_path / "site", "reduce", sys.executable)
    assert (code, "The catalogue is empty" in err) == (0, True)


def test_a_site_file_may_begin_with_the_mark_of_windows(tmp_path: Path, call: Call) -> None:
    (tmp_path / "iop4d.toml").write_text("[site]\nname = 'x'\n", encoding="utf-8-sig")
    assert call("--site", tmp_path, "archives")[0] != 78


def test_a_demo_without_its_packages_says_so_before_it_makes_a_folder(
        tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd.controller", None)
    code, _, err = call("demo", "--folder", tmp_path / "demo")
    assert (code, "needs the extra 'demo'" in err) == (1, True)
    assert not (tmp_path / "demo").exists()


def test_a_fault_of_the_program_keeps_its_traceback(call: Call,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise KeyError("x")
    monkeypatch.setattr(iop4d.cli, "cli", broken)
    monkeypatch.setattr(sys, "argv", ["iop4d"])
    with pytest.raises(KeyError):
        main()


@pytest.mark.parametrize(("error", "code", "text"), [
    (ConfigError("x"), 78, "x"),
    (Iop4dError("x"), 1, "x"),
    (OSError(errno.ENOSPC, "No space left on device", "a"), 1,
     "a: the disk is full (No space left on device)"),
    (PermissionError(errno.EACCES, "Permission denied", "a"), 1, "a: Permission denied"),
    (MemoryError(), 1, "there is not enough memory"),
    (ModuleNotFoundError("No module named 'orjson'", name="orjson"), 1,
     "the package 'orjson' is not installed: install iop4d again, also after an update "
     "('iop4d docs getting-started')"),
    (ExceptionGroup("tasks", [ConfigError("x")]), 78, "x"),
])
def test_known_ends(error: Exception, code: int, text: str) -> None:
    ending = ending_of(error)
    assert ending is not None
    assert (ending.code, ending.text) == (code, text)


def test_a_module_of_ours_that_is_not_there_is_a_fault() -> None:
    assert ending_of(ModuleNotFoundError("No module named 'iop4d.x'", name="iop4d.x")) is None


def test_a_group_with_a_fault_in_it_is_a_fault() -> None:
    assert ending_of(ExceptionGroup("tasks", [Iop4dError("x"), KeyError("y")])) is None


def run(command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True,
                          text=True, check=False, timeout=60, env={**os.environ, **env})


def test_a_pipe_that_closes_a_full_disk_and_a_plain_terminal_are_no_faults(folder: Path) -> None:
    me = f"{sys.executable} -m iop4d"
    closed = run(f"{me} catalogue export | head -c 1")
    assert closed.stderr == ""
    full = run(f"{me} catalogue list > /dev/full")
    assert (full.returncode, full.stderr) == (
        1, "iop4d: the disk is full (No space left on device)\n")
    plain = run(f"{me} catalogue show 'BL Lac'; {me} status", LANG="C", LC_ALL="C",
                PYTHONIOENCODING="ascii", PYTHONUTF8="0", HOME="/nonexistent", COLUMNS="60")
    assert (plain.returncode, plain.stderr) == (0, "")


def test_every_exit_code_is_in_the_table_of_the_docs() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    codes = re.findall(r"(?m)^\| (\d+) \|", page)
    assert codes == ["0", *map(str, sorted({FAILED, 2, EX_TEMPFAIL, EX_CONFIG, INTERRUPTED}))]


@pytest.mark.parametrize("page", ["README.md", "docs/getting-started.md"])
def test_the_first_commands_work_as_printed_in_a_new_shell(tmp_path: Path, page: str) -> None:
    """Of a virtual environment with iop4d: nothing is downloaded."""
    (block,) = [block.text for block in blocks(ROOT / page) if "venv/bin/pip install" in block.text]
    lines = block.split("catalogue import", maxsplit=1)[0].splitlines()
    assert lines[0].startswith("python3 -m venv venv && ")
    script = "\n".join(line for line in lines[1:] if line != "iop4d ")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "activate").write_text(f'PATH="{tmp_path}/venv/bin:$PATH"\n')
    program = tmp_path / "venv" / "bin" / "iop4d"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m iop4d "$@"\n')
    program.chmod(0o755)
    ran = subprocess.run(["bash", "-ec", f"cd {tmp_path}\n{script}\niop4d catalogue import "
                          "builtin:blazars"], capture_output=True, text=True, check=False,
                         timeout=60, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin",
                                          "PYTHONPATH": str(ROOT),
                                          **({store.VARIABLE: os.environ[store.VARIABLE]}
                                             if store.VARIABLE in os.environ else {})})
    assert ran.returncode == 0, ran.stderr
    assert has_database(tmp_path / "my-site")
