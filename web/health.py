"""Whether the site works: one line, and what is wrong in short."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.model.states import DaemonState
from iop4d.store.status import Overview

_SAID = {
    DaemonState.SILENT: "the daemon does not respond",
    DaemonState.STOPPED: "the daemon is not running",
    DaemonState.NEVER: "the daemon has never run on this site",
}
_WELL = ("ok", "idle", "paused", "starting")  # states of archives


@dataclass(frozen=True, kw_only=True)
class Health:
    """``state``: good, warn or bad; ``wrong``: why it does not work, if it does not; ``beside``:
    what else is wrong. Each in a few words."""

    state: str
    head: str
    wrong: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that is wrong."""
        return (*self.wrong, *self.beside)

    @property
    def sentence(self) -> str:
        """What is wrong where it is one thing, as a sentence; empty for none and for several."""
        if len(self.all) != 1:
            return ""
        (one,) = self.all
        return f"{one[:1].upper()}{one[1:]}."


def health_of(status: Overview, *, site_file_wrong: bool = False) -> Health:
    """The health of a site. What is wrong is named without details: those stand on System."""
    beside = _beside(status, site_file_wrong=site_file_wrong)
    if (said := _SAID.get(status.daemon)) is not None:
        return Health(state="bad", head="Not working", wrong=(said,), beside=beside)
    if status.daemon is DaemonState.STARTING:
        return Health(state="warn", head="Starting", beside=beside)
    wrong = ("no frame is reduced",) * bool(status.trouble)
    wrong += ("no new work is started",) * bool(status.paused)
    if wrong:
        return Health(state="bad", head="Not working", wrong=wrong, beside=beside)
    if status.daemon is DaemonState.STOPPING:
        return Health(state="warn", head="Stopping", beside=beside)
    if beside:
        return Health(state="bad", head="Working, with trouble", beside=beside)
    return Health(state="good", head="Working")


def _beside(status: Overview, *, site_file_wrong: bool) -> tuple[str, ...]:
    """What is wrong while the rest works; a daemon that does not run knows of no archive."""
    found = [f"archive {archive['name']} is {archive['state']}" for archive in status.archives
             if status.is_up and archive.get("state") not in _WELL]
    broker = status.beat.get("triggers") or {}
    if status.is_up and broker.get("state") == "unreachable":
        found.append("no triggers are received")
    found += [f"the channel {one['channel']} fails" for one in status.undelivered]
    if (status.is_up and status.config_error) or site_file_wrong:
        found.append("the changed site file is wrong and not used")
    if status.is_up and (count := len(status.wrong_rules)):
        found.append(f"{count} rule{'s are' if count > 1 else ' is'} wrong and not used")
    return tuple(found)
