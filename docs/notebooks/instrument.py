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
# # An instrument of your own
#
# A plain camera needs a section of the site file and no code. Here is a camera that iop4d does not
# know; the section is drafted from its frames, completed, and its frames are reduced.

# %%
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from iop4d.config.load import parse_site
from iop4d.fits.read import read_header
from iop4d.instruments.discovery import find_instruments, instrument_for
from iop4d.model.errors import FrameError
from iop4d.model.messages import ClassifyRequest, Done
from iop4d.model.source import Catalogue
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.drafting import look_at
from iop4d.instruments.draft import draft
from iop4d.reduction.workbench import Workbench

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(1)


def write(name, kind, exptime, level, second):
    """A frame of the camera, as its program writes it."""
    hdu = fits.PrimaryHDU(rng.normal(level, 12, (400, 600)).clip(0, 65535).astype(np.uint16))
    hdu.header.update({
        "INSTRUME": "Lynx 600", "IMAGETYP": kind, "EXPTIME": exptime, "FILTER": "Johnson R",
        "DATE-OBS": f"2026-01-15T22:{second:02d}:00", "OBJECT": "BL Lac", "EGAIN": 1.6,
        "XPIXSZ": 9.0, "FOCALLEN": 1200.0, "XBINNING": 1})
    hdu.writeto(folder / name)
    return folder / name


paths = [write("b1.fits", "Bias Frame", 0.0, 500, 0), write("f1.fits", "Flat Field", 3.0, 22000, 1),
         write("l1.fits", "Light", 60.0, 700, 2)]

# %% [markdown]
# Without a description a frame is rejected with the words that help; nothing is lost, it is read
# again once a section fits.

# %%
try:
    instrument_for(read_header(paths[2]), find_instruments())
except FrameError as error:
    print(error)

# %% [markdown]
# `iop4d instruments draft FRAME...` writes the section. Each line has its reason; what no card tells
# stands below.

# %%
text = draft([look_at(path) for path in paths])
print(text if isinstance(text, str) else "\n".join(map(str, text)))

# %% [markdown]
# Completed by hand: the name of the telescope and its place.

# %%
SECTION = """
[[camera]]
name = "Lynx600"
telescope = "Roof"
identify = { INSTRUME = "Lynx 600" }
pixel_size_card = "XPIXSZ"
focal_length_card = "FOCALLEN"
kind_card = "IMAGETYP"
band_card = "FILTER"
bands = { "Johnson R" = "R" }
gain_card = "EGAIN"
binning_card = "XBINNING"
masters = ["bias", "flat"]
latitude = 37.06
longitude = -3.38
height = 2896
"""
site = parse_site(SECTION, root=folder)
instruments = find_instruments(site.camera)
print([one.name for one in instruments])

# %% [markdown]
# How each frame is read: compare that with what you know (`iop4d instruments check FRAME...`).

# %%
bench = Workbench(WorkerContext(site=site, catalogue=Catalogue(version=1, sources=())))
for path in paths:
    outcome = bench.perform(ClassifyRequest(path=path))
    assert isinstance(outcome, Done), outcome
    facts = outcome.value.facts
    print(path.name, facts.kind, facts.band, f"{facts.exptime_s:g} s", facts.shape, facts.night,
          facts.detector)

# %% [markdown]
# What a section cannot say comes as a plug-in: an `Instrument` with two functions, `recognises` and
# `read`, named by an entry point of the group `iop4d.instruments` (docs/instruments.md).
