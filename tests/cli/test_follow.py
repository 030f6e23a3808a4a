"""What ``iop4d reduce`` says at its end of the frames that failed."""

from __future__ import annotations

import pytest

from iop4d.cli import follow
from iop4d.store.requests import Progress, Trouble


def test_reasons_that_differ_in_numbers_alone_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    """An old fault: 142 frames of a wrong scale had 142 reasons, with their numbers of stars."""
    troubles = [Trouble(path=f"/raw/{n}.fits", state="failed",
                        reason=f"none of the {n} stars match") for n in range(900, 912)]
    troubles.append(Trouble(path="/raw/x.fits", state="failed", reason="no index files"))
    follow._table(Progress(total=13, ended=13, counts={}, troubles=tuple(troubles)))
    lines = capsys.readouterr().err.splitlines()
    assert lines[2] == "  12 failed: none of the 900 stars match"
    assert lines[3:5] == ["      900.fits", "      901.fits"]
    assert lines[13:16] == ["      and 2 more", "  1 failed: no index files", "      x.fits"]
