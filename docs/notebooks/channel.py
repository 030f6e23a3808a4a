# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A channel of your own
#
# A channel hands a message over to a person. Mail, Telegram, webhooks and some hundred services by
# Apprise are there; another kind is a class with one method, `send`. The outbox does the rest:
# retries, their order, and that a restart loses nothing and sends nothing twice.

# %%
import asyncio
import tempfile
from pathlib import Path

import iop4d
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.alerts.compose import notice_of
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.practice import practice


class NoticeBoard:
    """Pins messages to a board, which is a folder. ``channel``: its section of the site file."""

    def __init__(self, channel, timeout):
        self.board = Path(channel.options["board"])
        self.timeout = timeout

    async def send(self, notice: Notice, recipient: str) -> None:
        if not self.board.is_dir():
            raise SendError(f"the board {self.board.name} is not there", permanent=False,
                            channel_down=True)
        if recipient not in ("control room", "library"):
            raise SendError(f"there is no board for {recipient}", permanent=True)
        # The same notice has the same id at every attempt: an attempt more changes nothing.
        name = "".join(c for c in notice.id if c.isalnum())
        (self.board / f"{recipient} {name}.txt").write_text(
            f"{notice.subject}\n\n{notice.text}", encoding="utf-8")


# %% [markdown]
# An installed package names the class in its entry points, and the site file has a section:
#
# ```toml
# [project.entry-points."iop4d.channels"]
# board = "my_package:NoticeBoard"
# ```
#
# ```toml
# [[channel]]
# name = "board"
# kind = "board"
# to = ["control room"]
# options = { board = "/srv/board" }
# ```
#
# Here it is tried without a package: a night in which a rule fires, and the message of its alert.

# %%
SITE = """
[[channel]]
name = "team"
kind = "email"
to = ["ana@example.org"]
sender = "iop4d@example.org"
host = "127.0.0.1"

[[rule]]
name = "BL Lac is bright"
source = "BL Lac"
band = "R"
condition = "mag < 13.3"
confirm = 2
channels = ["team"]
"""
folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(
    n_bias=3, n_flat=3, frames=6, flare=Flare(start=0.02, rise=0.06, mag=0.8)), more=SITE)
site = iop4d.open(folder)
alert = site.alerts.first()
print(alert, alert.details["messages"])

# %% [markdown]
# The outbox keeps what a message says; the notice is made from that, and is the same at every
# attempt.

# %%
with site.reader.reading() as db:
    ((content, message_id),) = db.rows(
        'SELECT "content", "message_id" FROM "outbox" ORDER BY "id" LIMIT 1')
import json

notice = notice_of(json.loads(content), message_id=message_id, at=1_700_000_000.0)
print(notice.subject)
print(notice.text)


# %%
from types import SimpleNamespace

section = SimpleNamespace(options={"board": str(folder / "board")})
channel = NoticeBoard(section, timeout=10)


async def deliver(recipient):
    try:
        await channel.send(notice, recipient)
        return "accepted"
    except SendError as error:
        return f"{error} (permanent: {error.permanent}, channel down: {error.channel_down})"


def run(work):
    """In a notebook a loop runs already: a thread has its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, work).result()


print("without a board:", run(deliver("control room")))
(folder / "board").mkdir()
print("to an unknown recipient:", run(deliver("kitchen")))
print("twice:", run(deliver("control room")), run(deliver("control room")))
pinned = list((folder / "board").iterdir())
assert len(pinned) == 1
