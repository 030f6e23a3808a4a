"""How things are written, without a page to write them on."""

from __future__ import annotations

import subprocess
import sys


def test_formats_come_without_flask_and_bokeh() -> None:
    code = ("import sys, iop4d.web.formats; "
            "print(sorted({'flask', 'bokeh', 'waitress'} & set(sys.modules)))")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
