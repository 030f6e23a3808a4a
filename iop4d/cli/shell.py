"""``iop4d shell``: a Python session with the site open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import Context, load, site_options
from iop4d.cli.output import counted

if TYPE_CHECKING:
    from iop4d.library import Site


@click.command()
@click.option("--plain", is_flag=True, help="Python's own prompt, also where IPython is installed.")
@site_options
@click.pass_context
def shell(ctx: click.Context, plain: bool, site_after: str | None,
          overrides_after: tuple[str, ...]) -> None:
    """Start Python with the site open as 'site', for reading: 'iop4d docs library'.

    IPython where it is installed, else Python's own prompt. Names: site, iop4d, np (numpy), u
    (astropy.units), Time, plt (matplotlib.pyplot). The session ends with Ctrl-D.
    """
    from iop4d.library.site import site_of

    context: Context = ctx.find_object(Context) or Context(folder=".", overrides=())
    file = load(ctx, site_after, overrides_after, has_indexes=False)
    with site_of(file) as site:
        names, banner = _names(site), _banner(site, site_after or context.folder)
        ipython = None if plain else _ipython()
        if ipython is not None:
            ipython.start_ipython(argv=[], user_ns=names, config=_config(banner))
            return
        _python(names, banner)


def _names(site: Site) -> dict[str, Any]:
    import numpy as np
    from astropy import units as u
    from astropy.time import Time
    from matplotlib import pyplot as plt

    import iop4d

    return {"site": site, "iop4d": iop4d, "np": np, "u": u, "Time": Time, "plt": plt}


def _banner(site: Site, folder: str) -> str:
    return (f"{site!r} in {folder}: {counted(len(site.sources), 'source')}, "
            f"{counted(len(site.results), 'result')}. It is only read.\n"
            "Try site.results(good=True).table(), site.source(NAME), "
            "help(site); 'iop4d docs library' has more.")


def _ipython() -> Any:
    try:
        import IPython
    except ImportError:
        return None
    return IPython


def _config(banner: str) -> Any:
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    return config


def _python(names: dict[str, Any], banner: str) -> None:
    """Python's own prompt, with completion where the terminal has it."""
    import code

    try:
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    except ImportError:  # Python was built without it
        pass
    code.interact(banner=banner, local=names, exitmsg="")
