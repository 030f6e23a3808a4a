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
# # DIPOL's quads
#
# DIPOL reads a sub-frame about the target, with a handful of stars, each with two images. No index
# can solve so few stars. One frame of the whole field is solved first; each sub-frame is then placed
# on it by the shapes that four stars make (quads).

# %%
import tempfile
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import iop4d
from iop4d.science.quads import place
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(
    instrument="DIPOL", mode="polarimetry", night="2025-10-18", positions=2,
    n_bias=3, n_dark=3, n_flat=3))
site = iop4d.open(folder)
for frame in site.frames(kind="science"):
    print(frame.id, frame.nx, "x", frame.ny, frame.info["astrometry_from"],
          "reference", frame.reference_id)

# %% [markdown]
# The sub-frame and its detections: of every star an ordinary and an extraordinary image.

# %%
part = site.frames(kind="science", mode="polarimetry").first()
by_hand = part.reduce()
stars = by_hand.detect()
ax = by_hand.background().plot()
ax.plot(stars["x"], stars["y"], "o", ms=12, mfc="none", mec="tab:red")
ax.set_title(f"{len(stars)} images");

# %% [markdown]
# The brightest stars of the whole frame, and the sub-frame placed on them. `place` makes the hashes
# of all quads of both lists, follows the most alike pairs, and takes the placement that the most
# stars confirm.

# %%
whole = site.frame(part.reference_id)
there = whole.reduce().detect()
here = stars[~stars["cosmic_ray"]]
found = place(here["x"].value, here["y"].value, there["x"].value, there["y"].value,
              most_turn_deg=10.0)
if found is None:
    print("the images of the frame alone do not tell; the reduction takes one image of each pair")
else:
    print(len(found.matched), "images agree, rms", round(found.rms_px, 3), "px; shift",
          np.round(found.shift, 1))

# %% [markdown]
# The shape that four stars make: two relative places in the frame of their farthest two. It is the
# same wherever the four are, however they are turned.

# %%
rng = np.random.default_rng(5)
four = rng.uniform(0, 100, (4, 2))
turn = np.radians(30)
turned = four @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).T + 40


def shape(points):
    """The two inner points as parts of the longest side: a hash free of place, turn and scale."""
    a, b = max(combinations(range(4), 2), key=lambda side: np.hypot(*(points[side[1]]
                                                                      - points[side[0]])))
    base = complex(*(points[b] - points[a]))
    inner = [complex(*(points[i] - points[a])) / base for i in range(4) if i not in (a, b)]
    return np.array(sorted(inner, key=lambda z: z.real))


print(np.round(shape(four), 4), np.round(shape(turned), 4))
assert np.allclose(shape(four), shape(turned))

# %%
fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for points, colour in ((four, "tab:blue"), (turned, "tab:orange")):
    for one, other in combinations(points, 2):
        ax.plot(*np.array([one, other]).T, color=colour, lw=0.6)
    ax.plot(*points.T, "o", color=colour)
ax.set(title="one quad, twice", aspect="equal");

# %% [markdown]
# Each frame's place against the truth.

# %%
for frame in site.frames(kind="science", mode="polarimetry"):
    true = made.truth[frame.name].stars
    source = site.source(frame.target)
    (x, y), k = frame.wcs.world_to_pixel(source.position), true.name.index(source.name)
    at_y = true.y[k] if not frame.details.get("flipped") else frame.ny - 1 - true.y[k]
    print(f"{frame.name}: {x - true.x[k]:+.2f}, {y - at_y:+.2f} px")
    assert abs(x - true.x[k]) < 1.5
