"""``iop4d run`` and ``iop4d web``: the two services of a site."""

from __future__ import annotations

import click

from iop4d.cli.common import load, set_up_logging, site_options


@click.command()
@site_options
@click.pass_context
def run(ctx: click.Context, site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Run the daemon: watch the archives, reduce each frame as it comes, tell people.

    It stops cleanly on SIGTERM and Ctrl-C: running jobs end, the rest goes on at the next start.
    However it ends, nothing is lost.
    """
    import asyncio

    from iop4d.daemon import Daemon, run_until_signalled

    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx)
    asyncio.run(run_until_signalled(Daemon(site)))


@click.command()
@click.option("--port", type=int, help="Port to listen at, instead of the site file's.")
@site_options
@click.pass_context
def web(ctx: click.Context, port: int | None, site_after: str | None,
        overrides_after: tuple[str, ...]) -> None:
    """Serve the live page. It reads the daemon's database, and lives also without the daemon."""
    from iop4d.web.server import serve

    if port is not None:
        overrides_after = (*overrides_after, f"web.port={port}")
    site = load(ctx, site_after, overrides_after)
    set_up_logging(ctx)
    serve(site)
