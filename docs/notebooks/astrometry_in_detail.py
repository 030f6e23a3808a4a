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
# # Astrometry in detail
#
# How a frame finds its place on the sky: stars of the frame against the index files, a projection
# fitted to all that match, and what is left. The numbers are compared with the simulator's truth.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import iop4d
from iop4d.science.tan import from_cards
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(n_bias=3, n_flat=3, frames=2, fields=("BLLac", "3C345")))
site = iop4d.open(folder)
frames = list(site.frames(kind="science"))[::-1]
for frame in frames:
    info = frame.info
    print(frame.object, info["astrometry_from"], info["n_matched"], "of", info["n_detected"],
          f"stars, rms {info['wcs_rms_px']:.3f} px")

# %% [markdown]
# The solution is one of several ways, tried in order: the index files (`index`), another frame of
# the field (`frame`), the pattern of the target and its calibrators (`catalogue`), and for
# sub-frames quads (`quads`) and the place of a pair (`pair`). What failed before is kept with its
# reason; `log_odds` says how sure the match is.

# %%
by_hand = frames[0].reduce()
fit = by_hand.astrometry()
print(dict(fit.meta))

# %% [markdown]
# What is left of each star, a thousand times larger than on the frame: it should be noise.

# %%
x, y, dx, dy = (fit[name].value for name in ("x", "y", "dx", "dy"))
fig, ax = plt.subplots(figsize=(6, 6), layout="constrained")
ax.quiver(x, y, dx, dy, angles="xy", scale_units="xy", scale=1e-3)
ax.set(xlim=(0, 1024), ylim=(0, 1024), xlabel="x [pixel]", ylabel="y [pixel]",
       title="where stars are, less where the solution puts them", aspect="equal");

# %% [markdown]
# Against the truth: the place of the frame's centre, its scale and its angle.

# %%
for frame in frames:
    true = from_cards(made.truth[frame.name].wcs)
    found = from_cards(frame.info["wcs"])
    ra, dec = true.to_sky(np.array([512.0]), np.array([512.0]))
    px, py = found.to_pixel(ra, dec)
    off = float(np.hypot(px[0] - 512.0, py[0] - 512.0))
    print(f"{frame.object}: centre off by {off:.3f} px, scale {found.scale_arcsec:.5f} for "
          f"{true.scale_arcsec:.5f} arcsec, angle off by {found.up_deg - true.up_deg:+.4f} deg")
    assert off < 0.3

# %% [markdown]
# With a higher threshold fewer stars are detected; the solution holds as long as a few are left.

# %%
for sigma in (5, 20, 80):
    few = frames[0].reduce(detection_sigma=sigma)
    print(f"{sigma} sigma: {len(few.detect())} stars, {few.astrometry().meta['n_matched']} matched,"
          f" rms {few.astrometry().meta['rms']:.4f}")
