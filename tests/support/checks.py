"""What the slow checks share: a site on a simulated night."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.sky import field_of, index_folder
from iop4d.simulator.write import write_frame
from iop4d.store import catalogue, catalogue_csv
from iop4d.store.database import Database

SITE = """\
[[archive]]
name = "AndorT90"
path = "raw"

[astrometry]
index = ["{index}"]

[masters]
debounce = 0.5
{more}
"""


def make_site(folder: Path, plan: NightPlan, *, more: str = "") -> Path:
    """A site whose catalogue is that of a plan's fields."""
    for name in ("raw", "masters", "reduced", "previews", "logs"):
        (folder / name).mkdir(parents=True)
    (folder / "iop4d.toml").write_text(SITE.format(index=index_folder(), more=more),
                                       encoding="utf-8")
    text = Night(plan).sky.catalogue_csv(plan.seed, fields=tuple(map(field_of, plan.fields)))
    database = Database(folder / "iop4d.db")
    with database.write():
        catalogue.save(catalogue_csv.parse(text))
    database.close()
    return folder


def take_night(plan: NightPlan, folder: Path) -> list[Path]:
    """Write all of a night's frames beside any site; their paths in order of time."""
    return [write_frame(frame, folder) for frame in Night(plan).frames()]


def drop(path: Path, folder: Path, name: str = "") -> Path:
    """Put a copy of a file into a watched folder, as a camera program does."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(path, folder / (name or path.name)))


def results_of(site: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The rows of ``iop4d results`` by frames and source, without their numbers."""
    ran = subprocess.run(
        [sys.executable, "-m", "iop4d", "--site", str(site), "results"], check=True,
        capture_output=True, text=True, env={**os.environ})
    rows = {}
    for row in csv.DictReader(io.StringIO(ran.stdout)):
        del row["id"]
        key = (row["frames"], row["source"])
        assert key not in rows, f"{key} stands twice in the results"
        rows[key] = row
    return rows


def differences(one: dict[tuple[str, str], dict[str, str]],
                other: dict[tuple[str, str], dict[str, str]]) -> list[str]:
    """How two sets of rows differ, in words."""
    found = [f"only in one: {key}" for key in sorted(one.keys() ^ other.keys())]
    for key in sorted(one.keys() & other.keys()):
        columns = [name for name in one[key] if one[key][name] != other[key][name]]
        if columns:
            found.append(f"{key}: " + ", ".join(
                f"{name} {one[key][name]} and {other[key][name]}" for name in columns))
    return found
