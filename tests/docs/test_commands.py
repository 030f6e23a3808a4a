"""Every command that the documentation prints is run, and says what stands below it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from iop4d.cli import rule_wizard
from tests.docs.as_printed import ANSWERS, CODES, NOT_RUN, PLACES_OF, Command, looked_up
from tests.docs.blocks import BLOCKS, COMMANDS, Printed
from tests.docs.terminal import Said, Terminal
from tests.docs.world import World

_WORD = re.compile(r"\b[A-Z]?[a-z]{3,}\b")  # numbers, times, tokens and names differ
pytestmark = pytest.mark.timeout(180)


def is_not_run(command: Printed) -> bool:
    return looked_up(NOT_RUN, command.page, command.text) is not None


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, night: Path, finished: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ExitStack() as ended:
        monkeypatch.setattr(rule_wizard, "has_terminal", lambda: True)
        made = World(request.param, tmp_path, night=night, finished=finished, ended=ended)
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.chdir(made.site)
        yield made


PAGES = sorted({command.page for command in COMMANDS
                if not is_not_run(command)})


@pytest.mark.parametrize("world", PAGES, indirect=True)
def test_the_commands_of_a_page_run_as_printed(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, wrong = Terminal(monkeypatch), []
    for command in (one for one in COMMANDS if one.page == world.page):
        world.before(command)
        if is_not_run(command):
            continue
        if world.now:
            monkeypatch.setattr(time, "time", lambda: world.now)
        said = terminal.type(world.here(command.text),
                             looked_up(ANSWERS, command.page, command.text) or "")
        world.give(said=(said.text.splitlines() or [""])[-1])
        wrong += _differences(command, world.here("\n".join(command.said)), said)
    assert wrong == [], "\n\n".join(wrong)


def _differences(command: Printed, printed: str, said: Said) -> list[str]:
    """How a command ended otherwise than its page says."""
    if said.code != (looked_up(CODES, command.page, command.text) or 0):
        return [f"{command.name}\nended with {said.code}: {said.text[-1500:]}"]
    if missing := set(_WORD.findall(printed)) - set(_WORD.findall(said.text)):
        return [f"{command.name}\ndoes not say {sorted(missing)}: {said.text[-1500:]}"]
    if command.text.startswith("iop4d results") and " --output " not in command.text \
            and len(said.text.splitlines()) < 2:
        return [f"{command.name}\nshows no result"]
    return []


@pytest.mark.parametrize("table", [NOT_RUN, ANSWERS, CODES])
def test_a_table_names_commands_that_are_printed(table: dict[Command, object]) -> None:
    assert [key for key in table if not any(
        (one.page, one.text[:len(key[1])]) == key for one in COMMANDS)] == []


def test_the_table_of_places_names_what_is_printed() -> None:
    texts = {page: "\n".join(block.text for block in BLOCKS if block.page == page)
             for page in PLACES_OF}
    assert [(page, place) for page, places in PLACES_OF.items() for place in places
            if place not in texts[page]] == []
