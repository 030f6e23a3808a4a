"""A night of the small camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iop4d.config.load import parse_site
from iop4d.model.frame import FrameKind
from iop4d.model.messages import (
    MasterRef,
)
from iop4d.reduction.context import WorkerContext
from iop4d.reduction.workbench import Workbench
from tests.reduction.small import (
    EXPTIME,
    SHAPE,
    SITE,
    SKY,
    STARS,
    ZERO_POINT,
    FakeSolver,
    build,
    catalogue,
    expose,
    flat_field,
    write,
)
from tests.science.skies import moffat_stars


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Five biases, five flats, two lights."""
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(7)
    flux = np.array([EXPTIME * 10 ** (-0.4 * (star.mag - ZERO_POINT)) for star in STARS])
    light = moffat_stars(SHAPE, np.array([s.x for s in STARS]), np.array([s.y for s in STARS]),
                         flux, np.full(len(STARS), 3.2))
    flat = flat_field()
    return {
        "bias": [write(folder / f"bias{i}.fits", expose(rng, 0.0), "bias", second=i, exptime=0.0)
                 for i in range(5)],
        "flat": [write(folder / f"flat{i}.fits", expose(rng, 25000.0 * (1 + i / 20) * flat), "flat",
                       second=10 + i, exptime=2.0) for i in range(5)],
        "science": [write(folder / f"light{i}.fits", expose(rng, (light + SKY) * flat), "light",
                        second=20 + i, exptime=EXPTIME) for i in range(2)],
    }


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    found = Workbench(WorkerContext(site=parse_site(SITE, root=tmp_path), catalogue=catalogue()))
    found.solver = FakeSolver()
    return found


@pytest.fixture
def masters(bench: Workbench, night: dict[str, list[Path]],
            tmp_path: Path) -> tuple[MasterRef, ...]:
    bias, _ = build(bench, FrameKind.BIAS, night["bias"], tmp_path)
    flat, _ = build(bench, FrameKind.FLAT, night["flat"], tmp_path, (bias,))
    return bias, flat
