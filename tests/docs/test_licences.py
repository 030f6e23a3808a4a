"""Everything that others made is named with its version, its origin and its licence."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: As in a name of a licence by SPDX.
_SPDX = re.compile(r"`[A-Za-z0-9.+-]+( (AND|OR) \(?[A-Za-z0-9.+-]+\)?)*`")


def rows(title: str) -> dict[str, list[str]]:
    """The table under a heading, by its first column."""
    part = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]]
             for line in part.splitlines() if line.startswith("| `")]
    return {name: row for row in cells for name in re.findall(r"`([^`]+)`", row[0])}


def wanted() -> dict[str, str]:
    """Every library that is installed with iop4d or an extra that people use, and which extra."""
    found = {re.split(r"[\[<>=~; ]", one)[0]: "" for one in PROJECT["dependencies"]}
    for extra, libraries in PROJECT["optional-dependencies"].items():
        if extra not in ("dev", "docs"):
            found |= {re.split(r"[\[<>=~; ]", one)[0]: extra for one in libraries}
    return found


def test_every_folder_of_other_authors_is_listed_with_its_licence() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.splitlines()
    folders = {path.partition("/vendor/")[0] + "/vendor/" + path.partition("/vendor/")[2].split(
        "/")[0] for path in tracked if re.search(r"/vendor/[^/]+/", path)}
    listed = rows("Libraries that stand in this repository")
    assert folders == set(listed)
    for folder, (_, _, version, origin, licence) in listed.items():
        assert (ROOT / folder / "LICENSE").is_file()
        readme = (ROOT / folder).parent.joinpath("README.md").read_text(encoding="utf-8")
        assert f"| {version} | {licence.partition(';')[0].strip('`')} |" in readme
        assert "https://" in origin
        assert _SPDX.match(licence)


def test_every_folder_of_data_is_listed() -> None:
    tracked = subprocess.run(["git", "ls-files", "iop4d/**/data/*", "iop4d/*/data/*"], cwd=ROOT,
                             capture_output=True, text=True, check=True).stdout.splitlines()
    listed = rows("Data that stand in this repository")
    assert [path for path in tracked if not any(
        path == one or path.startswith(f"{one}/") for one in listed)] == []
    assert all((ROOT / path).exists() for path in listed)


def test_every_dependency_is_listed_with_its_extra() -> None:
    listed = rows("Libraries that iop4d uses")
    assert set(listed) == set(wanted())
    for name, extra in wanted().items():
        assert listed[name][1].startswith(f"extra `{extra}`" if extra else "always"), name
        assert _SPDX.match(listed[name][2]), name


@pytest.mark.parametrize("name", sorted(wanted()))
def test_what_a_library_says_of_itself_is_what_is_listed(name: str) -> None:
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    listed = rows("Libraries that iop4d uses")[name][2].split("`")[1]
    if expression := said.get("License-Expression"):
        assert listed == expression
    # The first lines: texts of libraries in C name what their wheels hold of others besides.
    words = f"{(said.get('License') or '')[:200]} {' '.join(said.get_all('Classifier') or [])}"
    # GNU licences ask most of those who pass a bundle on: none may be missed.
    gnu = re.search(r"\b[AL]?GPL|GNU (Lesser |Affero )?General Public", words, re.IGNORECASE)
    assert bool(gnu) <= ("GPL" in listed), words[:200]
