"""``iop4d atel``: draft an Astronomer's Telegram."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iop4d.cli.common import load, open_database, site_options, time_option
from iop4d.model import plain_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from iop4d.alerts.atel.drafts import StoredDraft
    from iop4d.alerts.atel.facts import DraftFacts
    from iop4d.config import Site



@click.command()
@click.argument("source")
@click.option("--since", default="7d", show_default=True, metavar="TIME",
              help="Results since then count as new: a duration back from now such as 12h, 7d or "
                   "2w, or a time: a date, UTC, JD or MJD.")
@click.option("--related", default="", metavar="NUMBERS",
              help="Numbers of related ATels, such as 14773,15056, besides those of the site file.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Store the draft in FOLDER instead of the site's drafts/.")
@click.option("--json", "as_json", is_flag=True,
              help="Print text, numbers with their results, and notes as JSON.")
@site_options
@click.pass_context
def atel(ctx: click.Context, source: str, since: str, related: str, out: Path | None,
         as_json: bool, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Draft an Astronomer's Telegram about SOURCE, by any of its names.

    It is never sent: the text is for a person to read, to change, and to put into the form of
    astronomerstelegram.org. Every number comes from results, and the draft says from which. The
    text goes to standard output; the paths of its files, and what to check, to standard error.
    """
    numbers = _numbers(related)
    site = load(ctx, site_after, overrides_after)
    facts = _gather(site, source, since)
    try:
        stored = _store(site, facts, numbers, out)
    except OSError as error:
        raise Iop4dError(f"the draft cannot be stored: {error}; name another folder with "
                         "--out") from error
    if as_json:
        click.echo(plain_json.dumps(stored.content | {"folder": str(stored.folder)}, indent=2))
        return
    click.echo(stored.content["text"], nl=False)
    _show_files_and_notes(stored)


def _gather(site: Site, source: str, since: str) -> DraftFacts:
    import time

    from iop4d.alerts.atel.gather import DraftRequest, gather
    from iop4d.model.source import canonical
    from iop4d.model.units import jd_of_unix
    from iop4d.store import catalogue

    now_jd = jd_of_unix(time.time())
    since_jd = time_option("--since", since, now_jd=now_jd)
    with open_database(site, read_only=True).read() as db:
        entry = catalogue.find(db, source)
        called = next((name for name in (*entry.other_names, entry.name)
                       if canonical(name) == canonical(source)), source)
        if called == entry.name and entry.other_names:
            called = entry.other_names[0]
        return gather(db, DraftRequest(source=entry, called=called, since_jd=since_jd,
                                       until_jd=now_jd))


def _store(site: Site, facts: DraftFacts, related: list[str], out: Path | None) -> StoredDraft:
    import time

    from iop4d.alerts.atel import drafts
    from iop4d.alerts.atel.figure import draw, figure_of

    draft = drafts.compose(site, facts, related=related)
    pictures = draw(figure_of(facts, facts.called))
    return drafts.save(out.absolute() if out is not None else drafts.folder_of(site), facts,
                       draft, pictures, made_at=time.time())


def _show_files_and_notes(stored: StoredDraft) -> None:
    """Where the draft is, and what a person must check."""
    click.echo(f"\n{len(stored.content['text'])} characters of 4000. "
               + ("" if stored.fresh else "The same draft was made before. ")
               + "Nothing was sent.", err=True)
    for label, name in (("Text", "draft.txt"), ("Figure", "figure.png"),
                        ("Figure for print", "figure.pdf"), ("Trace of the numbers", "draft.json")):
        click.echo(f"{label}: {stored.folder / name}", err=True)
    for note in stored.content["notes"]:
        click.echo(f"! {note}", err=True)


def _numbers(related: str) -> list[str]:
    found = [part.strip().removeprefix("#") for part in related.split(",") if part.strip()]
    for part in found:
        if not re.fullmatch(r"[0-9]{1,6}", part):
            raise Iop4dError(f"--related has '{part}', expected numbers of ATels such as "
                             "14773,15056")
    return found
