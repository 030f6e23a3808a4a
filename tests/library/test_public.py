"""What is public changes only where the list says so, is documented, and its examples run."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from iop4d import library
from iop4d.library import Client, Site
from tests.library import public

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
KEPT = Path(__file__).with_name("public.txt")


def test_nothing_public_changes_unannounced() -> None:
    assert "\n".join(public.lines()) + "\n" == KEPT.read_text(encoding="utf-8"), (
        "the public names changed: say so in CHANGELOG.md and docs/library.md, then write "
        "tests/library/public.txt by python -m tests.library.public")


@pytest.mark.parametrize("name", library.__all__)
def test_all_that_is_public_is_described(name: str) -> None:
    thing = getattr(library, name)
    assert inspect.getdoc(thing), name
    assert f"`{name}" in PAGE or f"iop4d.{name}" in PAGE, f"docs/library.md does not name {name}"
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{member}"


def _examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_run_as_they_stand(
        site: Site, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One after the other, in one session; the site and the server are the made ones."""
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(library, "Client", lambda *_: client)
    names: dict[str, Any] = {}
    for number, text in enumerate(_examples(), 1):
        here = text.replace("/data/iop4d", str(site.folder))
        exec(compile(here, f"docs/library.md, example {number}", "exec"), names)
    plt.close("all")
    assert len(_examples()) >= 8
