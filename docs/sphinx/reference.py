"""Pages that are made from the program itself, so that they cannot say something else than it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence

import click

from iop4d import __version__
from iop4d.cli import COMMANDS, LazyGroup, cli
from iop4d.store.tables import LISTINGS, Column
from iop4d.web.v1.openapi import described


def commands() -> str:
    """Every command with its arguments and options, as ``--help`` says them."""
    group = LazyGroup()
    context = click.Context(cli, info_name="iop4d")
    parts = ["# Every command\n", "What `--help` says of each; conventions of all of them stand in "
             "[Commands](../commands.md).\n"]
    for name in COMMANDS:
        command = group.get_command(context, name)
        if command is not None:
            parts += _command(command, name, context, level=2)
    return "\n".join(parts)


def _command(command: click.Command, name: str, parent: click.Context, level: int) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    parts = [f"{'#' * level} iop4d {context.command_path.partition(' ')[2]}\n",
             _text(inspect.cleandoc(command.help or "")) + "\n",
             f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"]
    parts.append(_options(command, context))
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found is not None and not found.hidden:
                parts += _command(found, sub, context, level + 1)
    return parts


def _options(command: click.Command, context: click.Context) -> str:
    rows = [record for parameter in command.get_params(context)
            if (record := parameter.get_help_record(context))]
    return _table(("Option", "What it does"),
                  ((f"`{option}`", _cell(says)) for option, says in rows)) if rows else ""


def columns() -> str:
    """Every column of every table, with its unit and UCD."""
    parts = ["# Every column\n", "The tables of the page Data, of `/api/v1` and of `iop4d results`"
             " have these columns. A UCD is a word of the IVOA for what a column is; it stands in"
             " VOTables. Derived columns are computed after the rows are read: they are no filter"
             " and no order.\n"]
    for listing in LISTINGS.values():
        parts += [f"## {listing.words}\n", f"{listing.says.rstrip('.')}. Its address: "
                  f"`/api/v1/{listing.name}`.\n",
                  _table(("Column", "Unit", "What it is", "UCD"),
                         map(_column, listing.columns))]
    return "\n".join(parts)


def _column(column: Column) -> tuple[str, ...]:
    says = _cell(column.says) + (" (derived)" if column.derived else "")
    return f"`{column.name}`", column.unit, says, f"`{column.ucd}`" if column.ucd else ""


def addresses() -> str:
    """Every address of the API, from its OpenAPI description."""
    parts = ["# Every address\n", "From the OpenAPI description that a site serves at"
             " `/api/v1/openapi.json`; how lists are asked for stands in [Addresses for"
             " programs](../api.md).\n"]
    for path, methods in described(__version__)["paths"].items():
        for method, what in methods.items():
            names = [f"`{one['name']}`" for one in what.get("parameters", ())]
            shown = names if len(names) <= 12 else [*names[:12], "and further filters: its columns"]
            parts += [f"## `{method.upper()} {path}`\n", f"{what['summary']}.\n",
                      "Parameters: " + ", ".join(shown) + ".\n" if names else ""]
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _cell(text: str) -> str:
    return _text(" ".join(text.split())).replace("|", "\\|")


def _text(words: str) -> str:
    """Words that mean themselves; what --help must not fill stands as it is."""
    blocks = words.split("\n\n")
    return "\n\n".join(
        "```text\n" + block.lstrip("\b\n") + "\n```" if block.startswith("\b")
        else re.sub(r"([<*_\[\]])", r"\\\1", block) for block in blocks)


#: Name of the page to what writes it.
PAGES: dict[str, Callable[[], str]] = {
    "commands": commands, "columns": columns, "addresses": addresses}
