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
# # Polarimetry and its methods
#
# CAFOS takes two images of every star behind a half-wave plate at four positions. The flux of both
# images at each position gives q and u, by several methods. The target of this simulated night is
# polarised by 12 % at 40°.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import iop4d
from iop4d.simulator.night import NightPlan
from iop4d.simulator.practice import practice

folder = Path(tempfile.mkdtemp()) / "site"
made = practice(folder, NightPlan(
    instrument="CAFOS", mode="polarimetry", night="2025-09-13", n_bias=3, n_flat=3, fields=("3C345",),
    polarisation={"1641+399": (0.12, 40.0)}))
site = iop4d.open(folder)
result = site.results(mode="polarimetry").first()
print(result)
print("group", result.group, "positions", result.group.angles)

# %% [markdown]
# What was reported, with its random errors, and those that it shares with other results: the
# instrument's own polarisation (`q0_err`, `u0_err`) and its zero angle (`chi_err_common`). `p` is
# always positive and thus too large where it is small; `p_debiased` is corrected for that.

# %%
for name in ("p", "p_debiased", "p_err", "q", "q_err", "q0_err", "u", "u_err", "u0_err", "qu_cov"):
    print(f"{name:12s} {result[name]:+.5f}" if result[name] is not None else f"{name:12s} -")
print("chi", result.chi_deg, "±", result.chi_err_deg, "and", result.chi_err_common, "in common")
error = np.hypot(result["p_err"], np.hypot(result["q0_err"] or 0, result["u0_err"] or 0))
assert abs(result["p"] - 0.12) < 5 * error

# %% [markdown]
# Every method that applies, with how well it fits (`chi2` of `dof`). A method is chosen by what the
# frames have: `ratio` needs pairs of positions 45° apart, the fits need three or more, `ordinary`
# and `extraordinary` take one image alone.

# %%
for one in result.methods:
    fit = f"chi2 {one['chi2']:.1f} of {one['dof']}" if one["chi2"] is not None else ""
    print(f"{one['method']:14s} p {100 * one['p']:6.2f} ± {100 * one['p_err']:.2f} %   "
          f"chi {one['chi_deg']:6.1f} ± {one['chi_err_deg']:.1f}   {fit}"
          f"{'   reported' if one['method'] == result.method else ''}")

# %%
fig, ax = plt.subplots(figsize=(6, 6), layout="constrained")
for one in result.methods:
    ax.errorbar(100 * one["q"], 100 * one["u"], 100 * one["u_err"], 100 * one["q_err"], fmt="o",
                label=one["method"])
truth = next(one for one in made.truth.values() if one.q is not None)
ax.plot(100 * truth.q, 100 * truth.u, "k*", ms=14, label="truth")
ax.set(xlabel="q [%]", ylabel="u [%]", aspect="equal")
ax.legend();

# %% [markdown]
# The measured fluxes of both images at each position.

# %%
for frame in result.frames:
    fluxes = {row.beam: row for row in frame.measurements(source=result.source)}
    o, e = fluxes["O"], fluxes["E"]
    print(frame.polariser_deg, "ordinary", o["flux"], "extraordinary", e["flux"],
          "difference", round((o["flux"] - e["flux"]) / (o["flux"] + e["flux"]), 4))

# %% [markdown]
# The result with another method, beside the one on record. Nothing is written.

# %%
other = next(one["method"] for one in result.methods if one["method"] != result.method)
trial = result.reduce(method=other)
print(trial)
table = trial.compare()
table[np.isfinite(table["tried"])]["quantity", "unit", "stored", "stored_err", "tried", "tried_err",
                                   "sigmas"]
