"""What commands print: lines as wide as the terminal, or JSON for programs."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import click

from iop4d.model import plain_json
from iop4d.model.escaped import escaped

_NARROWEST = 20  # columns that a line is wrapped to at least


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command write JSON."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")(command)


def write_json(value: object) -> None:
    """Write a value as JSON: what is not known is null, dataclasses are objects."""
    click.echo(plain_json.dumps(plain_json.plain(value), indent=1, ensure_ascii=False))


def echo(line: str, *, hang: int = 4, err: bool = False) -> None:
    """Print a line, wrapped where the terminal is narrower; lines into a pipe or a file are whole.

    No character of it moves the cursor or changes colours, as names of files could.

    ``hang``: columns by which what follows is indented beyond the line itself.
    """
    room, line = _room(err=err), escaped(line, keep="\n")
    if len(line) > room:
        indent = " " * (len(line) - len(line.lstrip()) + hang)
        line = textwrap.fill(line, width=max(room, _NARROWEST), subsequent_indent=indent,
                             break_long_words=False, break_on_hyphens=False)
    click.echo(line, err=err)


def _room(*, err: bool) -> int:
    stream = sys.stderr if err else sys.stdout
    if stream.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return sys.maxsize


def counted(count: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
