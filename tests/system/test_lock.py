"""One daemon a site; whoever asks whether there is one keeps none from starting."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from iop4d.model.errors import Iop4dError
from iop4d.system.lock import SiteLock, holder, is_locked


def test_a_second_daemon_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    path = tmp_path / "iop4d.lock"
    assert not is_locked(path)
    first = SiteLock(path)
    assert is_locked(path)
    with pytest.raises(Iop4dError, match=f"process {holder(path)}"):
        SiteLock(path)
    first.close()
    assert not is_locked(path)
    SiteLock(path).close()


def test_a_daemon_starts_while_a_page_asks_whether_one_runs(tmp_path: Path) -> None:
    path = tmp_path / "iop4d.lock"
    with path.open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        threading.Timer(0.03, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        SiteLock(path).close()
