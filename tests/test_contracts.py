"""The import contracts of pyproject.toml catch what they say: violations are planted and found."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import iop4d

ROOT = Path(iop4d.__file__).parents[1]
DOWNWARDS = "Imports go downwards only, and every module stands in a layer"
SYSTEM = "The service stands above what the machine asks of it"
WORKER = "A worker process knows no database, no web and no mail"
SMALL = "The daemon stays small: no arrays, no FITS, no plots on its loop"
QUERIES = "Only the store builds queries: nothing outside it imports peewee"
SCIENCE = "Science knows numbers: no files, no processes, no configuration, no clock of ours"
INSTRUMENTS = "Instruments do not know each other"

#: Contract, module, and what the module imports although it may not.
PLANTED = [
    (DOWNWARDS, "iop4d.model.frame", "iop4d.system.lock"),
    (DOWNWARDS, "iop4d.fields.calibrators", "iop4d.cli.status"),
    (DOWNWARDS, "iop4d.system.notify", "iop4d.alerts.engine"),
    (DOWNWARDS, "iop4d.store.database", "iop4d.alerts.engine"),
    (DOWNWARDS, "iop4d.config.site", "iop4d.science.stokes"),
    (DOWNWARDS, "iop4d.archives.settle", "iop4d.alerts.rules"),
    (DOWNWARDS, "iop4d.web.api", "iop4d.cli.status"),
    (DOWNWARDS, "iop4d.daemon", "iop4d.simulator.sky"),
    (SYSTEM, "iop4d.system.lock", "iop4d.system.notify"),
    (WORKER, "iop4d.reduction.frame", "peewee"),
    (WORKER, "iop4d.fits.read", "iop4d.store.database"),
    (WORKER, "iop4d.science.stokes", "flask"),
    (SMALL, "iop4d.alerts.rules", "numpy"),
    (SMALL, "iop4d.daemon", "astropy"),
    (QUERIES, "iop4d.archives.settle", "peewee"),
    (QUERIES, "iop4d.simulator.sky", "peewee"),
    *((SCIENCE, "iop4d.science.stokes", name) for name in (
        "os", "shutil", "subprocess", "csv", "urllib", "importlib", "pathlib", "logging", "time",
        "datetime", "iop4d.config")),
    (INSTRUMENTS, "iop4d.instruments.newcam", "iop4d.instruments.dipol"),
    (INSTRUMENTS, "iop4d.instruments.cafos", "iop4d.instruments.dipol"),
    (INSTRUMENTS, "iop4d.instruments.base", "iop4d.instruments.cafos"),
]


def copy(folder: Path) -> Path:
    """A copy of the package's code, links followed, and of the contracts."""
    shutil.copytree(ROOT / "iop4d", folder / "iop4d", ignore=lambda at, names: [
        name for name in names if not (name.endswith(".py") or (Path(at) / name).is_dir())
        or name in ("__pycache__", "data", "templates", "static")])
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def plant(folder: Path, module: str, imported: str) -> None:
    path = folder / (module.replace(".", "/") + ".py")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\n\ndef planted() -> None:\n    import {imported}\n",
                    encoding="utf-8")


def lint(folder: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and of each broken contract what is said of it."""
    ran = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()",
         "--no-cache", "--no-logo"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "300"})
    names = "|".join(map(re.escape, (DOWNWARDS, SYSTEM, WORKER, SMALL, QUERIES, SCIENCE,
                                     INSTRUMENTS)))
    _, _, broken = ran.stdout.partition("Broken contracts")
    pieces = re.split(rf"^({names})$", broken, flags=re.MULTILINE)
    return ran.returncode, dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of a copy with all violations but that of a stray module."""
    folder = copy(tmp_path_factory.mktemp("planted"))
    for _, module, imported in PLANTED:
        plant(folder, module, imported)
    code, said = lint(folder)
    assert code == 1
    return said


def test_the_code_keeps_every_contract(tmp_path: Path) -> None:
    assert lint(copy(tmp_path)) == (0, {})


@pytest.mark.parametrize(("contract", "module", "imported"), PLANTED)
def test_an_import_that_may_not_be_is_reported(
        planted: dict[str, str], contract: str, module: str, imported: str) -> None:
    assert re.search(rf"{re.escape(module)} -> {re.escape(imported)}\b", planted[contract])


@pytest.mark.parametrize("module", ["iop4d.stray", "iop4d.system.stray"])
def test_a_module_that_stands_in_no_layer_is_reported(tmp_path: Path, module: str) -> None:
    folder = copy(tmp_path)
    plant(folder, module, "math")
    code, said = lint(folder)
    assert code == 1
    assert "stray" in said[DOWNWARDS if module == "iop4d.stray" else SYSTEM]


def test_row_classes_build_no_query_outside_the_store() -> None:
    """``Frame.select()`` needs no import of peewee, so this looks at the code itself."""
    found = []
    for folder in ("iop4d", "alerts", "web", "instruments"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.is_relative_to(ROOT / "iop4d" / "store"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            rows = {alias.asname or alias.name for node in ast.walk(tree)
                    if isinstance(node, ast.ImportFrom) and node.module == "iop4d.store.schema"
                    for alias in node.names}
            found += [f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
                      for node in ast.walk(tree) if isinstance(node, ast.Attribute)
                      and isinstance(node.value, ast.Name) and node.value.id in rows]
    assert found == []
