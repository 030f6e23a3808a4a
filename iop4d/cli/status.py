"""``iop4d status``: what is going on."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from iop4d.cli.common import load, open_database, site_options

#: What an archive says besides, where it is not as usual.
_MORE = ("watch", "breaker", "queue", "settling", "fetching", "failing", "skipped_lines",
         "overflows", "trouble")
_USUAL: tuple[Any, ...] = (None, 0, {}, [], "closed", "events")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@site_options
@click.pass_context
def status(ctx: click.Context, as_json: bool, site_after: str | None,
           overrides_after: tuple[str, ...]) -> None:
    """Show what the daemon does, counts by state, the queue, every failed frame and every
    group without polarisation, with its reason.

    Exits with 1 if a channel does not deliver its messages, if the daemon runs without a rule that
    is wrong, or if it did not stop and yet does not run.
    """
    from iop4d.model.states import DaemonState
    from iop4d.store.status import status as read
    from iop4d.system.lock import is_locked

    site = load(ctx, site_after, overrides_after)
    with open_database(site, read_only=True).read() as db:
        state = read(db, time.time(), locked=is_locked(site.lock))
    if as_json:
        click.echo(json.dumps(state, indent=1))
    else:
        for line in _lines(state):
            click.echo(line)
    daemon = state["daemon"]
    ctx.exit(int(bool(state["undelivered"]) or daemon["state"] == DaemonState.SILENT
                 or (daemon["state"] == DaemonState.RUNNING and bool(daemon.get("wrong_rules")))))


def _lines(state: dict[str, Any]) -> list[str]:
    from iop4d.alerts.rendering import moment

    daemon = state["daemon"]
    lines = [f"daemon   {_daemon(daemon)}"]
    if daemon.get("config_error"):
        lines.append("         site file rejected, still using the previous one: "
                     + daemon["config_error"])
    lines += [f"rule     {rule['name']} is not used: {rule['why']}"
              for rule in daemon.get("wrong_rules", ())]
    if daemon.get("paused"):
        lines.append(f"         paused: {daemon['paused']}")
    for archive in daemon.get("archives", ()):
        trouble = f": {archive['reason']}" if archive["reason"] else ""
        lines.append(f"archive  {archive['name']}: {archive['state']}{trouble}, "
                     f"{archive['files']} files, {archive['path']}")
        more = {name: archive[name] for name in _MORE if archive.get(name) not in _USUAL}
        if more:
            lines.append(f"{'':9}" + ", ".join(f"{name} {value}" for name, value in more.items()))
    lines.append("frames   " + _counts(state["frames"]))
    queue = {f"{entry['kind']} {entry['state']}": entry["jobs"] for entry in state["queue"]}
    lines.append("queue    " + _counts(queue))
    lines.append("masters  " + _counts(state["masters"]))
    lines.append(f"results  {state['results']}")
    lines.append("alerts   " + _counts(state["alerts"]))
    lines.append("mails    " + _counts(state["mails"]))
    lines += [f"channel  {one['channel']}: {one['messages']} messages undelivered, {one['reason']}"
              for one in state["undelivered"]]
    lines += [f"muted    {one['of']}, until {moment(one['until'])} UTC, by {one['by']}"
              for one in state["mutes"]]
    for title, entries in (("Failed", state["failed"]), ("Waiting", state["waiting"])):
        if entries:
            lines += ["", f"{title} (number for 'iop4d retry', path, reason):"]
            lines += [f"  {entry['state']:<12} {entry['id']:<6} {entry['path']}\n"
                      f"{'':15}{entry['reason']}" for entry in entries]
    if state["groups"]:
        lines += ["", "Groups without polarisation, for a target or all (newest first, reason):"]
        lines += [f"  {one['group']}\n{'':15}{one['reason']}" for one in state["groups"]]
    return lines


def _daemon(daemon: dict[str, Any]) -> str:
    from iop4d.model.states import DaemonState

    match daemon["state"]:
        case DaemonState.NEVER:
            return "has never run on this site"
        case DaemonState.SILENT:
            return "does not run, or hangs: it has not stopped, but gives no heartbeat"
        case DaemonState.RUNNING | DaemonState.STOPPING:
            return f"{daemon['state']}, process {daemon['pid']}"
    return str(daemon["state"])


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
