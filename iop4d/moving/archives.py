"""IOP4's configuration as sections of a site file: its folders where they lie, its servers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iop4d.model.errors import Iop4dError

#: Telescope: the name of its archive here, the beginning of its keys in IOP4, kind, further lines.
_TELESCOPES = (
    ("OSN-T090", "t090", "osn_t090", "ftp", ('encoding = "latin-1"',)),
    ("OSN-T150", "t150", "osn_t150", "ftp", ()),
    ("CAHA-T220", "caha", "caha", "sftp", ('night_folder = "/{night:%y%m%d}_CAFOS"',)),
)
#: Keys that are read, or that a note is about.
_SAID = re.compile(r"(datadir|db_path|(osn_t090|osn_t150|caha)_(address|user|password)|nthreads|"
                   r"max_concurrent_threads|osn_fnames_patterns|osn_source_list_path|"
                   r"astrometry_cache_path|set_rawdata_readonly)$")


@dataclass(kw_only=True)
class Configuration:
    """``database``: where IOP4's stands; ``sections``: of the site file, by archive; ``notes``:
    what has no counterpart or must be done by hand, a line each."""

    database: Path | None = None
    sections: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def is_configuration(path: Path) -> bool:
    """Whether a file is IOP4's configuration: a mapping in YAML that names its data folder."""
    return path.suffix in (".yaml", ".yml") and isinstance(said := _parsed(path), dict) \
        and "datadir" in said


def read(path: Path, *, watched: frozenset[str]) -> Configuration:
    """The archives of a configuration. ``watched``: telescopes that the site has an archive of."""
    said = _parsed(path)
    home = _place(path, "datadir", said["datadir"])
    found = Configuration(database=_place(path, "db_path", said.get("db_path") or
                                          str(home / "iop4.db")))
    for telescope, name, prefix, kind, more in _TELESCOPES:
        folder = home / "raw" / telescope
        host = said.get(f"{prefix}_address")
        if telescope in watched:
            found.notes.append(f"{telescope}: the site file has an archive of it already")
        elif folder.is_dir() or host:
            found.sections[name] = _section(name, telescope, folder, str(host or ""), kind, more,
                                            said.get(f"{prefix}_user"))
            if host:
                found.notes.append(f"{telescope}: write the password of {host} into secrets/{name} "
                                   "(mode 600); it was not copied")
    found.notes += _without_counterpart(said)
    return found


def _place(path: Path, key: str, value: object) -> Path:
    """A path of the configuration; a relative one begins in its folder."""
    if not isinstance(value, str) or not value.strip():
        raise Iop4dError(f"{path}: {key} is {value!r}, expected a path")
    return path.parent.absolute() / Path(os.path.expandvars(value)).expanduser()


def _section(name: str, telescope: str, folder: Path, host: str, kind: str, more: tuple[str, ...],
             user: Any) -> str:
    lines = [f'name = "{name}"', f'telescope = "{telescope}"', f"path = {_quoted(folder)}"]
    if host:
        lines += [f'kind = "{kind}"', f"host = {_quoted(host)}", f"user = {_quoted(user or '')}",
                  f'password_file = "secrets/{name}"', *more]
    return "[[archive]]\n" + "\n".join(lines) + "\n"


def _quoted(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)  # which TOML reads as well


def _without_counterpart(said: Mapping[str, Any]) -> list[str]:
    notes = []
    if said.get("nthreads") or said.get("max_concurrent_threads"):
        notes.append("worker processes: as many as the machine has cores; else set [daemon] "
                     "workers")
    if said.get("osn_fnames_patterns") or said.get("osn_source_list_path"):
        notes.append("which files are downloaded from the OSN: set name_prefixes of the archive, "
                     "such as [\"BLLac\"]; calibration frames always come")
    if said.get("astrometry_cache_path"):
        notes.append(f"index files: set [astrometry] index to the folders below "
                     f"{said['astrometry_cache_path']} that hold index-*.fits")
    if said.get("set_rawdata_readonly"):
        notes.append("raw files read-only: set make_read_only = true of each archive")
    if rest := [name for name, value in said.items() if value and not _SAID.match(str(name))]:
        notes.append(f"no counterpart: {', '.join(map(str, rest))}")
    return notes


def _parsed(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise Iop4dError(f"{path} is no YAML: {problem}") from None
