"""What is released: one version, and files that name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import iop4d
from tests.bench.wheel import IN_SDIST, missing

ROOT = Path(iop4d.__file__).parents[1]


def test_what_is_missing_from_a_package_is_named() -> None:
    names = ["docs/science.md", "examples/plugin/a.py"]
    assert missing(names, ("docs/science.md", "examples")) == []
    assert missing(names, ("docs", "example", "Makefile")) == ["example", "Makefile"]


def test_what_a_source_distribution_must_hold_is_there() -> None:
    assert [name for name in IN_SDIST if not (ROOT / name).exists()] == []


def test_the_citation_names_the_version() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(said["version"]) == iop4d.__version__
    assert said["license"] == "BSD-3-Clause"


def test_each_vendored_library_has_its_licence() -> None:
    folder = ROOT / "web" / "static" / "vendor"
    table = (folder / "README.md").read_text(encoding="utf-8")
    for path in filter(Path.is_dir, folder.iterdir()):
        assert (path / "LICENSE").is_file(), path.name
        assert re.search(rf"^\| {path.name}\b.* (0BSD|MIT|BSD-[23]-Clause|Apache-2\.0) \|", table,
                         re.IGNORECASE | re.MULTILINE), path.name
