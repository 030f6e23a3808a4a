"""Telling what a file is, from the raw file to the facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    ClassifyRequest,
    Failed,
    Rejected,
)
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    EXPTIME,
    SHAPE,
    facts_of,
)


def test_a_frame_is_classified(bench: Workbench, night: dict[str, list[Path]]) -> None:
    facts = facts_of(bench, night["science"][0])
    assert (facts.instrument, facts.kind, facts.band) == ("Small", FrameKind.SCIENCE, "R")
    assert (facts.shape, facts.exptime_s, facts.night) == (SHAPE, EXPTIME, "2024-01-15")


def test_what_is_no_frame_is_rejected(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "page.fits"
    path.write_text("<html>404</html>", encoding="utf-8")
    assert bench.perform(ClassifyRequest(path=path)) == Rejected(
        reason="is text, not FITS: begins with '<html>404</html>'")
    fits.PrimaryHDU(np.zeros((9, 9), dtype=np.int16)).writeto(tmp_path / "alien.fits")
    outcome = bench.perform(ClassifyRequest(path=tmp_path / "alien.fits"))
    assert isinstance(outcome, Rejected)
    assert "no known instrument" in outcome.reason


def test_a_file_that_is_gone_fails_with_its_stage(bench: Workbench, tmp_path: Path) -> None:
    outcome = bench.perform(ClassifyRequest(path=tmp_path / "gone.fits"))
    assert isinstance(outcome, Failed)
    assert outcome.stage == "read"
    assert "No such file" in outcome.reason


def test_a_surprise_is_an_outcome_too(bench: Workbench) -> None:
    outcome = bench.perform("nonsense")  # type: ignore[arg-type]
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith("unexpected TypeError")
    assert "Traceback" in outcome.trace
