"""What keeps a connection with Dask, or a cluster, from coming up is said in words."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from iop4d.config.load import parse_site
from iop4d.ledger.engines.dask import connect, engine
from iop4d.ledger.engines.dask.connect import Link
from iop4d.ledger.engines.dask.engine import DaskWorkers
from tests.support.certificates import certificate


class FailingCluster:
    """A cluster that does not come up."""

    is_closed = False
    workers: ClassVar[dict[str, object]] = {}

    def __init__(self, **how: object) -> None:
        self.how = how

    def __await__(self) -> Iterator[None]:
        raise RuntimeError("Nanny failed to start.")
        yield

    async def close(self) -> None:
        FailingCluster.is_closed = True


async def _opened(text: str, root: Path) -> str:
    """Why no connection is made."""
    link = Link(parse_site(f'[workers]\nengine = "dask"\n{text}', root=root))
    try:
        await link.open()
    except OSError as error:
        return engine._said(error)
    finally:
        await link.close()
    return ""


def test_what_keeps_a_connection_from_being_made_is_a_sentence(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "_TIMEOUT", 2.0)
    monkeypatch.setattr(connect, "_CONNECT_IN", 4.0)
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "one")
    certificate(tmp_path / "other")
    (tmp_path / "text").write_text("no certificate")
    cert, key, text = tmp_path / "one/cert.pem", tmp_path / "one/key.pem", tmp_path / "text"
    tls = ('scheduler = "tls://127.0.0.1:1"\nca_file = "{}"\ncert_file = "{}"\nkey_file = "{}"')
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        for words, said in (
                (tls.format("gone", cert, key), f"ca_file cannot be read: {tmp_path}/gone: No s"),
                (tls.format(text, cert, key), f"ca_file holds no certificates: {text}"),
                (tls.format(cert, cert, tmp_path / "other/key.pem"), "do not belong together"),
                ('scheduler = "tcp://127.0.0.1:1"', "Connection refused"),
                (f'scheduler = "tcp://127.0.0.1:{mute.getsockname()[1]}"', "gives no answer of a"),
                ('cluster = "slurm"', "SLURM's program sbatch is not found on this machine")):
            assert said in asyncio.run(_opened(words, tmp_path))


class LateClient:
    """A client of Dask for whose last attempt no time was left."""

    def __init__(self, *_: object, **_named: object) -> None:
        pass

    def __await__(self) -> Iterator[None]:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1 after 5 s"
                      ) from TimeoutError()
        yield

    async def close(self, **_: object) -> None:
        pass


def test_the_reason_is_asked_for_where_dask_gives_none(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.distributed, "Client", LateClient)
    said = asyncio.run(_opened('scheduler = "tcp://127.0.0.1:1"', tmp_path))
    assert said.endswith("after 5 s: Connection refused")


def test_a_path_that_a_job_of_slurm_does_not_take_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job would end at once, without a word here."""
    (tmp_path / "sbatch").write_text("")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    root = tmp_path / "two words"
    root.mkdir()
    assert f"has: {root}/logs/slurm" in asyncio.run(_opened('cluster = "slurm"', root))


def test_why_slurm_takes_no_job_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, words in (("sbatch", "echo sbatch: error: Invalid account >&2; exit 1"),
                        ("scancel", "exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    site = parse_site('[workers]\nengine = "dask"\ncluster = "slurm"\nadaptive = [1, 2]',
                      root=tmp_path)

    async def go() -> str:
        it = DaskWorkers(site)
        await it.start()
        async with asyncio.timeout(20.0):
            while "no workers" not in it.trouble:  # noqa: ASYNC110 - of another task
                await asyncio.sleep(0.05)
        try:
            assert it._link._cluster.scheduler.http_server.address == "127.0.0.1"
            return it.trouble
        finally:
            await it.stop()

    assert asyncio.run(go()).endswith(
        "has no workers: SLURM takes no job: sbatch: error: Invalid account")


def test_a_cluster_that_does_not_come_up_is_closed_and_never_without_tls(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect.distributed, "LocalCluster", FailingCluster)
    monkeypatch.setattr(FailingCluster, "is_closed", False)

    async def go() -> None:
        link = Link(parse_site('[workers]\nengine = "dask"\ncluster = "local"', root=tmp_path))
        with pytest.raises(RuntimeError):
            await link.open()
        assert link._cluster.how["security"] is True
        await link.close()

    asyncio.run(go())
    assert FailingCluster.is_closed
