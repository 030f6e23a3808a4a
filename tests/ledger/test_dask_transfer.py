"""A worker that does not see the site: it is refused, or files travel with the jobs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.ledger.engines.dask import carrier as carrier_module
from iop4d.ledger.engines.dask import node
from iop4d.ledger.engines.dask.engine import DaskWorkers
from iop4d.ledger.engines.local import WORKER
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    CHANGED,
    UNREADABLE,
    ClassifyRequest,
    Done,
    Failed,
    MasterBuilt,
    MasterRef,
    MasterRequest,
    Outcome,
    Reduced,
    ReduceRequest,
    Rejected,
    Request,
)
from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.sky import field_of, index_folder
from tests.ledger.dask_work import Work, until, with_engine
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.lab import Lab

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A site with three biases and a science frame, and who does it here."""
    plan = NightPlan(seed=3, frames=1, n_bias=3, n_flat=0, fields=("3C345",))
    night = Night(plan)
    it = Lab(tmp_path_factory.mktemp("site"), night.sky.catalogue_csv(
        plan.seed, fields=tuple(map(field_of, plan.fields))))
    for frame in night.frames():
        it.put(frame)
    return it


@pytest.fixture(scope="module")
def blind(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A worker on whose machine there is neither the site's folder nor the index."""
    if subprocess.run(["unshare", "--map-root-user", "--mount", "true"], check=False,
                      capture_output=True).returncode:
        pytest.skip("this account may make no mount namespace (unshare --mount)")
    with dask_cluster(tmp_path_factory.mktemp("dask"), 0) as cluster:
        cluster.add_worker(hide=(lab.folder, index_folder()))
        yield cluster


def site_of(cluster: DaskCluster, lab: Lab, *, transfer: bool) -> Site:
    return replace(parse_site(
        f'[workers]\nengine = "dask"\nscheduler = "{cluster.address}"\n'
        f"transfer = {str(transfer).lower()}", root=lab.folder),
        astrometry=lab.bench.context.site.astrometry)


def done(cluster: DaskCluster, lab: Lab, *requests: Request) -> list[Outcome]:
    """What a worker to which files travel makes of requests."""
    async def work(engine: DaskWorkers) -> list[Outcome]:
        engine.set_context(lab.bench.context, 1)
        return [await submitted(engine, request) for request in requests]

    return _with(cluster, lab, work)


async def submitted(engine: DaskWorkers, request: Request) -> Outcome:
    while not await engine.ready():
        pass
    return await engine.submit(request, label="one")


def _with(cluster: DaskCluster, lab: Lab, work: Work) -> list[Outcome]:
    found = with_engine(site_of(cluster, lab, transfer=True), work, workers=1, module=WORKER)
    assert isinstance(found, list)
    return found


def test_without_transfer_it_is_refused_with_the_path(blind: DaskCluster, lab: Lab) -> None:
    async def work(engine: DaskWorkers) -> str:
        await until(lambda: "refused" in engine.trouble)
        return engine.trouble

    trouble = str(with_engine(site_of(blind, lab, transfer=False), work, workers=0))
    assert "the worker tcp://127.0.0.1:" in trouble
    assert f"is refused: the site's files are not there under the same paths: {lab.folder}" \
        in trouble


def test_what_comes_back_is_what_local_processes_make(blind: DaskCluster, lab: Lab) -> None:
    """A master of three biases, and with it a science frame with its products."""
    biases = tuple(sorted(lab.folder.glob("Bias*")))
    (science,) = set(lab.folder.glob("*.fit*")) - set(biases)
    facts = lab.classify(science)[0]
    master = MasterRef(id=1, kind=FrameKind.BIAS, path=lab.folder / "masters" / "bias.fits")
    build = MasterRequest(kind=FrameKind.BIAS, facts=lab.classify(biases[0])[0], inputs=biases,
                          masters=(), output=master.path)
    reduce = ReduceRequest(path=science, facts=facts, masters=(master,),
                           reduced_path=lab.folder / "reduced" / "a.fits",
                           preview_path=lab.folder / "previews" / "a.png")
    requests = (ClassifyRequest(path=science), build, reduce)
    written = (build.output, reduce.reduced_path, reduce.preview_path)
    for path in written:
        assert path is not None
        path.parent.mkdir(exist_ok=True)
    here = [lab.bench.perform(request) for request in requests]
    content = [path.read_bytes() for path in written if path]
    for path in written:
        assert path is not None
        path.unlink()

    there = done(blind, lab, *requests)

    assert [_plain(outcome) for outcome in there] == [_plain(outcome) for outcome in here]
    assert isinstance(there[1], Done)
    assert isinstance(there[1].value, MasterBuilt)
    assert [path.read_bytes() for path in written if path] == content
    assert not list(lab.folder.glob("**/*.tmp"))


def _plain(outcome: Outcome) -> str:
    """An outcome without how long it took; as text, as no NaN equals another."""
    assert isinstance(outcome, Done), outcome
    value = outcome.value
    return repr(replace(value, stages={}) if isinstance(value, Reduced) else value)


def test_what_is_wrong_with_a_file_is_told_as_it_is_here(blind: DaskCluster, lab: Lab) -> None:
    damaged = lab.folder / "damaged.fits"
    damaged.write_bytes(b"SIMPLE  =")
    requests = [ClassifyRequest(path=damaged), ClassifyRequest(path=lab.folder / "gone.fits")]
    here = [lab.bench.perform(request) for request in requests]
    there = done(blind, lab, *requests)
    assert isinstance(here[0], Rejected)
    assert here[0] == there[0]
    assert [_said(outcome) for outcome in there] == [_said(outcome) for outcome in here]


def _said(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected | Failed)
    return outcome.reason


def test_a_file_that_changes_on_its_way_or_arrives_damaged_is_sent_again(
        blind: DaskCluster, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lab.folder / "growing.fits"
    path.write_bytes(bytes(10))
    whole = carrier_module._next

    def grown(file: BinaryIO, of: Path, found: object) -> object:
        data, (size, mtime) = whole(file, of, found)  # type: ignore[arg-type]
        return data, (size + (of == path), mtime)

    def damaged(file: BinaryIO, of: Path, found: object) -> object:
        data, stat = whole(file, of, found)  # type: ignore[arg-type]
        return data[1:] + b"!" if of == path else data, stat

    monkeypatch.setattr(carrier_module, "_next", grown)
    (outcome,) = done(blind, lab, ClassifyRequest(path=path))
    assert isinstance(outcome, Failed)
    assert outcome.stage == CHANGED
    monkeypatch.setattr(carrier_module, "_next", damaged)
    (outcome,) = done(blind, lab, ClassifyRequest(path=path))
    assert isinstance(outcome, Failed)
    assert outcome.stage == UNREADABLE
    assert outcome.reason.endswith(f"cannot keep files: {path} did not arrive as it was sent")


def test_a_product_whose_checksum_is_wrong_does_not_get_to_its_place(
        lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.ledger.engines.dask.stage import Product

    async def piece(*_args: object) -> bytes:
        return b"damaged"

    async def go() -> Failed:
        carrier = carrier_module.Carrier(lab.bench.context.site, "name", None)  # type: ignore[arg-type]
        member = type("Member", (), {"address": "tcp://far:1"})
        product = Product(path=lab.folder / "product.png", size=7, sha256="0")
        with pytest.raises(carrier_module.NotCarriedError) as raised:
            await carrier.fetch(member, "job", ClassifyRequest(path=product.path),  # type: ignore[arg-type]
                                [product])
        return raised.value.outcome

    monkeypatch.setattr(carrier_module, "call", piece)
    outcome = asyncio.run(go())
    assert outcome.stage == UNREADABLE
    assert "its checksum is wrong" in outcome.reason
    assert not (lab.folder / "product.png").exists()


def test_masters_are_sent_once_and_the_oldest_are_removed_beyond_a_limit(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier_module, "_MOST_KEPT", 25)
    kept = carrier_module.Kept(files={Path(name): (10, 0) for name in ("/a", "/b", "/c")})
    assert kept.surplus([Path("/a")]) == (Path("/b"),)
    assert list(kept.files) == [Path("/a"), Path("/c")]
    assert node.What.NO_FILES
