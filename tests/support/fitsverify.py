"""HEASARC's fitsverify, where it is installed (Debian's package of that name)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

#: For tests that need it.
needs_fitsverify = pytest.mark.skipif(shutil.which("fitsverify") is None,
                                      reason="fitsverify is not installed")


def complaints(path: Path) -> list[str]:
    """The errors and warnings that it has of a file."""
    said = subprocess.run(["fitsverify", str(path)], capture_output=True, check=False, timeout=60)
    text = (said.stdout + said.stderr).decode("latin-1")
    assert "Verification found" in text or "verification OK" in text, text
    return [line for line in text.splitlines() if line.startswith("*** ")]
