"""Polarimeters that the site file describes."""

from __future__ import annotations

from typing import Any

SECTION = """
[[camera]]
name = "Cam"
telescope = "T"
identify = { INSTRUME = "Cam" }
pixel_scale = 1.1188
kind_card = "IMAGETYP"
bands = { "*R" = "R", "R*" = "R" }
"""
#: What the program of such a camera writes.
PLAIN: dict[str, Any] = {
    "NAXIS": 2, "NAXIS1": 640, "NAXIS2": 480, "INSTRUME": "Cam", "DATE-OBS": "2024-03-14T21:30:00",
    "EXPTIME": 60.0, "FILTER": "R", "IMAGETYP": "object"}
PRISMS = """
analyser = "fixed analysers"
angle_card = "FILTER"
angles = { "P1-*" = 0, "P3-*" = 45.0 }
pair_offsets = { "P1-*" = [24.6, 30.6], "P3-*" = [-0.9, 38.5] }
pair_tolerance = [3, 3]
beam_ratios = { "P1-*" = [0.02, 0.001] }
"""
PLATE = """
analyser = "half-wave plate"
angle_card = "ROT"
pair_offset = [-35.7, -0.2]
"""
WHEEL = """
analyser = "polariser"
angle_card = "FILTER"
angles = { "R-45" = -45, R0 = 0, "R45" = 45, "R90" = 90 }
"""
