"""What ``iop4d reduce`` says at its end of the frames that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.cli import follow
from iop4d.config.load import parse_site
from iop4d.model.states import RequestKind
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


@pytest.mark.parametrize("is_counted", [True, False])
def test_who_interrupts_reprocessing_without_a_daemon_learns_what_becomes_of_the_rest(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        is_counted: bool) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow, "_run_here", interrupted)
    with pytest.raises(KeyboardInterrupt):
        follow.do(parse_site("", root=tmp_path), RequestKind.REPROCESS, {},
                  interrupted=(lambda: None) if is_counted else None)
    assert ("the next daemon on this site does the rest" in capsys.readouterr().err) == is_counted
