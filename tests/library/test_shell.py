"""``iop4d shell``: Python with the site open."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.library import Site


def test_pythons_own_prompt_where_ipython_is_not_there(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    ran = CliRunner().invoke(cli, ["--site", str(site.folder), "shell"],
                             input="print('found', len(site.results), u.mag, iop4d.open)\n")
    assert ran.exit_code == 0, ran.output
    assert "found 3 mag <function open_site" in ran.output


def test_ipython_where_it_is(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []
    fake, config = ModuleType("IPython"), ModuleType("traitlets.config")
    monkeypatch.setattr(fake, "start_ipython", lambda **said: started.append(said), raising=False)

    class Config(dict[str, Any]):
        TerminalInteractiveShell = ModuleType("shell")

    monkeypatch.setattr(config, "Config", Config, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setitem(sys.modules, "traitlets.config", config)
    ran = CliRunner().invoke(cli, ["shell", "--site", str(site.folder)])
    assert ran.exit_code == 0, ran.output
    assert started[0]["user_ns"]["site"].folder == site.folder
    assert "3 results" in Config.TerminalInteractiveShell.banner1  # type: ignore[attr-defined]


def test_where_nothing_ran_yet_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("", encoding="utf-8")
    ran = CliRunner().invoke(cli, ["--site", str(tmp_path), "shell"])
    assert ran.exit_code != 0
    assert "nothing has run on this site" in str(ran.exception)
