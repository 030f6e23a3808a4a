"""The demo's site: its file, and its archives, a folder and two servers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iop4d.simulator.servers import USER, Server, ftp_server, host_key, sftp_server

SITE = """\
# The demo's site: simulated telescopes whose frames appear in raw/.
[site]
name = "iop4d demo"
url = "{url}"

{archives}
[astrometry]
index = ["{index}"]

[masters]
build_delay = 1.0

[[rule]]
name = "{source} flares"
source = "{source}"
band = "R"
condition = "mag < {alert_mag:.1f}"
clear = "mag > {clear_mag:.1f}"
confirm = 2
severity = "atel"
notify_resolved = true
channels = ["mailbox", "phone"]

[[rule]]
name = "telescopes at work"
condition = "silent > 30 min"
channels = ["mailbox"]

[[channel]]
name = "mailbox"
kind = "email"
to = ["observer@example.org"]
sender = "iop4d@example.org"
host = "127.0.0.1"
port = {mail_port}

[[channel]]
name = "phone"
kind = "telegram"
to = ["7"]
accept_commands = true
api_url = "{bot}"
token_file = "secrets/bot"

[alerts]
retry_wait = 2.0

[atel]
authors = ["A. Observer (iop4d demo)"]
contact = "A. Observer <observer@example.org>"

[summary]
channels = ["mailbox"]

[web]
port = {port}
mailbox = "mailbox"
"""

#: How each telescope's frames come, and its section of the site file.
KINDS = {"OSN-T150": "ftp", "CAHA-T220": "sftp"}
FOLDER = """\
[[archive]]
name = "{name}"
path = "raw/{name}"
telescope = "{name}"
"""
SERVER = """\
[[archive]]
name = "{name}"
kind = "{kind}"
host = "127.0.0.1"
port = {port}
user = "{user}"
password_file = "secrets/{name}"
{more}night_folder = "/{{night:%Y-%m-%d}}"
telescope = "{name}"
poll_interval = 2.0
poll_interval_day = 2.0
settle = 1.0
"""

#: Of servers, and of an account on the page, that only this machine reaches.
_PASSWORD = "starlight"  # noqa: S105
ACCOUNT = ("observer", _PASSWORD)


class DemoArchives:
    """The archives by telescope. Frames of those on a server are put where the server shows them.
    """

    def __init__(self, site: Path, telescopes: Iterable[str]) -> None:
        self._site = site
        self._names = list(dict.fromkeys(telescopes))
        self._servers: dict[str, Server] = {}
        self._pins: dict[str, str] = {}

    def folder(self, name: str) -> Path:
        """Where the cameras of a telescope put their frames."""
        return self._site / ("server" if name in KINDS else "raw") / name

    def start(self) -> None:
        """Make the folders and start the servers."""
        secrets = self._site / "secrets"
        secrets.mkdir(mode=0o700)
        for name in self._names:
            self.folder(name).mkdir(parents=True)
            if name not in KINDS:
                continue
            (secrets / name).touch(mode=0o600)
            (secrets / name).write_text(_PASSWORD, encoding="utf-8")
            if KINDS[name] == "ftp":
                self._servers[name] = ftp_server(self.folder(name), _PASSWORD)
            else:
                key, self._pins[name] = host_key()
                self._servers[name] = sftp_server(self.folder(name), _PASSWORD, key)
            self._servers[name].start()

    def stop(self) -> None:
        """Stop the servers."""
        for server in self._servers.values():
            server.stop()

    def sections(self) -> str:
        """Their sections of the site file."""
        return "\n".join(self._section(name) for name in self._names)

    def _section(self, name: str) -> str:
        if name not in self._servers:
            return FOLDER.format(name=name)
        pin = f'host_key = "{self._pins[name]}"\n' if name in self._pins else ""
        return SERVER.format(name=name, kind=KINDS[name], port=self._servers[name].port, user=USER,
                             more=pin)

    def in_words(self) -> str:
        """A line for the screen."""
        return ", ".join(f"{name} by {KINDS.get(name, 'a folder').upper()}"
                         if name in KINDS else f"{name} in a folder" for name in self._names)
