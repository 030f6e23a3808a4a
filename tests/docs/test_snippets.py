"""Whatever else the documentation prints in blocks is read by what it is meant for."""

from __future__ import annotations

import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from iop4d.alerts.engine import AlertEngine
from iop4d.cli import cli
from iop4d.config.load import parse_site
from tests.docs.as_printed import CHECKED_ELSEWHERE, PLACEHOLDERS
from tests.docs.blocks import BLOCKS, PAGES, ROOT, SHELLS, Block, Printed, inline
from tests.docs.terminal import words_of
from tests.docs.world import served

_HERE = ("toml", "python", "yaml")
_NOT_SITE_FILES = "[project."  # parts of a pyproject.toml


def _of(language: str) -> list[Any]:
    return [pytest.param(block, id=block.name) for block in BLOCKS if block.language == language
            and (block.page, block.language) not in CHECKED_ELSEWHERE]


def test_every_block_says_what_it_is_in() -> None:
    """Plain text is for what is no command, no code and no file of iop4d."""
    known = {*SHELLS, *_HERE, "text", *(language for _, language in CHECKED_ELSEWHERE)}
    assert [block.name for block in BLOCKS if block.language not in known] == []
    assert [block.name for block in BLOCKS if block.language == "text"
            and any(line.startswith(("iop4d ", "$ ")) for line in block.text.splitlines())] == []


@pytest.mark.parametrize(("page", "language"), CHECKED_ELSEWHERE)
def test_what_is_checked_elsewhere_is_there_and_checked(page: str, language: str) -> None:
    assert any((block.page, block.language) == (page, language) for block in BLOCKS)
    text = (ROOT / CHECKED_ELSEWHERE[page, language]).read_text(encoding="utf-8")
    assert f'"{page}"' in text


@pytest.mark.parametrize("block", _of("toml"))
def test_a_part_of_a_site_file_is_one(block: Block, tmp_path: Path) -> None:
    """With the archives and channels that it names, and a folder for each that must be there."""
    content = tomllib.loads(block.text)
    if block.text.startswith(_NOT_SITE_FILES):
        return
    index = tmp_path / "index"
    index.mkdir()
    (index / "index-5200-00.fits").write_bytes(b"")
    text = block.text.replace('"/data/index"', f'"{index}"')
    there = {channel["name"] for channel in content.get("channel", ())}
    named = {name for part in (*content.get("rule", ()), content.get("summary", {}))
             for name in part.get("channels", ())} - there
    text += "".join(f'\n[[channel]]\nname = "{name}"\nto = ["a@example.org"]\n'
                    for name in sorted(named))
    if "archive" not in content:
        text += '\n[[archive]]\nname = "t090"\ntelescope = "OSN-T090"\npath = "raw"\n'
    if "OSN-T090" not in text:
        text += '\n[[archive]]\nname = "other"\ntelescope = "OSN-T090"\npath = "other"\n'
    if 'source = "engine"' in text:
        text += '\n[workers]\nengine = "dask"\ncluster = "local"\n'
    AlertEngine(parse_site(text, root=tmp_path), lambda: 0.0)


@pytest.mark.parametrize("block", _of("python"))
def test_code_runs(block: Block, finished: Path) -> None:
    with ExitStack() as ended:
        text = block.text
        if "http://127.0.0.1:8765" in text:
            address = ended.enter_context(served(finished))
            text = text.replace("http://127.0.0.1:8765", address)
        names: dict[str, Any] = {}
        exec(compile(text, block.name, "exec"), names)
        if "rows" in names:
            assert [row["source"] for row in names["rows"]] == ["2200+420"] * len(names["rows"])
            assert len(names["rows"]) >= 3


@pytest.mark.parametrize("block", _of("yaml"))
def test_a_file_of_another_program_can_be_read(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_command_in_a_sentence_exists_with_its_options(path: Path) -> None:
    assert [f"{one.name}: {wrong}" for one in inline(path) if (wrong := _unknown(one))] == []


def _unknown(printed: Printed) -> str:
    """What of a command ``iop4d ...`` the program does not know; empty where it knows all."""
    command: click.Command = cli
    known: set[str] = set()
    try:
        words = words_of(printed.text)[1:]
    except ValueError as error:
        return str(error)
    for word in words:
        known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in {*known, "--help", "-h", "--version"}:
                return f"no option {word}"
        elif isinstance(command, click.Group) and word not in PLACEHOLDERS:
            found = command.get_command(click.Context(command), word)
            if found is None and command is cli:
                return f"no command {word}"
            command = found or command
    return ""
