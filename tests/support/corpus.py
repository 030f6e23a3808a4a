"""A corpus of small files for the stub worker, and a site to take them in."""

from __future__ import annotations

import json
from pathlib import Path

from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.database import Database

SECRET = "canary-8f41c2d7"
_JD = 2459831.3
_A_NIGHT = 40  # files of a night
_CALIBRATION = 4  # biases, and flats, of each night
_TARGETS = 3  # of each night: one flares, one is quiet, one is seen through a polaroid
_ANGLES = (-45.0, 0.0, 45.0, 90.0)
_FLARE = range(3, 7)  # frames of a flaring target that are bright
_STEP = 1.0 / 1440.0  # days from frame to frame

SITE = """\
[[archive]]
name = "AndorT90"
path = "raw"

[[archive]]
name = "dead"
kind = "ftp"
host = "127.0.0.1"
port = {dead}
user = "observer"
password_file = "password"

[daemon]
settle = 0.05
settle_unannounced = 0.2
scan_interval = 2.0
workers = 2

[masters]
debounce = 0.1

[[rule]]
name = "bright"
source = "*"
band = "R"
condition = "mag < 13.35"
clear = "mag > 13.5"
cooldown = 0.2
channels = ["mail"]

[[channel]]
name = "mail"
to = ["one@example.org", "two@example.org"]
host = "127.0.0.1"
port = {port}

[alerts]
max_age = 0
most = 1000000
digest_over = 1000000
late = 1000000
retry_first = 0.5
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
    return said | {"kind": "light", "object": f"Target {night}-{'FQP'[which]}",
                   "mag": 12.9 if bright else 14.0,
                   "angle": _ANGLES[turn % len(_ANGLES)] if which == 2 else None}


def is_quiet(source: str) -> bool:
    """Whether no rule watches for anything that this source does."""
    return source.endswith("-Q")


def make_stub_site(folder: Path, count: int, *, port: int, dead: int) -> Path:
    """A site for a corpus of so many files. ``port``: of its mail server; at ``dead`` is none."""
    for name in ("raw", "masters", "reduced", "previews", "logs"):
        (folder / name).mkdir(parents=True)
    (folder / "iop4d.toml").write_text(SITE.format(port=port, dead=dead), encoding="utf-8")
    (folder / "password").write_text(SECRET, encoding="utf-8")
    (folder / "password").chmod(0o600)
    names = sorted({str(_file(*divmod(number, _A_NIGHT))["object"]) for number in range(count)})
    database = Database(folder / "iop4d.db")
    with database.write():
        catalogue.save([Source(name=name, ra_deg=float(n % 360), dec_deg=30.0,
                               kind=SourceKind.TARGET, calibrates=(), magnitudes={})
                        for n, name in enumerate(filter(None, names))])
    database.close()
    return folder
