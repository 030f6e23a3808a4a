"""Workers of a real Dask on loopback: whatever befalls one costs the one job that it had."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.config.load import parse_site
from iop4d.ledger.engines import RequestLostError
from iop4d.ledger.engines.dask.engine import DaskWorkers
from iop4d.ledger.engines.dask.versions import differences, versions
from iop4d.ledger.engines.process import rss_mb
from iop4d.model.messages import Crashed, Done, Outcome, TimedOut
from tests.ledger.dask_work import do, site_of, until, with_engine
from tests.support.certificates import certificate
from tests.support.dask_cluster import DaskCluster, dask_cluster

#: Their workers open many sockets, and say so when the interpreter ends.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


def test_one_outcome_for_each_job_whatever_befalls_the_worker_process(
        cluster: DaskCluster, tmp_path: Path) -> None:
    async def work(engine: DaskWorkers) -> list[Outcome]:
        return [await do(engine, name) for name in (
            "good", "kill", "good", "unreadable", "hang", "good")]

    outcomes = with_engine(site_of(cluster, tmp_path, job_timeout=3.0), work)
    assert isinstance(outcomes, list)
    assert [type(outcome) for outcome in outcomes] == [
        Done, Crashed, Done, Crashed, TimedOut, Done]
    assert "SIGKILL" in outcomes[1].how
    assert outcomes[4] == TimedOut(seconds=3.0)
    assert list(tmp_path.iterdir()) == []  # no probe is left


def test_both_workers_work_side_by_side_and_no_process_is_left(
        cluster: DaskCluster, tmp_path: Path) -> None:
    async def work(engine: DaskWorkers) -> set[int]:
        outcomes = await asyncio.gather(*(do(engine, "good") for _ in range(8)))
        assert [type(one) for one in outcomes] == [Done] * 8
        return {status.pid for status in engine.statuses}

    pids = with_engine(site_of(cluster, tmp_path), work)
    assert isinstance(pids, set)
    assert len(pids) == 2
    assert 0 not in pids
    assert all(rss_mb(pid) == 0.0 for pid in pids)


def test_a_request_that_is_given_up_ends_its_worker_process(
        cluster: DaskCluster, tmp_path: Path) -> None:
    async def work(engine: DaskWorkers) -> list[int]:
        await asyncio.gather(do(engine, "good"), do(engine, "good"))
        pids = [status.pid for status in engine.statuses]
        tasks = [asyncio.create_task(do(engine, "hang")) for _ in pids]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(rss_mb(pid) == 0.0 for pid in pids)
        assert isinstance(await do(engine, "good"), Done)
        return pids

    with_engine(site_of(cluster, tmp_path), work)


def test_a_worker_of_dask_that_dies_costs_the_one_job_it_had(
        cluster: DaskCluster, tmp_path: Path) -> None:
    """It is stopped amid two jobs; Dask would run its job again, and later that of the other."""
    async def work(engine: DaskWorkers) -> list[Outcome]:
        tasks = [asyncio.create_task(do(engine, name)) for name in ("hang", "hang")]
        await until(lambda: [one.state for one in engine.statuses] == ["busy", "busy"])
        await asyncio.sleep(0.7)
        cluster.kill_worker(cluster.workers[0])
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        (first,) = done
        await until(lambda: engine.size == 1)
        (other,) = set(tasks) - done
        assert not other.done()
        cluster.add_worker()
        return [await first, await other, await do(engine, "good"), await do(engine, "good")]

    outcomes = with_engine(site_of(cluster, tmp_path, job_timeout=12.0), work)
    assert isinstance(outcomes, list)
    assert [type(outcome) for outcome in outcomes] == [Crashed, TimedOut, Done, Done]
    assert "was lost" in outcomes[0].how or "died" in outcomes[0].how


def test_a_worker_that_is_suspended_costs_its_job_and_comes_back(
        cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.ledger.engines.dask import members

    monkeypatch.setattr(members, "_SILENT", 2.0)

    async def work(engine: DaskWorkers) -> tuple[Outcome, Outcome]:
        victim = cluster.workers[0]
        victim.send_signal(signal.SIGSTOP)
        try:
            outcomes = await asyncio.gather(do(engine, "good"), do(engine, "good"))
            assert engine.size == 1
        finally:
            victim.send_signal(signal.SIGCONT)
        await until(lambda: engine.size >= 2)
        assert isinstance(await do(engine, "good"), Done)
        return outcomes

    outcomes = with_engine(site_of(cluster, tmp_path), work)
    assert isinstance(outcomes, list)
    assert {type(outcome) for outcome in outcomes} <= {Done, Crashed}


def test_what_a_worker_that_was_suspended_still_does_keeps_it_from_nothing(
        cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job was given to another meanwhile: the process that does it ends as it joins again."""
    from iop4d.ledger.engines.dask import members

    monkeypatch.setattr(members, "_SILENT", 2.0)

    async def work(engine: DaskWorkers) -> float:
        hung = [asyncio.create_task(do(engine, "hang")) for _ in range(2)]
        await until(lambda: [one.state for one in engine.statuses] == ["busy", "busy"])
        await asyncio.sleep(0.7)
        victim = cluster.workers[0]
        victim.send_signal(signal.SIGSTOP)
        try:
            done, left = await asyncio.wait(hung, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        finally:
            victim.send_signal(signal.SIGCONT)
        assert [type(task.result()) for task in done] == [Crashed]
        began = time.monotonic()
        assert isinstance(await do(engine, "good"), Done)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return time.monotonic() - began

    seconds = with_engine(site_of(cluster, tmp_path, job_timeout=30.0), work)
    assert isinstance(seconds, float)
    assert seconds < 12.0


def test_a_cluster_without_workers_is_up_and_starts_them_for_jobs(
        tmp_path: Path) -> None:
    """Until now it was never ready: a command waited for ever, systemd ended the daemon."""
    site = parse_site('[workers]\nengine = "dask"\ncluster = "local"\nadaptive = [0, 1]',
                      root=tmp_path)
    site = replace(site, daemon=replace(site.daemon, worker_memory_mb=1024))

    async def work(engine: DaskWorkers) -> Outcome:
        await until(lambda: engine.is_up)
        assert (engine.size, engine.trouble) == (0, "")
        assert engine._link._cluster.scheduler.http_server.address == "127.0.0.1"
        assert engine._link._cluster.scheduler.http_server.port != 8787  # of another one
        engine.want(1)
        await until(lambda: engine.size == 1)
        return await do(engine, "good")

    assert isinstance(with_engine(site, work, workers=0), Done)


def test_a_worker_that_is_not_reached_from_here_works_through_the_scheduler(
        cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.ledger.engines.dask import engine as engine_module

    async def no(*_args: object) -> bool:
        return False

    async def work(engine: DaskWorkers) -> list[Outcome]:
        assert not any(member.is_direct for member in engine._members.known)
        outcomes = [await do(engine, name) for name in ("good", "kill", "good")]
        task = asyncio.create_task(do(engine, "hang"))
        await asyncio.sleep(0.7)
        for victim in list(cluster.workers):
            cluster.kill_worker(victim)
            cluster.add_worker()
        return [*outcomes, await task]

    monkeypatch.setattr(engine_module, "is_reached", no)
    outcomes = with_engine(site_of(cluster, tmp_path), work)
    assert isinstance(outcomes, list)
    assert [type(outcome) for outcome in outcomes] == [Done, Crashed, Done, Crashed]


def test_a_worker_without_the_files_is_refused_with_the_path(
        cluster: DaskCluster, tmp_path: Path) -> None:
    site = site_of(cluster, tmp_path)
    missing = tmp_path / "index"
    site = replace(site, astrometry=replace(site.astrometry, index=(missing,)))

    async def work(engine: DaskWorkers) -> str:
        await until(lambda: "is refused" in engine.trouble)
        return engine.trouble

    trouble = with_engine(site, work, workers=0)
    assert isinstance(trouble, str)
    assert "is refused" in trouble
    assert f"{missing}: cannot be read" in trouble


def test_versions_that_differ_are_named_on_both_sides() -> None:
    ours = versions()
    assert differences(ours, versions()) == ""
    theirs = {**ours, "numpy": "1.0", "iop4d": "0.0"}
    assert differences(ours, theirs) == (
        f"it has iop4d 0.0, numpy 1.0; the daemon has iop4d {ours['iop4d']}, "
        f"numpy {ours['numpy']}")


def test_while_the_scheduler_is_away_jobs_go_back_and_it_goes_on_by_itself(
        cluster: DaskCluster, tmp_path: Path) -> None:
    async def work(engine: DaskWorkers) -> list[str]:
        assert isinstance(await do(engine, "good"), Done)
        task = asyncio.create_task(do(engine, "hang"))
        await asyncio.sleep(0.5)
        cluster.kill_scheduler()
        with pytest.raises(RequestLostError):
            await task
        await until(lambda: not engine.size)
        troubles = [engine.trouble]
        assert not await engine.ready()
        cluster.close()
        cluster.workers.clear()
        cluster.start_scheduler()
        cluster.add_worker()
        await until(lambda: engine.size)
        assert isinstance(await do(engine, "good"), Done)
        return [*troubles, engine.trouble]

    before, after = with_engine(site_of(cluster, tmp_path), work)  # type: ignore[misc]
    assert before.startswith(f"the Dask scheduler {cluster.address} is unreachable: ")
    assert after == ""


def test_with_tls_workers_work_and_without_its_files_the_scheduler_is_out_of_reach(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.ledger.engines.dask import engine as engine_module

    monkeypatch.setattr(engine_module, "_ALONE", 0.0)
    for name in ("site", "tls", "dask"):
        (tmp_path / name).mkdir()
    certificate(tmp_path / "tls")
    cert, key = (tmp_path / "tls" / name for name in ("cert.pem", "key.pem"))

    async def work(engine: DaskWorkers) -> Outcome:
        return await do(engine, "good")

    async def refused(engine: DaskWorkers) -> str:
        await until(lambda: engine.trouble and "not connected yet" not in engine.trouble)
        return engine.trouble

    with dask_cluster(tmp_path / "dask", 1, tls=(cert, cert, key)) as secure:
        plain = site_of(secure, tmp_path / "site")
        site = replace(plain, workers=replace(plain.workers, ca_file=cert, cert_file=cert,
                                              key_file=key))
        assert isinstance(with_engine(site, work, workers=1), Done)
        tcp = replace(plain, workers=replace(
            plain.workers, scheduler=secure.address.replace("tls:", "tcp:")))
        assert "is unreachable" in str(with_engine(tcp, refused, workers=0))
