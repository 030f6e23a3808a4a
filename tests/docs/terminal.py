"""A terminal in which the commands of the documentation are typed: iop4d runs in this process."""

from __future__ import annotations

import glob
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.cli.endings import ending_of

_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended, and what it wrote."""

    code: int
    text: str


def words_of(line: str) -> list[str]:
    """The words and operators of a line, as a shell has them; comments are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    return list(lexer)


class Terminal:
    """A shell that knows ``cd``, ``&&``, ``>``, ``>>``, ``~`` and patterns of names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def type(self, line: str, answers: str = "") -> Said:
        """Run a line; ``answers`` are what is typed when it asks."""
        text, words = "", [*words_of(line), "&&"]
        while words:
            end = words.index("&&")
            said = self._run(words[:end], answers)
            text += said.text
            if said.code:
                return Said(code=said.code, text=text)
            words = words[end + 1:]
        return Said(code=0, text=text)

    def _run(self, words: list[str], answers: str) -> Said:
        if len(words) < 3 or words[-2] not in (">", ">>"):
            return self._program(words, answers)
        said = self._program(words[:-2], answers)
        with Path(words[-1]).expanduser().open("a" if words[-2] == ">>" else "w") as file:
            file.write(said.text)
        return Said(code=said.code, text=said.text if said.code else "")

    def _program(self, words: list[str], answers: str) -> Said:
        program, *arguments = (found for word in words for found in _expanded(word))
        if program == "cd":
            self._monkeypatch.chdir(arguments[0])
            return Said(code=0, text="")
        if program == "iop4d":
            return _iop4d(arguments, answers)
        ran = subprocess.run([program, *arguments], input=answers, capture_output=True, text=True,
                             check=False, timeout=_TIMEOUT_S)
        return Said(code=ran.returncode, text=ran.stdout + ran.stderr * (ran.returncode > 0))


def _expanded(word: str) -> list[str]:
    """A word with ``~``; the files of a pattern, where there are any."""
    word = os.path.expanduser(word)  # noqa: PTH111 - of part of a command
    found = sorted(glob.glob(word)) if "*" in word else []  # noqa: PTH207 - as a shell has them
    return found or [word]


def _iop4d(arguments: list[str], answers: str) -> Said:
    ran = CliRunner().invoke(cli, arguments, input=answers)
    error, text = ran.exception, ran.output
    if error is None or isinstance(error, SystemExit):
        return Said(code=ran.exit_code, text=text)
    ending = ending_of(error) if isinstance(error, Exception) else None
    if ending is None:
        raise error
    return Said(code=ending.code, text=f"{text}{error}")
