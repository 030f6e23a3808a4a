"""``iop4d status``: what is going on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iop4d.cli.common import Amount, Context, has_database, load, open_database, site_options
from iop4d.cli.endings import EX_CONFIG
from iop4d.cli.output import counted, echo
from iop4d.model import plain_json
from iop4d.model.errors import ConfigError
from iop4d.model.escaped import escaped
from iop4d.model.reasons import by_reason
from iop4d.model.states import JobState
from iop4d.store.kind import StoreUnavailableError

if TYPE_CHECKING:
    from iop4d.config import Site

_REASONS_SHOWN = 10
_EXAMPLES = 3  # entries shown of a reason

#: What an archive says besides, where it is not as usual.
_MORE = ("watch", "breaker", "queue", "settling", "skipped_lines", "overflows")
#: And what it says of single files and folders, a line for each of the first.
_OF_FILES = {"fetching": "downloading ", "failing": "not downloaded: ", "cut_off": "not whole: ",
             "trouble": ""}
_USUAL: tuple[Any, ...] = (None, 0, {}, [], "closed", "events")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--all", "everything", is_flag=True,
              help="List every frame and group, not a few of each reason; with --json, too.")
@click.option("--watch", type=Amount(0.5), metavar="[SECONDS]", is_flag=False,
              flag_value=2.0, default=None,
              help="Show it again every 2 s, or so many, until Ctrl-C; with --json in a line each.")
@site_options
@click.pass_context
def status(ctx: click.Context, as_json: bool, everything: bool, watch: float | None,
           site_after: str | None, overrides_after: tuple[str, ...]) -> None:
    """Show what the daemon does, counts by state, the queue, and why frames failed and groups have
    no polarisation.

    Exits with 1 if a channel does not deliver its messages, if the daemon runs without a rule that
    is wrong, if no worker process starts, or if it did not stop and yet does not run; with 78 if
    the site file is wrong, which is said after all else.
    """
    from iop4d.model.states import DaemonState
    from iop4d.store.status import LIVE

    site, wrong = _site(ctx, site_after, overrides_after)
    if watch is not None:
        _watch(site, watch, as_json=as_json, everything=everything)
        return
    state = _read(site, each=everything)
    if as_json:
        click.echo(plain_json.dumps(state, indent=1))
    else:
        _show(site, state)
    if wrong is not None:
        click.echo(f"iop4d: the site file is wrong: {wrong}", err=True)
        ctx.exit(EX_CONFIG)
    daemon = state["daemon"]
    ctx.exit(int(bool(state["undelivered"]) or daemon["state"] == DaemonState.SILENT
                 or (daemon["state"] in LIVE
                     and bool(daemon.get("wrong_rules") or daemon.get("trouble")))))


def _read(site: Site, *, each: bool) -> dict[str, Any]:
    from iop4d.store.status import status as read
    from iop4d.system.lock import is_locked

    with open_database(site, read_only=True).read() as db:
        return read(db, time.time(), locked=is_locked(site.lock), each=each)


def _show(site: Site, state: dict[str, Any]) -> None:
    from iop4d.config.secret import exposed_secrets

    for line in _lines(state):
        echo(escaped(line), hang=0 if line.startswith(" ") else 9)
    for exposed in exposed_secrets(site):
        echo(f"secret   {exposed}", hang=9)


def _watch(site: Site, seconds: float, *, as_json: bool, everything: bool) -> None:
    """Show the state again and again; a database that cannot be read is said, and looked at again.
    """
    while True:
        try:
            state = _read(site, each=everything)
        except StoreUnavailableError as error:
            click.echo(f"iop4d: {error}", err=True)
        else:
            if as_json:
                click.echo(plain_json.dumps(state))
            else:
                if sys.stdout.isatty():
                    click.clear()
                echo(f"at       {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC")
                _show(site, state)
            sys.stdout.flush()
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            return


def _site(ctx: click.Context, site_after: str | None,
          overrides_after: tuple[str, ...]) -> tuple[Site, ConfigError | None]:
    """The site, and what is wrong with its file: the folder tells what a daemon does there."""
    from iop4d.config.load import parse_site

    try:
        return load(ctx, site_after, overrides_after), None
    except ConfigError as error:
        context = ctx.find_object(Context)
        folder = Path(site_after or (context.folder if context else "."))
        site = parse_site("", root=folder.resolve())
        if not has_database(site):
            raise
        return site, error


def _lines(state: dict[str, Any]) -> list[str]:
    from iop4d.alerts.rendering import moment
    from iop4d.store.status import LIVE

    daemon = state["daemon"]
    live = daemon["state"] in LIVE
    lines = [f"daemon   {_daemon(daemon)}"]
    if daemon.get("trouble") and live:
        lines.append(f"         reduces nothing: {daemon['trouble']}")
    if daemon.get("config_error") and live:
        lines.append("         site file rejected, still using the previous one: "
                     + daemon["config_error"])
    lines += [f"rule     {rule['name']} is not used: {rule['why']}"
              for rule in daemon.get("wrong_rules", ())]
    if daemon.get("paused") and live:
        lines.append(f"         paused: {daemon['paused']}")
    lines += [f"worker   {worker['host']}: {worker['state']} {worker['job']}".rstrip()
              + f", {counted(worker['jobs'], 'job')}" for worker in daemon.get("workers", ())
              if daemon.get("engine")] if live else []
    lines += map(node_line, state["nodes"])
    for archive in daemon.get("archives", ()):
        trouble = f": {archive['reason']}" if archive["reason"] and live else ""
        lines.append(f"archive  {archive['name']}: {archive['state']}{trouble}, "
                     f"{counted(archive['files'], 'file')}, {archive['path']}")
        more = {name: archive[name] for name in _MORE if archive.get(name) not in _USUAL}
        if more and live:
            lines.append(f"{'':9}" + ", ".join(f"{name} {value}" for name, value in more.items()))
        lines += _of_files(archive) if live else []
    if (broker := daemon.get("triggers")) and live:
        lines.append(f"triggers {_broker(broker)}")
    lines.append("frames   " + _counts(state["frames"]))
    lines.append("queue    " + _queue(state["queue"], live=live))
    lines.append("masters  " + _counts(state["masters"]))
    lines.append(f"results  {state['results']}")
    lines.append("alerts   " + _counts(state["alerts"]))
    lines.append("mails    " + _counts(state["mails"]))
    lines += [f"channel  {one['channel']}: {counted(one['messages'], 'message')} undelivered, "
              f"{one['reason']}"
              for one in state["undelivered"]]
    lines += [f"muted    {one['of']}, until {moment(one['until'])} UTC, by {one['by']}"
              for one in state["mutes"]]
    for title, name in (("Failed", "failed"), ("Waiting", "waiting")):
        every, few = state.get(name, []), state.get(f"{name}_by_reason", [])
        if every or few:
            lines += ["", f"{title} (number for 'iop4d retry', path):", *_each(every), *_few(few)]
    if groups := state["groups"]:
        lines += ["", "Groups without polarisation, for a target or all (newest first):"]
        lines += _each(groups) if "failed" in state else _few(_grouped(groups))
    return lines


def _broker(broker: dict[str, Any]) -> str:
    """How the broker of triggers is, in a line."""
    from iop4d.alerts.rendering import moment

    trouble = f": {broker['reason']}" if broker["reason"] else ""
    last = f", the last {moment(broker['last_at'])} UTC" if broker["last_at"] else ""
    return f"{broker['state']}{trouble}, {broker['received']} received{last}"


def node_line(node: dict[str, Any]) -> str:
    """What is known of one of the daemons that share a database, in a line."""
    from iop4d.alerts.rendering import moment

    seen = f", last seen {moment(node['seen_at'])} UTC" if node["seen_at"] else ""
    role = ", judges the rules and sends the messages" if node["leads"] else ""
    differs = (f"; its site file differs in {', '.join(node['differs'])}, which has no effect "
               "while another node judges the rules" if node["differs"] else "")
    host = f" on {node['host']}" if node["host"] else ""
    return (f"node     {node['node']}{' (this one)' if node['is_this'] else ''}: {node['state']}"
            f"{host}{seen}{role}{differs}")


def _queue(entries: list[dict[str, Any]], *, live: bool) -> str:
    """The jobs by kind and state; those of a daemon that does not run are for its next start."""
    queue: dict[str, int] = {}
    for entry in entries:
        state = entry["state"] if live or entry["state"] != JobState.RUNNING else JobState.QUEUED
        name = f"{entry['kind']} {state}"
        queue[name] = queue.get(name, 0) + entry["jobs"]
    return _counts(queue) + (", for the next start of the daemon" if queue and not live else "")


Entries = list[dict[str, Any]]


def _named(entry: dict[str, Any]) -> str:
    """A frame or a group, for a line."""
    return str(entry["group"]) if "group" in entry else f"{entry['id']:<6} {entry['path']}"


def _each(entries: Entries) -> list[str]:
    """Every entry with its reason."""
    return [line for entry in entries
            for line in (f"  {entry['state']:<12} {_named(entry)}", f"{'':15}{entry['reason']}")]


def _grouped(entries: Entries) -> Entries:
    """Entries by their reasons, as the database gives those of frames."""
    named = {entry["id"]: entry for entry in entries}
    newest = sorted(entries, key=lambda one: int(one["id"]), reverse=True)
    return [{"state": one.state, "reason": one.reason, "frames": one.count,
             "newest": [named[id_] for id_ in one.newest]} for one in by_reason(
                 ((one["id"], one["state"], one["reason"]) for one in newest),
                 examples=_EXAMPLES)]


def _few(reasons: Entries) -> list[str]:
    """The commonest reasons, each with its newest entries."""
    lines, is_all = list[str](), True
    for one in reasons[:_REASONS_SHOWN]:
        lines.append(f"  {one['frames']} {one['state']}: {one['reason']}")
        lines += [f"{'':6}{_named(entry)}" for entry in one["newest"]]
        if (more := one["frames"] - len(one["newest"])) > 0:
            is_all = False
            lines.append(f"{'':6}and {more} more")
    if rest := reasons[_REASONS_SHOWN:]:
        is_all = False
        lines.append(f"  and {sum(one['frames'] for one in rest)} for {len(rest)} more reasons")
    return lines if is_all else [*lines, "  'iop4d status --all' lists each."]


def _daemon(daemon: dict[str, Any]) -> str:
    from iop4d.model.states import DaemonState

    match daemon["state"]:
        case DaemonState.NEVER:
            return "has never run on this site"
        case DaemonState.SILENT:
            return ("does not run, or hangs: it has not stopped, but gives no heartbeat"
                    + _since(daemon))
        case DaemonState.STOPPED:
            return f"stopped{_since(daemon)}; 'iop4d run' starts it"
        case DaemonState.RUNNING | DaemonState.STOPPING:
            return f"{daemon['state']}, process {daemon['pid']}"
    return str(daemon["state"])


def _since(daemon: dict[str, Any]) -> str:
    from iop4d.alerts.rendering import moment

    return f" since {moment(daemon['beat_at'])} UTC" if daemon.get("beat_at") else ""


def _of_files(archive: dict[str, Any]) -> list[str]:
    """What an archive says of single files and folders."""
    from iop4d.archives.names import printable

    lines = []
    for name, words in _OF_FILES.items():
        found = archive.get(name) or ()
        each = ([f"{at}, {why}" for at, why in found.items()] if isinstance(found, dict)
                else list(found))
        lines += [f"{'':9}{words}{printable(one)}" for one in each[:_EXAMPLES]]
        if len(each) > _EXAMPLES:
            lines.append(f"{'':9}{words}{len(each) - _EXAMPLES} more")
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
