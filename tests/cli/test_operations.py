"""Commands as programs and shells use them: completion, a watch, verbosity, the form of the log."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from iop4d.cli import COMMANDS, LazyGroup, cli, common
from iop4d.cli import status as status_module
from iop4d.store.database import Database
from iop4d.system.logfile import about


def commands() -> Iterator[tuple[str, click.Command]]:
    group = LazyGroup()

    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            for word, one in command.commands.items():
                yield from below(f"{name} {word}", one)
        else:
            yield name, command

    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from below(name, command)


def test_every_command_can_say_less_and_more() -> None:
    for name, command in commands():
        options = {word for one in command.params for word in one.opts}
        assert {"--quiet", "--verbose"} <= options, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_is_written(shell: str) -> None:
    ran = CliRunner().invoke(cli, ["completion", shell])
    assert ran.exit_code == 0
    assert "_IOP4D_COMPLETE" in ran.output
    assert f"{shell}_complete" in ran.output


@pytest.mark.parametrize(("words", "expected"), [
    ("iop4d doctor --off", "plain,--offline\n"), ("iop4d doc", "plain,doctor\nplain,docs\n"),
    ("iop4d results --format f", "plain,fits\n"), ("iop4d --site si", "file,si\n"),
    ("iop4d status --site si", "file,si\n")])
def test_it_completes_commands_options_and_folders(words: str, expected: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "iop4d"], check=False, capture_output=True, text=True, env={
            **os.environ, "_IOP4D_COMPLETE": "bash_complete", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1)})
    assert ran.stdout == expected


def test_the_state_is_shown_again_until_it_is_interrupted(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "iop4d.toml").write_text("")
    Database(tmp_path / "iop4d.db").close()
    left = [1.0, 1.0]

    def sleep(seconds: float) -> None:
        assert seconds == 1.0
        if not left:
            raise KeyboardInterrupt
        left.pop()

    monkeypatch.setattr(status_module.time, "sleep", sleep)
    ran = CliRunner().invoke(cli, ["status", "--watch", "1", "--json", "--site", str(tmp_path)])
    assert ran.exit_code == 0
    assert [json.loads(line)["results"] for line in ran.output.splitlines()] == [0, 0, 0]
    ran = CliRunner().invoke(cli, ["status", "--watch", "1", "--site", str(tmp_path)])
    assert ran.output.startswith("at ")


@pytest.mark.parametrize(("form", "journal", "expected"), [
    ("text", False, " UTC WARNING the disk is slow [frames 7, 8]\n"),
    ("text", True, "<4>tests.cli.test_operations: the disk is slow [frames 7, 8]\n"),
    ("json", False, '"text":"the disk is slow","frames":[7,8],"telescope":"T090"}\n'),
    ("json", True, '<4>{"at":')])
def test_a_message_has_its_level_and_its_frames_in_each_form(
        form: str, journal: bool, expected: str, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{here.st_dev}:{here.st_ino}" if journal else "8:1")
    common._journal_reads.cache_clear()
    monkeypatch.setenv(common.LOG_VARIABLE, form)
    with click.Context(click.Command("run")) as ctx:
        common.set_up_logging(ctx)
        logging.getLogger(__name__).warning("the disk is slow", extra=about(
            frames=(7, 8), telescope="T090"))
    common._journal_reads.cache_clear()
    assert expected in capsys.readouterr().err


def test_what_the_database_holds_is_given_to_programs(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text("")
    Database(tmp_path / "iop4d.db").close()
    ran = CliRunner().invoke(cli, ["store", "show", "--json", "--site", str(tmp_path)])
    assert set(json.loads(ran.output)) == {"database", "rows", "nodes"}
