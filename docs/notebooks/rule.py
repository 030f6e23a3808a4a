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
# # Writing a rule
#
# A rule is a condition on what was measured, for some sources and bands. It fires in the
# transaction that writes the result. Before it goes into the site file, it is back-tested on the
# results that there are.

# %%
import tempfile
from pathlib import Path

import iop4d
from iop4d.alerts.backtest import backtest, changed_rule
from iop4d.alerts.conditions import parse_condition
from iop4d.alerts.engine import AlertEngine
from iop4d.config import Rule
from iop4d.model.errors import ConfigError
from iop4d.model.units import unix_of_jd, utc_of_jd
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.practice import practice

RULE = """
[[rule]]
name = "BL Lac is bright"
source = "BL Lac"
band = "R"
condition = "mag < 13.3"
clear = "mag > 13.45"
confirm = 2
"""
folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(
    n_bias=3, n_flat=3, frames=9, flare=Flare(start=0.04, rise=0.08, mag=0.8, fall=0.6)),
    more=RULE)
site = iop4d.open(folder)
ax = site.results.plot()
ax.axhline(13.3, color="tab:red", ls="--");

# %% [markdown]
# The rule stood in the site file while the night was reduced, and fired: with the second point below
# its threshold (`confirm = 2`).

# %%
for alert in site.alerts:
    print(alert, alert.time.iso[:19], alert.condition)
    print([f"{one.mag:.3f}" for one in alert.points])
    print([step["state"] for step in alert.history])

# %% [markdown]
# Conditions are words: what is measured, a sign, a number with its unit; `change` compares with the
# past. One that makes no sense says why.

# %%
for text in ("mag < 13.0", "p > 15 %", "change mag < -5 sigma", "rotation chi > 90 deg", "brightens > 5 sigma",
             "mag < bright"):
    try:
        print(f"{text!r:32} is understood as {parse_condition(text)}")
    except ConfigError as error:
        print(f"{text!r:32} {error}")

# %% [markdown]
# The back-test judges all points in the order of time, as the daemon does; `iop4d rules test` shows
# the same.

# %%
file = site.file
times = site.results.table("jd_mid")["jd_mid"].value
engine = AlertEngine(file, lambda: unix_of_jd(times.max()) + 60)


def try_rule(rule, **changes):
    """When a rule would have fired."""
    with site.reader.reading() as db:
        return backtest(db, engine, changed_rule(rule, **changes), times.min() - 1)


for condition in ("mag < 13.3", "mag < 13.0", "mag < 12.0"):
    found = try_rule(file.rule[0], condition=condition, clear="")
    print(condition, "on", found.points, "points:",
          [f"fires at {utc_of_jd(one.fired_jd)}, {one.value:.3f}" for one in found.fired] or "never")

# %% [markdown]
# One point alone is no alert: `confirm` says how many are needed one after the other.

# %%
for confirm in (1, 2, 3):
    rule = Rule(name="try", source="BL Lac", band="R", condition="mag < 13.3", confirm=confirm)
    engine = AlertEngine(file.__class__(root=file.root, rule=(rule,)), engine._clock)
    found = try_rule(rule)
    print(confirm, [utc_of_jd(one.fired_jd) for one in found.fired])
