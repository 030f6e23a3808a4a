"""A Dask cluster that is started over OpenSSH's server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.engines.dask import connect
from iop4d.ledger.engines.dask.engine import DaskWorkers
from iop4d.model.messages import Done
from tests.ledger.dask_work import FAULTY, do, until
from tests.support.certificates import certificate
from tests.support.shell_sshd import shell_sshd

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.realserver
def test_workers_are_started_over_ssh_with_tls_and_again_where_they_end(
        place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the machines does not answer."""
    for name in ("tls", "site"):
        (tmp_path / name).mkdir()
    certificate(tmp_path / "tls")
    cert, key = (tmp_path / "tls" / name for name in ("cert.pem", "key.pem"))
    site = parse_site(f'[daemon]\nworkers = 2\n[workers]\nengine = "dask"\ncluster = "ssh"\n'
                      f'hosts = ["127.0.0.1", "127.0.0.1", "127.0.0.9"]\nca_file = "{cert}"\n'
                      f'cert_file = "{cert}"\nkey_file = "{key}"', root=tmp_path / "site")
    monkeypatch.setattr(connect, "_AGAIN", 1.0)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with shell_sshd(place, tmp_path / "home"):
        pids = asyncio.run(_worked(replace(site, daemon=replace(
            site.daemon, worker_memory_mb=1024))))
    assert len(pids) >= 3
    deadline = time.monotonic() + 30.0
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _with_ssh(pid: int) -> int:
    """The process that was started over SSH, of a worker process below it."""
    return next(int(parent.pid) for parent in psutil.Process(pid).parents()
                if "distributed.cli.dask_spec" in parent.cmdline())


async def _worked(site: Site) -> set[int]:
    engine = DaskWorkers(site, worker_module=FAULTY)
    engine.set_context(None, 1)
    await engine.start()
    try:
        async with asyncio.timeout(100):
            await until(lambda: engine.size == 2)
            outcomes = await asyncio.gather(*(do(engine, "good") for _ in range(6)))
            assert [type(one) for one in outcomes] == [Done] * 6
            scheduler = engine._link.client.scheduler.address
            assert scheduler.startswith("tls://")
            pids = {status.pid for status in engine.statuses}
            (over_ssh,) = {_with_ssh(pid) for pid in pids}
            os.kill(over_ssh, signal.SIGKILL)  # as if their machine was switched off
            await until(lambda: engine.size == 0)
            await until(lambda: engine.size == 2)
            assert isinstance(await do(engine, "good"), Done)
            return pids | {status.pid for status in engine.statuses} - {0}
    finally:
        await engine.stop()
