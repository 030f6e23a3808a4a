"""``iop4d demo``: an observatory in a box."""

from __future__ import annotations

from pathlib import Path

import click

from iop4d.cli.common import Amount, verbosity
from iop4d.model.errors import Iop4dError
from iop4d.model.units import SpanError, seconds_of


def seconds(text: str) -> float:
    """``90``, ``90s``, ``2m`` or ``1h`` in seconds."""
    try:
        return seconds_of(text, bare="s")
    except SpanError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--speed", type=Amount(min=0.1), default=20.0, show_default=True,
              help="How many times faster than real the night passes.")
@click.option("--for", "duration", metavar="TIME", callback=lambda _c, _p, v: v and seconds(v),
              help="End by itself after this time, such as 90s or 2m.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True,
              help="Port of the live page; 0: any free one.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo-site"),
              show_default=True, help="Folder of the demo's site, replaced each time.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the night.")
@verbosity
def demo(speed: float, duration: float | None, port: int, folder: Path, seed: int) -> None:
    """Start a simulated observatory, the daemon on it, and the live page.

    AndorT90 takes a night of frames into a folder that the daemon watches, and after a while
    AndorT150, CAFOS and DIPOL take polarimetry groups into theirs; a blazar
    flares, a rule fires, and a mail arrives in a mailbox that the page shows. Ctrl-C, or the end of
    --for, stops everything and prints a summary.
    """
    try:
        import aiosmtpd.controller  # noqa: F401  # before a folder is made

        from iop4d.simulator.demo import Demo
    except ImportError as error:
        raise Iop4dError(f"the demo needs the extra 'demo' (pip install 'iop4d[demo]'): "
                         f"{error}") from error
    Demo(folder=folder, speed=speed, duration=duration, port=port, seed=seed).run()
