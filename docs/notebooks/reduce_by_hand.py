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
# # Reducing a frame by hand
#
# Every step of the reduction of one frame, with its image or table, and with other settings than
# those of the site. Nothing is written.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import iop4d
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(n_bias=3, n_flat=3, frames=2, fields=("S50716+714",)))
site = iop4d.open(folder)
frame = site.frames(kind="science").last()
by_hand = frame.reduce()
print(frame, list(frame.masters))

# %% [markdown]
# ## 1. The masters are applied

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
frame.image("raw").plot(axes[0]).set_title("raw")
by_hand.calibrate().plot(axes[1]).set_title("calibrated, with its sky");

# %% [markdown]
# ## 2. The sky is subtracted, stars are detected

# %%
stars = by_hand.detect()
print(len(stars), "stars;", "sky", stars.meta["sky"], "±", stars.meta["sky_sigma"],
      "; FWHM", stars.meta["fwhm"])
ax = by_hand.background().plot()
ax.plot(stars["x"], stars["y"], "o", ms=8, mfc="none", mec="tab:red", mew=0.5)
stars[:5]

# %% [markdown]
# ## 3. The place on the sky

# %%
fit = by_hand.astrometry()
print(fit.meta["astrometry_from"], fit.meta["n_matched"], "stars, rms", fit.meta["rms"])
wcs = by_hand.solve()
source = site.source(frame.target)
print("the source is at pixel", wcs.world_to_pixel(source.position))

# %% [markdown]
# ## 4. Fluxes in the aperture

# %%
measured = by_hand.photometry()
print("aperture", measured.meta["aperture"])
measured["source", "x", "y", "flux", "flux_err", "snr", "flags"]

# %% [markdown]
# ## 5. The magnitude, from this frame alone

# %%
result = by_hand.results()
truth = made.truth[frame.name].target_mag
print(f"{result['mag'][0]:.3f} ± {result['mag_err'][0]:.3f}, truth {truth:.3f}")
assert abs(result["mag"][0].value - truth) < 5 * np.hypot(
    result["mag_err"][0].value, result["mag_err_common"][0].value)

# %% [markdown]
# ## Other settings
#
# Apertures of several radii: the magnitude stays where it is within its error, since the
# calibrators are measured in the same aperture; its error changes. (A source with a host galaxy has
# a fixed aperture, in arcsec: there these radii change nothing, and `aperture_arcsec=` does.)

# %%
radii = [2.0, 3.0, 4.5]  # sigmas of the PSF
tried = {radius: frame.reduce(aperture=radius) for radius in radii}
for radius, one in tried.items():
    found = one.results()
    print(f"{radius}: {found['mag'][0]:.4f} ± {found['mag_err'][0]:.4f}")

# %%
comparison = tried[4.5].compare()
comparison["source", "stored", "tried", "difference", "sigmas", "difference_mag"]

# %% [markdown]
# The result on record is calibrated together with the night; `result.reduce` computes it again with
# other settings from its own frames, or without a calibrator.

# %%
record = frame.results.first()
leave_out = record.calibrators[0]["source"]
trial = record.reduce(aperture=4.5, without=[leave_out])
print(trial)
trial.compare()["quantity", "kept", "stored", "tried", "difference", "sigmas"]
