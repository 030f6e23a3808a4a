"""Folders for astropy where the home is closed, as it is for services.

astropy makes ``~/.astropy/config`` as soon as it is imported, and fails where it may not.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

_PLACES = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")


def give_folders(environment: MutableMapping[str, str] = os.environ) -> None:
    """Name folders of this process, which end with it, unless astropy can make its own."""
    # os.path says no where a closed home has pathlib raise.
    home = os.path.expanduser("~")  # noqa: PTH111
    own = f"{home}/.astropy"
    if all(name in environment for name in _PLACES) or os.access(
            own if os.path.isdir(own) else home, os.W_OK | os.X_OK):  # noqa: PTH112
        return
    folder = Path(tempfile.mkdtemp(prefix="iop4d-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "astropy").mkdir()  # it is used where it is there
    for name in _PLACES:
        environment.setdefault(name, str(folder))
