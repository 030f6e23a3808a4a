"""Work for a Dask cluster, and when its outcomes are here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.engines.dask.engine import DaskWorkers
from iop4d.model.messages import ClassifyRequest, Outcome
from tests.support.dask_cluster import DaskCluster

FAULTY = "tests.ledger.faulty_worker"


def site_of(cluster: DaskCluster, root: Path, **daemon: float) -> Site:
    site = parse_site(f'[workers]\nengine = "dask"\nscheduler = "{cluster.address}"'
                      + "".join(f'\n{name}_file = "x"' for name in ("ca", "cert", "key")
                                if cluster.address.startswith("tls:")), root=root)
    return replace(site, daemon=replace(site.daemon, worker_memory_mb=1024, **daemon))


Work = Callable[[DaskWorkers], Awaitable[object]]


def with_engine(site: Site, work: Work, *, workers: int = 2, module: str = FAULTY) -> object:
    """What some work with an engine gives, once its workers are there."""
    async def go() -> object:
        engine = DaskWorkers(site, worker_module=module)
        engine.set_context(None, 1)
        await engine.start()
        try:
            async with asyncio.timeout(40):
                await until(lambda: engine.size >= workers)
                return await work(engine)
        finally:
            await engine.stop()

    return asyncio.run(go())


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for is in other processes
        await asyncio.sleep(0.05)


async def do(engine: DaskWorkers, name: str) -> Outcome:
    while not await engine.ready():
        pass
    return await engine.submit(ClassifyRequest(path=Path(name)), label=name)
