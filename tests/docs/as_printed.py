"""What a test cannot run of the documentation, and what stands there for something else.

A key is (page, how the printed command begins); one that begins no command of it fails a test.
"""

from __future__ import annotations

from typing import TypeVar

from tests.conftest import REALDATA

REAL_NIGHT = REALDATA / "hatp32"
T = TypeVar("T")
Command = tuple[str, str]

_FOREVER = "runs until it is stopped"
_MACHINE = "changes the machine, or asks its service manager"
_EDITOR = "an editor: the test changes the file"
_NETWORK = "downloads from the network"
_SHELL = "its lines are run by tests/cli/test_endings.py"
_DASK = "runs until it is stopped: tests/ledger/test_dask.py starts such workers"
_IMAGE = "make image makes the image, and runs such commands in it"
_INDEX = "needs build-astrometry-index, or the network: tests/cli/test_index.py has both"

#: Why a command is not run here.
NOT_RUN: dict[Command, str] = {
    ("README.md", "make demo"): f"{_NETWORK}, and {_FOREVER}",
    ("README.md", "make test"): "runs these tests",
    ("README.md", "python3 -m venv"): f"{_NETWORK}: make release-check does it",
    ("README.md", "source venv"): _SHELL,
    ("README.md", "iop4d index"): _INDEX,
    ("README.md", "nano"): _EDITOR,
    ("README.md", "iop4d run"): _FOREVER,
    ("README.md", "iop4d web"): _FOREVER,
    ("getting-started.md", "git clone"): _NETWORK,
    ("getting-started.md", "make demo"): f"{_NETWORK}, and {_FOREVER}",
    ("getting-started.md", "python3 -m venv"): f"{_NETWORK}: make release-check does it",
    ("getting-started.md", "source venv"): _SHELL,
    ("getting-started.md", "iop4d index"): _INDEX,
    ("getting-started.md", "nano"): _EDITOR,
    ("getting-started.md", "iop4d run"): _FOREVER,
    ("getting-started.md", "iop4d web"): _FOREVER,
    ("indexes.md", "iop4d index"): _INDEX,
    ("instruments.md", "pip install"): "changes what is installed: make release-check does it",
    ("operations.md", "systemctl"): _MACHINE,
    ("operations.md", "journalctl"): _MACHINE,
    ("operations.md", "iop4d --site /data/iop4d run"): _FOREVER,
    ("results.md", "iop4d samp"): "needs a SAMP hub: tests/system/test_samp.py has one",
    ("scale.md", "dask"): _DASK,
    ("scale.md", "tls="): _DASK,
    ("scale.md", "iop4d run"): _DASK,
    ("service.md", "sudo"): _MACHINE,
    ("service.md", "podman"): _IMAGE,
    ("service.md", "python -m build"): _IMAGE,
    ("service.md", "iop4d reload"): "needs a daemon: tests/system/test_service.py has one",
}

if not REAL_NIGHT.is_dir():
    NOT_RUN |= {("getting-started.md", start): "the frames of that night are not part of iop4d"
                for start in ("iop4d catalogue import catalogue.csv", "iop4d reduce raw/",
                              "iop4d results --source HAT-P-32")}

#: What stands for what is printed, on every page.
PLACES: dict[str, str] = {
    "/data/": "{root}/data/",
    "/mnt/": "{root}/mnt/",
    "http://127.0.0.1:8765": "{web}",
    "http://localhost:8765": "{web}",
}

#: The same, on one page. {said}: the line that the command before wrote last.
PLACES_OF: dict[str, dict[str, str]] = {
    "README.md": {"draft FRAME.fits": "draft {own}/first.fits", "FRAME.fits": "{frame}"},
    "alerts.md": {"#a1b2c3": "{alert}"},
    "api.md": {"since=2026-01-01": "since=2024-01-01"},
    "archives.md": {'host = "ftp.example.org"': 'host = "127.0.0.1"\nport = {ftp}',
                    "ftp.example.org answers": "127.0.0.1 answers"},
    "atel.md": {"2026-11-20": "2024-03-10"},
    "getting-started.md": {'index = ["index"]': 'index = ["{index}"]'},
    "instruments.md": {"caf-20250913-21:43:38-sci-agui.fits": "{frame}"},
    "operations.md": {"iop4d-Sierra-20261128T123000Z.tar.gz": "*.tar.gz"},
    "results.md": {"explain 19": "explain {polarised}", "1959+650 2": "2200+420 C"},
    "service.md": {"1234 1240": "1 2", "1234": "1", "--as iop4d": "--as nobody"},
    "triggers.md": {"end 3": "end 1", "$TOKEN": "{said}"},
    "web.md": {"iop4d_rAnd0m...": "{said}"},
}

#: What is typed when a command asks.
ANSWERS: dict[Command, str] = {
    ("alerts.md", "iop4d rules new"): "\n" * 12,
    ("alerts.md", "iop4d users add"): "a-long-password\na-long-password\n",
    ("operations.md", "iop4d prune"): "y\n",
    ("web.md", "iop4d users add"): "a-long-password\na-long-password\n",
    ("web.md", "iop4d users remove"): "y\n",
}

#: Exit codes besides 0 with which a command does what its page says.
CODES: dict[Command, int] = {}

#: (page, language) of blocks that another test runs.
CHECKED_ELSEWHERE: dict[Command, str] = {
    ("library.md", "python"): "tests/library/test_public.py",
    ("web.md", "nginx"): "tests/real_servers/behind_proxy.py",
    ("web.md", "caddy"): "tests/real_servers/behind_proxy.py",
}

#: Words of sentences that stand where a command could.
PLACEHOLDERS = ("...", "COMMAND")


def looked_up(table: dict[Command, T], page: str, text: str) -> T | None:
    """What a table says of a command."""
    return next((value for (where, start), value in table.items()
                 if where == page and text.startswith(start)), None)
