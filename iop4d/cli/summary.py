"""``iop4d summary``: what came of a night."""

from __future__ import annotations

import base64
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import load, open_database, site_options
from iop4d.model import plain_json
from iop4d.model.errors import Iop4dError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iop4d.alerts.summary.facts import NightSummary
    from iop4d.config import Site
    from iop4d.store.database import Connection, Database


@click.command()
@click.argument("night", metavar="[NIGHT]", required=False)
@click.option("--send", is_flag=True,
              help="Send it once more to all recipients, as it stands now.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write it to FILE, as an HTML page that contains its plots.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@site_options
@click.pass_context
def summary(ctx: click.Context, night: str | None, send: bool, html: Path | None, as_json: bool,
            site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Show the summary of a night as it stands now: 2023-03-13, 230313, tonight or yesterday; by
    default of the last night that is over.
    """
    from iop4d.alerts.rendering import count
    from iop4d.alerts.summary import write

    site = load(ctx, site_after, overrides_after)
    if send and not site.summary.channels:
        raise Iop4dError("[summary] channels names no channel: there is no recipient")
    database, now = open_database(site, read_only=not send), time.time()
    end = _end_of(site)
    chosen = _night(night, now, end)
    with database.read() as db:
        facts = _gather(db, site, chosen, end, now, whole=not send)
        drawn = _drawn(db, facts.night) if site.summary.plots and (send or html) else {}
    if html:
        _write(html, facts, drawn)
    if as_json:
        click.echo(plain_json.dumps(write.plain(facts), indent=1))
    elif not html and not send:
        click.echo(write.text(write.plain(facts)).rstrip())
    if send:
        messages = _send(site, database, facts, drawn, is_over=end(chosen) <= now)
        click.echo(f"{count(messages, 'message')} of the night {facts.night} queued; the "
                   "running daemon sends them.", err=as_json)


def _end_of(site: Site) -> Callable[[date], float]:
    from iop4d.alerts.summary.scheduler import end_of_night, telescopes_of
    from iop4d.instruments.discovery import find_instruments

    known = [i.telescope for i in find_instruments(site.camera, site.polarimeter)]
    telescopes = telescopes_of(site, known)
    return lambda night: end_of_night(night, telescopes, site.summary.send_at)


def _night(text: str | None, now: float, end: Callable[[date], float]) -> date:
    from iop4d.alerts.summary.scheduler import last_ended
    from iop4d.archives.nights import parse_night

    if text is None:
        return last_ended(now, end)
    # Until noon the night is that of the evening before.
    tonight = (datetime.fromtimestamp(now, UTC) - timedelta(hours=12)).date()
    return parse_night(text, tonight=tonight)


def _gather(db: Connection, site: Site, night: date, end: Callable[[date], float], now: float, *,
            whole: bool) -> NightSummary:
    from iop4d.alerts.summary.gather import gather

    return gather(db, site, night.isoformat(), since=end(night - timedelta(days=1)),
                  until=end(night), now=now, whole=whole)


def _drawn(db: Connection, night: str) -> dict[str, bytes]:
    """The plots of a night's sources."""
    from iop4d.alerts.summary.plots import plot_requests
    from iop4d.reduction.plots import plot_night

    return {source: plot_night(request) for source, request in plot_requests(db, night)}


def _write(path: Path, facts: NightSummary, drawn: dict[str, bytes]) -> None:
    """A page that stands by itself: its plots are within it."""
    from iop4d.alerts.summary import write
    from iop4d.alerts.summary.write import with_pictures
    from iop4d.fits.atomic import write_atomic

    shown = with_pictures(facts, {source: source for source in drawn})
    within: dict[str, Any] = {
        source: "data:image/png;base64," + base64.b64encode(png).decode()
        for source, png in drawn.items()}
    page = write.html(write.plain(shown), lambda source: within[source])
    try:
        write_atomic(path, [page.encode()], durable=False)
    except OSError as error:
        raise Iop4dError(f"{path} cannot be written: {error}") from error


def _send(site: Site, database: Database, facts: NightSummary, drawn: dict[str, bytes], *,
          is_over: bool) -> int:
    from iop4d.alerts.summary import write

    pictures = {source: write.save_picture(site.root, facts.night, source, png)
                for source, png in drawn.items()}
    whole, again = write.with_pictures(facts, pictures), uuid.uuid4().hex
    with database.write() as tx:
        send = write.post if is_over else write.post_unfinished
        return len(send(tx, site, whole, now=time.time(), again=again))
