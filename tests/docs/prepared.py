"""What the documentation takes for granted: frames on a disk, a finished site, servers to ask."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

from astropy.io import fits
from click.testing import CliRunner

from iop4d.alerts.episodes import tag
from iop4d.cli import cli
from iop4d.config import load_site
from iop4d.simulator.frames import write_frame
from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.plan import POLARIMETRY
from iop4d.simulator.sky import index_folder
from iop4d.store import schema
from iop4d.store.database import Database

NIGHT = "2024-03-14"  # as the pages name the example's
SITE = f"""
[site]
name = "Sierra"
[astrometry]
index = ["{index_folder()}"]
[masters]
build_delay = 0.0
[[archive]]
name = "local"
path = "raw/local"
telescope = "OSN-T090"
[[rule]]
name = "BL Lac bright"
source = "BL Lac"
band = "R"
condition = "mag < 13.0"
channels = ["mail"]
[[channel]]
name = "mail"
to = ["observer@example.org"]
host = "127.0.0.1"
port = 25
"""


def take_night(folder: Path) -> None:
    """The frames of a night, three of each kind; beside its folder a group with the polariser."""
    for frame in Night(NightPlan(night=NIGHT, frames=3, n_bias=3, n_flat=3)).frames():
        write_frame(frame, folder)
    plan = NightPlan(night="2024-03-13", mode=POLARIMETRY, n_bias=0, n_flat=0, seed=2)
    for frame in Night(plan).frames():
        write_frame(frame, folder.parent / "group")


def polarised(site: Path) -> str:
    """The number of a result with polarisation."""
    with closing(Database(load_site(site).database)) as database, database.read() as db:
        return str(db.select(schema.Result).where(schema.Result.p > 0).get().id)


def of_another_camera(frames: Path, folder: Path) -> None:
    """Frames as a camera writes them that iop4d does not know; one is called ``first.fits``."""
    folder.mkdir(parents=True)
    for path in sorted(frames.iterdir()):
        with fits.open(path) as file:
            header = file[0].header
            header["INSTRUME"], header["TELESCOP"] = "My camera", "My telescope"
            header["PIXSCALE"] = 0.774
            name = "first" if path.stem == "BLLac-0001R" else path.stem
            file.writeto(folder / f"{name}.fits")


def finish(folder: Path, frames: Path) -> None:
    """A site that reduced those frames."""
    run("init", str(folder))
    (folder / "iop4d.toml").write_text(SITE, encoding="utf-8")
    (folder / "raw" / "local").mkdir()
    run("--site", str(folder), "catalogue", "import", "builtin:blazars")
    run("--site", str(folder), "reduce", str(frames), str(frames.parent / "group"))


def run(*words: str) -> str:
    """A command that must succeed; what it says."""
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.output


def copy_of(site: Path, folder: Path) -> Path:
    """The site in another folder: its frames are links, as nothing writes into a frame."""
    def put(source: str, target: str) -> None:
        (os.link if source.endswith((".fits", ".fit", ".png")) else shutil.copy2)(source, target)
    shutil.copytree(site, folder, copy_function=put)
    return folder


def alert(site: Path, rule: str, now: float) -> str:
    """Let an alert of a rule be active; its tag."""
    with closing(Database(load_site(site).database)) as database, database.write() as tx:
        result = tx.select(schema.Result).get()
        made = tx.create(schema.Alert, rule=rule, source=result.source, band=result.band,
                         episode=1, state="firing", condition="change mag < -0.5",
                         fired_jd=result.jd_mid, fired_at=now, points=[result.id])
        return tag(made)
