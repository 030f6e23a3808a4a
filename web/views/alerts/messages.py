"""Messages to people, and what became of each."""

from __future__ import annotations

from flask import Blueprint, request

from iop4d.store import alert_pages
from iop4d.store.alert_pages import MessageFilter
from iop4d.store.database import Connection
from iop4d.web.context import page_number, parts, reading, render

blueprint = Blueprint("messages", __name__)

_PAGE = 50


@blueprint.get("/messages")
@reading
def messages(db: Connection) -> str:
    """Every message, the latest first, by channel and state."""
    counts = alert_pages.message_counts(db)
    channels = alert_pages.channels(counts, [one.name for one in parts().site.channel])
    asked = request.args
    which = MessageFilter(
        channel=asked["channel"] if asked.get("channel") in channels else "",
        state=asked["state"] if asked.get("state") in alert_pages.MESSAGE_STATES else "")
    states = {state: sum(n for (channel, of), n in counts.items()
                         if of == state and which.channel in ("", channel))
              for state in alert_pages.MESSAGE_STATES}
    return render(db, "messages.html", which=which, states=states, channels=channels,
                  page=alert_pages.messages(
                      db, which, page_number(), _PAGE,
                      total=states[which.state] if which.state else sum(states.values())))
