"""A frame's facts, as far as a detector's cards tell them."""

from __future__ import annotations

from iop4d.model.frame import FrameFacts, FrameKind


def facts(**more: object) -> FrameFacts:
    return FrameFacts(**{"telescope": "T", "instrument": "I", "kind": FrameKind.SCIENCE,
                         "night": "2024-01-01", "jd_start": 2460311.0, "exptime_s": 60.0,
                         "shape": (6, 8), **more})  # type: ignore[arg-type]
