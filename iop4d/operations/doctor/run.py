"""All checks, one after the other: a check that cannot look is a finding, too."""

from __future__ import annotations

from collections.abc import Iterator

from iop4d.model.errors import Iop4dError
from iop4d.operations.doctor import data, folders, machine, outside, program
from iop4d.operations.doctor.findings import Check, Finding, Surroundings, fault
from iop4d.store.kind import StoreUnavailableError

CHECKS: dict[str, Check] = {
    "versions": program.versions, "site file": program.site_file, "units": program.units_of_site,
    "daemon": data.daemon, "nodes": data.shared, "store": data.store, "files": data.missing_files,
    "catalogue": data.targets, "backups": data.backups, "folders": folders.folders,
    "disk": machine.disk, "clock": machine.clock,
    "inotify": machine.watches, "index files": data.index_files,
    "credentials": outside.credentials, "archives": outside.archives,
    "channels": outside.channels, "triggers": outside.triggers,
}


def examine(around: Surroundings) -> Iterator[Finding]:
    """What every check finds."""
    for name, check in CHECKS.items():
        try:
            yield from check(around)
        except StoreUnavailableError as error:  # the check of the database says it once
            if name == "store":
                yield fault(name, str(error), "do that, then: iop4d doctor")
        except (Iop4dError, OSError) as error:
            yield fault(name, f"it cannot be looked at: {error}",
                        "run the command as the account of the daemon, or mend what it says")
