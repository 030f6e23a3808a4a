"""All checks, one after the other: a check that cannot look is a finding, too."""

from __future__ import annotations

from collections.abc import Iterator

from iop4d.model.errors import Iop4dError
from iop4d.operations.doctor import channels, data, folders, machine, outside, program
from iop4d.operations.doctor.findings import Check, Finding, Surroundings, fault
from iop4d.store.kind import StoreUnavailableError

CHECKS: dict[str, Check] = {
    "versions": program.versions, "site file": program.site_file, "units": program.units_of_site,
    "daemon": data.daemon, "nodes": data.shared, "store": data.store, "files": data.missing_files,
    "catalogue": data.targets, "backups": data.backups, "folders": folders.folders,
    "disk": machine.disk, "clock": machine.clock,
    "inotify": machine.watches, "index files": data.index_files,
    "credentials": outside.credentials, "archives": outside.archives,
    "channels": channels.channels, "triggers": outside.triggers,
}
#: What the site file alone says: without it nothing can be told of these.
_OF_THE_SITE_FILE = {"nodes", "inotify", "index files", "credentials", "archives", "channels",
                     "triggers"}


def examine(around: Surroundings, *, has_site_file: bool = True) -> Iterator[Finding]:
    """What every check finds. ``has_site_file``: whether the site is that of a file, which could be
    read."""
    said: set[str] = set()  # several checks meet the same, and it is said once
    for name, check in CHECKS.items():
        if not has_site_file and name in _OF_THE_SITE_FILE:
            continue
        try:
            yield from check(around)
        except StoreUnavailableError as error:
            if not error.absent and str(error) not in said:
                said.add(str(error))
                yield fault("store", str(error), "mend that, then: iop4d doctor")
        except (Iop4dError, OSError) as error:
            if str(error) in said:
                continue
            said.add(str(error))
            yield fault(name, f"it cannot be looked at: {error}",
                        "run the command as the account of the daemon, or mend what it says")
        # What is damaged makes a check fail in ways that nothing knows before; the others are
        # still to look.
        except Exception as error:  # noqa: BLE001
            yield fault(name, f"it cannot be looked at: {type(error).__name__}: {error}",
                        "if a value in the database is damaged, restore the newest backup that is "
                        "sound: iop4d backup --list, iop4d restore; else please report it")
