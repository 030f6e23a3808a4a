"""Sites for the slow checks: on a simulated night, or on small files for stub workers."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.model.source import Source, SourceKind
from iop4d.simulator.frames import write_frame
from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.sky import field_of, index_folder
from iop4d.store import catalogue, catalogue_csv
from tests.support.stores import database_of

_NIGHT_SITE = """\
[[archive]]
name = "AndorT90"
path = "raw"

[astrometry]
index = ["{index}"]

[masters]
build_delay = 0.5
{more}
"""


def make_site(folder: Path, plan: NightPlan, *, more: str = "") -> Path:
    """A site whose catalogue is that of a plan's fields."""
    for name in ("raw", "masters", "reduced", "previews", "logs"):
        (folder / name).mkdir(parents=True)
    (folder / "iop4d.toml").write_text(_NIGHT_SITE.format(index=index_folder(), more=more),
                                       encoding="utf-8")
    text = Night(plan).sky.catalogue_csv(plan.seed, fields=tuple(map(field_of, plan.fields)))
    database = database_of(folder)
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(text))
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
    ran = CliRunner().invoke(cli, ["--site", str(site), "results"])
    assert ran.exit_code == 0, ran.output
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


#: A rule on bright points, with mails to the recipients ``to``, however many and however late.
ALERTS = """
[[rule]]
name = "bright"
source = "*"
band = "R"
condition = "mag < 13.35"
clear = "mag > 13.5"
cooldown_hours = 0.2
channels = ["mail"]

[[channel]]
name = "mail"
to = {to}
host = "127.0.0.1"
port = {port}

[alerts]
max_age_hours = 0
max_per_10min = 1000000
digest_over = 1000000
digest_after_minutes = 1000000
retry_wait = 0.5
"""

SECRET = "canary-8f41c2d7"
_JD = 2459831.3
_A_NIGHT = 40  # files of a night
_CALIBRATION = 4  # biases, and flats, of each night
_TARGETS = 3  # of each night: one flares, one is quiet, one is seen through a polariser
_ANGLES = (-45.0, 0.0, 45.0, 90.0)
_FLARE = range(3, 7)  # frames of a flaring target that are bright
_STEP = 1.0 / 1440.0  # days from frame to frame

_STUB_SITE = """\
{archive}
[[archive]]
name = "dead"
kind = "ftp"
host = "127.0.0.1"
port = {dead}
user = "observer"
password_file = "password"

[daemon]
settle = 0.05
settle_after_scan = 0.2
scan_interval = 2.0
workers = 2

[masters]
build_delay = 0.1

"""


def write_corpus(folder: Path, count: int) -> list[Path]:
    """So many files of one night after the other, in order of time."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        night, place = divmod(number, _A_NIGHT)
        said = _file(night, place)
        path = folder / f"{said['kind']}_{number:05d}.fits"
        path.write_text(json.dumps(said), encoding="utf-8")
        paths.append(path)
    return paths


def _file(night: int, place: int) -> dict[str, object]:
    months = 8 + night // 28
    said: dict[str, object] = {
        "night": f"{2022 + months // 12}-{months % 12 + 1:02d}-{night % 28 + 1:02d}",
        "number": place,
        "jd": _JD + night + place * _STEP, "object": "", "angle": None, "mag": 0.0}
    if place < 2 * _CALIBRATION:
        return said | {"kind": "bias" if place < _CALIBRATION else "flat"}
    turn, which = divmod(place - 2 * _CALIBRATION, _TARGETS)
    bright = which == 0 and turn in _FLARE
    return said | {"kind": "science", "object": f"Target {night}-{'FQP'[which]}",
                   "mag": 12.9 if bright else 14.0,
                   "angle": _ANGLES[turn % len(_ANGLES)] if which == 2 else None}


def is_quiet(source: str) -> bool:
    """Whether no rule watches for anything that this source does."""
    return source.endswith("-Q")


_FOLDER = """\
[[archive]]
name = "AndorT90"
path = "raw"
"""


def make_stub_site(folder: Path, count: int, *, port: int, dead: int,
                   archive: str = _FOLDER) -> Path:
    """A site for a corpus of so many files. ``port``: of its mail server; at ``dead`` is none.

    ``archive``: the section of what the files come from.
    """
    for name in ("raw", "masters", "reduced", "previews", "logs"):
        (folder / name).mkdir(parents=True)
    alerts = ALERTS.format(port=port, to=["one@example.org", "two@example.org"])
    (folder / "iop4d.toml").write_text(_STUB_SITE.format(dead=dead, archive=archive) + alerts,
                                       encoding="utf-8")
    (folder / "password").write_text(SECRET, encoding="utf-8")
    (folder / "password").chmod(0o600)
    names = sorted({str(_file(*divmod(number, _A_NIGHT))["object"]) for number in range(count)})
    database = database_of(folder)
    with database.write() as tx:
        catalogue.save(tx, [Source(name=name, ra_deg=float(n % 360), dec_deg=30.0,
                               kind=SourceKind.TARGET, calibrates=(), magnitudes={})
                        for n, name in enumerate(filter(None, names))])
    database.close()
    return folder
