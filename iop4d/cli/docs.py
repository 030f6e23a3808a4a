"""``iop4d docs``: the documentation, which is installed with the program."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import resources
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import verbosity
from iop4d.cli.output import echo
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@click.command()
@click.argument("page", required=False)
@verbosity
def docs(page: str | None) -> None:
    """Show a PAGE of the documentation, such as alerts or site-file; without one, list them.

    Messages that name docs/alerts.md mean the page alerts.
    """
    pages = _pages()
    if page is None:
        for name, file in pages.items():
            title = file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
            echo(f"{name:<16} {title}", hang=17)
        return
    wanted = page.removeprefix("docs/").removesuffix(".md")
    if wanted not in pages:
        close = get_close_matches(wanted, pages, n=1)
        raise Iop4dError(f"no page '{wanted}'; there are {', '.join(pages)}"
                         + (f"; did you mean {close[0]}?" if close else ""))
    click.echo(pages[wanted].read_text(encoding="utf-8"))


def _pages() -> dict[str, Traversable]:
    folder = resources.files("iop4d") / "docs"
    return {file.name.removesuffix(".md"): file
            for file in sorted(folder.iterdir(), key=lambda file: file.name)
            if file.name.endswith(".md")}
