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
# # Queries and light curves
#
# A site with one simulated night of BL Lac, in which it flares, in two bands. The same works on any
# site: `site = iop4d.open("/data/iop4d")`. Nothing is ever written.

# %%
import tempfile
from pathlib import Path

import numpy as np
from astropy import units as u

import iop4d
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(
    n_bias=3, n_flat=3, frames=10, bands=("R", "V"),
    flare=Flare(start=0.05, rise=0.12, mag=0.8)))
site = iop4d.open(folder)
site

# %% [markdown]
# A source is found by any of its names, whatever the case and blanks. A wrong one says what is like
# it.

# %%
source = site.source("bl lac")
print(source, source.position.to_string("hmsdms"))
try:
    site.source("BL Lak")
except LookupError as error:
    print(error)

# %% [markdown]
# Selections read nothing until they are used. `good=True`: results that alerts count, without a
# severe flag and without one by hand.

# %%
results = source.results(good=True)
print(len(results), "results;", results.first())
table = results(band="R").table()
table["jd_mid", "mag", "mag_err", "mag_err_common", "fwhm_arcsec", "flags"]

# %% [markdown]
# Every column has its unit and meaning, and the table says how to cite it.

# %%
print(table["mag_err_common"].info.description)
print(table.meta["citation"])

# %% [markdown]
# `mag_err` is random, what each point has for itself; `mag_err_common` is shared by all points of a
# source, band and night. A change between two points has only the former, an absolute value both.

# %%
rise = table["mag"][0] - table["mag"][-1]
random = np.hypot(table["mag_err"][0], table["mag_err"][-1])
whole = np.hypot(table["mag_err"][-1], table["mag_err_common"][-1])
print(f"brighter by {rise:.3f} ± {random:.3f}")
print(f"at the end R = {table['mag'][-1].value:.3f} ± {whole.value:.3f}")
assert rise > 10 * random

# %% [markdown]
# Against the truth of the simulation: the results agree within their errors.

# %%
truth = np.array([made.truth[name].target_mag for name in table["frames"]]) * u.mag
error = np.hypot(table["mag_err"], table["mag_err_common"])
pull = ((table["mag"] - truth) / error).to_value(u.dimensionless_unscaled)
print("differences in units of the error:", np.round(pull, 1))
assert np.abs(pull).max() < 5

# %% [markdown]
# Light curves, with matplotlib's axes to dress further.

# %%
ax = results.plot()
ax.set_title("BL Lac, simulated")

# %%
results.plot("flux");

# %% [markdown]
# Other forms: a TimeSeries of astropy (UTC, or TDB at the barycentre), and objects.

# %%
series = results(band="R").timeseries("mag", "mag_err", by="bjd_tdb")
print(series.time.scale, series.time[0].iso)
for result in results(band="V"):
    print(result.time.iso[:19], f"{result.mag:.3f}", [frame.name for frame in result.frames])
