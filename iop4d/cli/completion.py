"""``iop4d completion``: what a shell reads so that the Tab key completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from iop4d.cli.common import COMPLETE_VARIABLE, verbosity


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@verbosity
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write what SHELL reads to complete commands, options and their values.

    \b
    bash: iop4d completion bash > ~/.local/share/bash-completion/completions/iop4d
    zsh:  iop4d completion zsh > ~/.zfunc/_iop4d     (with fpath+=~/.zfunc before compinit)
    fish: iop4d completion fish > ~/.config/fish/completions/iop4d.fish
    """
    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(ctx.find_root().command, {}, "iop4d", COMPLETE_VARIABLE).source())
