"""How things are written, without a page to write them on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_formats_come_without_flask_and_bokeh() -> None:
    code = ("import sys, iop4d.web.formats; "
            "print(sorted({'flask', 'bokeh', 'waitress'} & set(sys.modules)))")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("folder", ["web", "alerts"])
def test_templates_write_angles_of_polarisation_below_180_degrees(folder: str) -> None:
    found = [f"{path.name}: {match}" for path in sorted((ROOT / folder / "templates").iterdir())
             for match in re.findall(r"plus_minus\([^)]*\bchi[^)]*\)", path.read_text("utf-8"))]
    assert found == []
