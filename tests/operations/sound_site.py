"""A site in which nothing is wrong, for troubles to be planted in."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from iop4d.config.load import load_site
from iop4d.model.source import Source, SourceKind
from iop4d.operations import backup
from iop4d.operations.doctor.findings import Finding, Level, Surroundings
from iop4d.operations.doctor.run import examine
from iop4d.simulator.sky import index_folder
from iop4d.store import catalogue, disk_history
from iop4d.store.database import Database
from iop4d.store.status import beat
from iop4d.system.lock import SiteLock

NOW = 1.8e9
DAY = 86400.0
SITE = """\
[astrometry]
index = ["{index}"]
[[archive]]
name = "T090"
path = "raw/T090"
[[archive]]
name = "away"
path = "raw/away"
[[channel]]
name = "mail"
to = ["a@example.org"]
host = "127.0.0.1"
port = {port}
tls = "starttls"
ca_file = "{certificate}"
user = "u"
password_file = "password"
[[rule]]
name = "bright"
source = "3C345"
condition = "mag < 13"
channels = ["mail"]
"""


class Lab:
    """A sound site, with a daemon that runs as far as anybody can see."""

    def __init__(self, root: Path, port: int, certificate: Path) -> None:
        self.root = root
        for name in ("raw/T090/2026-01-01", "raw/away", "masters", "proc/sys/fs/inotify", "units"):
            (root / name).mkdir(parents=True)
        self.limit = root / "proc/sys/fs/inotify/max_user_watches"
        self.limit.write_text("1000")
        self.write_site(SITE.format(index=index_folder(), port=port,
                                    certificate=certificate))
        (root / "password").write_text("canary")
        (root / "password").chmod(0o600)
        self.database = Database(root / "iop4d.db")
        with self.database.write() as tx:
            catalogue.save(tx, [
                Source(name="3C345", ra_deg=250.745, dec_deg=39.810, kind=SourceKind.TARGET,
                       calibrates=(), magnitudes={}),
                Source(name="3C345 A", ra_deg=250.75, dec_deg=39.82, kind=SourceKind.CALIBRATOR,
                       calibrates=("3C345",), magnitudes={"R": (15.0, 0.02)})])
            beat(tx, {"state": "running", "beat_at": NOW - 1, "pid": 1, "archives": [],
                      "version": metadata.version("iop4d")})
            for day in range(5):
                disk_history.note(tx, NOW - (4 - day) * DAY, 100 * 10**9)
        backup.make(load_site(root), root / "backups", now=NOW - DAY)
        self.lock = SiteLock(root / "iop4d.lock")
        self.free = 100 * 10**9

    def write_site(self, text: str) -> None:
        (self.root / "iop4d.toml").write_text(text)

    def around(self) -> Surroundings:
        return Surroundings(
            site=load_site(self.root, has_indexes=False, skip_wrong_rules=True),
            clock=lambda: NOW, free=lambda _: self.free, is_clock_kept=lambda: True,
            kind_of=lambda _: "ext4", proc=self.root / "proc", unit_folders=(self.root / "units",))

    def bad(self, around: Surroundings | None = None) -> list[Finding]:
        return [one for one in examine(around or self.around()) if one.level is not Level.GOOD]

    def only(self, check: str, around: Surroundings | None = None) -> list[Finding]:
        """What a check finds, where nothing else is wrong."""
        found = self.bad(around)
        assert {one.check for one in found} <= {check}, found
        assert all(one.do for one in found)
        return found
