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
# # Calibrators
#
# A magnitude is as good as its calibrators. Which stars serve a source, what each of them says of
# the zero point, and what the result would be without one.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from astropy import units as u

import iop4d
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(n_bias=3, n_flat=3, frames=5))
site = iop4d.open(folder)
source = site.source("BL Lac")
for star in source.calibrators:
    mag, err = star.magnitudes["R"]
    print(f"{star.name:16s} R = {mag:.3f} ± {err:.3f}, {star.position.separation(source.position).to(u.arcmin):.2f} away")

# %% [markdown]
# Each calibrator's own zero point on one frame: catalogue minus instrumental magnitude. `why_not`
# says why one was left out.

# %%
result = source.results(band="R").first()
for use in result.calibrators:
    print(f"{use['source']:16s} {use['zero_point']:.4f} ± {use['zero_point_err']:.4f} "
          f"weight {use['weight']:.2f} residual {use['residual'] or float('nan'):+.4f} "
          f"{use['why_not']}")
print("zero point", result.zero_point, "±", result.zero_point_err)

# %% [markdown]
# Residuals over the night: a calibrator that is off by the same amount in every frame has a wrong
# catalogue magnitude; one that wanders is variable. Both are within their errors here.

# %%
names = [use["source"] for use in result.calibrators]
residuals = {name: [] for name in names}
for one in source.results(band="R"):
    for use in one.calibrators:
        if use["residual"] is not None:
            residuals[use["source"]].append(use["residual"])
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for name, values in residuals.items():
    ax.plot(values, "o-", label=name)
ax.set(xlabel="frame", ylabel="residual [mag]")
ax.legend(fontsize=8);

# %%
for name, values in residuals.items():
    listed = site.source(name).magnitudes["R"][1].value
    print(f"{name:16s} mean {np.mean(values):+.4f}, listed error {listed:.3f}")
    assert abs(np.mean(values)) < 5 * listed + 0.01

# %% [markdown]
# Without one of them: the result of its own frame alone, as stored and as tried.

# %%
for name in names[:3]:
    table = result.reduce(without=[name]).compare()
    row = table[table["quantity"] == "Magnitude"][0]
    print(f"without {name:16s} {row['difference']:+.4f} mag, {row['sigmas']:+.2f} sigma")

# %% [markdown]
# The errors of the catalogue are common to all points of the night (`mag_err_common`): leaving one
# calibrator out moves all points together. The random errors stay.

# %%
table = source.results(band="R").table("mag", "mag_err", "mag_err_common")
print(table)
assert np.unique(np.round(table["mag_err_common"].value, 4)).size == 1
