"""STILTS's votlint, where it is installed (Debian's package stilts)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

#: It runs for a second: what a virtual machine does for hours of work costs more than it saves.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

#: For tests that need it.
needs_votlint = pytest.mark.skipif(shutil.which("stilts") is None,
                                   reason="stilts is not installed")


def complaints(path: Path) -> list[str]:
    """Its errors and warnings of a VOTable, those of UCDs, units and the schema too."""
    said = subprocess.run(
        ["stilts", *QUICK, "votlint", f"votable={path}", "validate=true", "ucd=true", "unit=true"],
        capture_output=True, text=True, check=False, timeout=100)
    return (said.stdout + said.stderr).splitlines()
