"""System: workers, queue, archives, disk, versions, latency; for admins the log and site file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort

from iop4d.config.shown import shown_site
from iop4d.store import machine, triggers
from iop4d.store.database import Connection
from iop4d.web.context import parts, reading, render, site_overview
from iop4d.web.views.system import latency, versions

blueprint = Blueprint("system", __name__)

_UNMATCHED = 8  # notices that are shown
_PARTS = {"state": "part_system.html", "wrong": "part_wrong.html"}


@blueprint.get("/system")
@reading
def system(db: Connection) -> str:
    """What the machine does."""
    site = parts().site
    site_overview(db, counted=True)  # which the page shows then
    return render(db, "system.html", latency=latency.latency_of(db, time.time()),
                  programs=versions.programs(), libraries=versions.libraries(),
                  indexes=versions.index_folders(site),
                  channels=machine.channels(db, site.channel),
                  unknown_wants=_unknown_wants(db), **_triggers(db))


@blueprint.get("/fragments/system/<name>")
@reading
def fragment(db: Connection, name: str) -> str:
    """A part of the page as it is now."""
    if name in _PARTS:
        site_overview(db, counted=True)
        return render(db, _PARTS[name], **_triggers(db))
    if name == "latency":
        return render(db, "part_latency.html", latency=latency.latency_of(db, time.time()))
    if name != "channels":
        abort(404)
    return render(db, "part_channels.html", channels=machine.channels(db, parts().site.channel))


@blueprint.get("/system/site-file")
@reading
def site_file(db: Connection) -> str:
    """The site file as it was read."""
    return render(db, "site_file.html", sections=shown_site(parts().site))


def _triggers(db: Connection) -> dict[str, Any]:
    """The latest notices from elsewhere that raise no source, and why."""
    return {"unmatched": triggers.unmatched(db, _UNMATCHED)}


def _unknown_wants(db: Connection) -> Sequence[str]:
    """The sources of ``[[want]]`` that the catalogue does not have."""
    return machine.unknown_names(db, {
        name for want in parts().site.want for name in want.sources})
