"""The menu: five entries, the pages under each, and where an address stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iop4d.web.context import parts
from iop4d.web.policy import ACCESS, Access, sees


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the menu. ``parts``: the first parts of the addresses that stand under it.

    ``pages``: address, name and endpoint of what it leads to, where that is more than one page.
    """

    path: str
    name: str
    icon: str
    access: Access
    parts: tuple[str, ...]
    pages: tuple[tuple[str, str, str], ...] = ()


ENTRIES = (
    Entry(path="/", name="Tonight", icon="tonight", access=Access.SITE, parts=("", "nights")),
    Entry(path="/sources", name="Sources", icon="sources", access=Access.RESULTS,
          parts=("sources", "curves", "catalogue")),
    Entry(path="/data", name="Data", icon="data", access=Access.RESULTS,
          parts=("data", "frames", "results", "masters", "groups", "failed", "api"),
          pages=(("/data/results", "Results", "data.results"),
                 ("/data/frames", "Frames", "data.frames"),
                 ("/failed", "Not used", "data.unused"),
                 ("/data/nights", "Nights", "data.nights"),
                 ("/data/groups", "Groups", "data.groups"),
                 ("/data/masters", "Masters", "data.masters"),
                 ("/data/measurements", "Measurements", "data.measurements"),
                 ("/data/jobs", "Jobs", "data.jobs"),
                 ("/data/alerts", "Alerts", "data.alerts"),
                 ("/data/triggers", "Triggers", "data.triggers"),
                 ("/data/sources", "Catalogue", "data.sources"),
                 ("/data/calibrators", "Calibrators", "data.calibrators"),
                 ("/data/external", "Others", "data.external"))),
    Entry(path="/alerts", name="Alerts", icon="alerts", access=Access.SITE,
          parts=("alerts", "rules", "rule-form", "messages", "drafts", "summaries", "mailbox"),
          pages=(("/alerts", "Episodes", "alerts.alerts"),
                 ("/rules", "Rules", "rules.rules"),
                 ("/messages", "Messages", "messages.messages"),
                 ("/summaries", "Summaries", "summaries.summary_list"),
                 ("/drafts", "Telegrams", "drafts.draft_list"),
                 ("/mailbox", "Mailbox", "mailbox.mailbox"))),
    Entry(path="/system", name="System", icon="system", access=Access.SITE,
          parts=("system", "account"),
          pages=(("/system", "State", "system.system"), ("/system/log", "Log", "log.page"),
                 ("/system/site-file", "Site file", "system.site_file"),
                 ("/system/accounts", "Accounts", "accounts.accounts"),
                 ("/system/audit", "Audit", "audit.changes"))),
)


def entry_of(path: str) -> Entry | None:
    """The entry of the menu under which an address stands."""
    first = path.split("/")[1]
    return next((entry for entry in ENTRIES if first in entry.parts), None)


def menu() -> list[Entry]:
    """The entries that whoever asks may read."""
    return [entry for entry in ENTRIES if sees(entry.access)]


def pages_of(entry: Entry | None) -> list[tuple[str, str]]:
    """Address and name of the pages under an entry that whoever asks may read."""
    if entry is None:
        return []
    return [(path, name) for path, name, endpoint in entry.pages
            if sees(ACCESS[endpoint])
            and (path != "/mailbox" or parts().site.web.mailbox is not None)]


def page_at(entry: Entry | None, path: str) -> str:
    """The address of the page under an entry to which a path belongs; empty if to none."""
    there = [page for page, _ in pages_of(entry) if path == page or path.startswith(f"{page}/")]
    return max(there, key=len, default="")


def for_templates() -> dict[str, Any]:
    """What the templates use of this."""
    return {"menu": menu, "entry_of": entry_of, "pages_of": pages_of, "page_at": page_at}
