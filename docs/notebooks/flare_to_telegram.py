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
# # From a flare to a telegram
#
# A blazar flares; a rule fires; people get a message; an Astronomer's Telegram is drafted. Nothing
# here is sent: the draft is for a person to read, to change and to send.

# %%
import json
import tempfile
from pathlib import Path

import iop4d
from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.gather import DraftRequest, gather
from iop4d.alerts.compose import notice_of
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.practice import practice
from iop4d.store import catalogue

SITE = """
[[channel]]
name = "team"
kind = "email"
to = ["ana@example.org"]
sender = "iop4d@example.org"
host = "127.0.0.1"

[[rule]]
name = "BL Lac flares"
source = "BL Lac"
band = "R"
condition = "mag < 13.1"
clear = "mag > 13.3"
confirm = 2
severity = "atel"
channels = ["team"]

[atel]
authors = ["A. Observer (Simulated Observatory)"]
contact = "A. Observer <observer@example.org>"
"""
folder = Path(tempfile.mkdtemp()) / "site"
quiet = NightPlan(seed=2, night="2022-09-06", n_bias=3, n_flat=3, frames=3)
flare = NightPlan(seed=2, night="2022-09-08", n_bias=3, n_flat=3, frames=7,
                  flare=Flare(start=0.02, rise=0.08, mag=1.0))
practice(folder, quiet, flare, more=SITE)
site = iop4d.open(folder)
site.source("BL Lac").results.plot();

# %% [markdown]
# ## The alert
#
# The rule needs two points in a row (`confirm = 2`); they are named with the alert.

# %%
alert = site.alerts.first()
print(alert, alert.time.iso[:19])
for point in alert.points:
    print(point)
for step in alert.history:
    print(step["at"].iso[:19], step["state"], step["by"])

# %% [markdown]
# ## The message
#
# What is sent is written in the same transaction as the result, with an id that is the same at every
# attempt: no message is lost, and none comes twice.

# %%
with site.reader.reading() as db:
    rows = db.rows('SELECT "content", "message_id", "state", "recipient" FROM "outbox" '
                   'ORDER BY "id"')
content, message_id, state, recipient = rows[0]
notice = notice_of(json.loads(content), message_id=message_id, at=0.0)
print(f"{state} for {recipient}: {notice.subject}\n\n{notice.text}")

# %% [markdown]
# ## The draft
#
# Every number of the text comes from results, and the draft says from which. A number whose error is
# large, or a flag, is a note for whoever sends it.

# %%
jd = site.results.table("jd_mid")["jd_mid"].value
with site.reader.reading() as db:
    facts = gather(db, DraftRequest(source=catalogue.find(db, "BL Lac"), called="BL Lac",
                                    since_jd=jd.max() - 0.5, until_jd=jd.max() + 0.01))
draft = drafts.compose(site.file, facts)
print(draft.text)
assert len(draft.text) <= 4000

# %%
for number in draft.numbers[:8]:
    print(f"{number.text:>10} {number.what}, from results {list(number.results)}")
for note in draft.notes:
    print("!", note)

# %% [markdown]
# The trace leads back to the frames: each number's result, its frames, its calibrators.

# %%
traced = next(number for number in draft.numbers if number.results)
result = site.result(traced.results[0])
print(traced.text, "<-", result)
print([frame.name for frame in result.frames], [use["source"] for use in result.calibrators])
