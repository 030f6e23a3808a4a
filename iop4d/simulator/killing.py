"""Kill the daemon again and again while a night comes in: ``make kill-test``.

The same night is reduced by a daemon that nobody disturbs and by one that is killed (SIGKILL) at
random moments and started again. In the end the results must be the same to the last digit, no
frame missing or doubled, and at most one mail more than once for each kill.
"""

from __future__ import annotations

import argparse
import email
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from iop4d.simulator.checks import differences, drop, make_site, results_of, take_night
from iop4d.simulator.mailbox import Mailbox
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.service import Observer, Service
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Frame

RULE = """
[[rule]]
name = "bright"
source = "*"
band = "R"
condition = "mag < 13.35"
clear = "mag > 13.5"
cooldown = 0.2
channels = ["mail"]

[[channel]]
name = "mail"
to = ["observer@example.org"]
host = "127.0.0.1"
port = {port}

[alerts]
retry_first = 0.5
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended."""

    rows: dict[tuple[str, str], dict[str, str]]
    frames: Counter[str]
    mails: Counter[str]  # by Message-ID
    alerts: set[tuple[str, str, str, int]]  # rule, source, band, episode
    kills: int


def run(folder: Path, plan: NightPlan, frames: list[Path], *, kills: int, seed: int) -> Ended:
    """Reduce the night with so many kills while it comes in."""
    mailbox = Mailbox(folder / "mailbox")
    mailbox.start()
    site = make_site(folder / "site", plan, more=RULE.format(port=mailbox.port))
    rng = random.Random(seed)
    service, observer = Service(site, "run"), Observer(site)
    waiting = list(frames)
    killed = 0
    try:
        while killed < kills:
            moment = time.monotonic() + rng.uniform(0.2, 3.5)
            while time.monotonic() < moment:
                if waiting and rng.random() < len(frames) / max(kills, 1) / 8:
                    drop(waiting.pop(0), site / "raw" / plan.night)
                time.sleep(0.1)
            service.kill()
            killed += 1
            _no_orphans(service.process.pid)
            print(f"\r{killed} kills, {len(frames) - len(waiting)} frames", end="",  # noqa: T201
                  file=sys.stderr)
            service.restart()
        for path in waiting:
            drop(path, site / "raw" / plan.night)
        if not observer.wait(len(frames), seconds=300, service=service):
            raise RuntimeError(f"no end: {observer.status()}\n{service.log()[-3000:]}")
        _mails_sent(observer, seconds=60.0)
    finally:
        code = service.stop()
        mailbox.stop()
    if code:
        raise RuntimeError(f"the daemon ended with {code}:\n{service.log()[-3000:]}")
    with Database(site / "iop4d.db", read_only=True).connected():
        states = Counter(f"{row.name} {row.state}" for row in Frame.select())
        alerts = {(a.rule, a.source, a.band, a.episode) for a in Alert.select()}
    messages = [email.message_from_bytes(path.read_bytes()) for path in mailbox.messages()]
    return Ended(rows=results_of(site), frames=states, kills=killed,
                 mails=Counter(str(message["Message-ID"]) for message in messages), alerts=alerts)


def _mails_sent(observer: Observer, *, seconds: float) -> None:
    """Wait until no mail is due any more."""
    deadline = time.monotonic() + seconds
    while observer.status()["mails"].get("queued") and time.monotonic() < deadline:
        time.sleep(0.1)


def _no_orphans(daemon: int) -> None:
    """A second after the kill, none of its workers may live."""
    deadline = time.monotonic() + 1.0
    while orphans(daemon) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = orphans(daemon)
    if left:
        raise RuntimeError(f"workers {left} outlived their daemon by a second")


def orphans(daemon: int) -> list[int]:
    """Worker processes that were started by a daemon, by what their command line says."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "iop4d.work.worker" in words and str(daemon) in words \
                and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def verdict(calm: Ended, killed: Ended) -> list[str]:
    """What is wrong with the run that was killed."""
    wrong = differences(calm.rows, killed.rows)
    if calm.frames != killed.frames:
        wrong.append(f"frames: {calm.frames - killed.frames} missing, "
                     f"{killed.frames - calm.frames} more")
    if calm.alerts != killed.alerts:
        wrong.append(f"alerts: {calm.alerts ^ killed.alerts} in one run only")
    if len(killed.mails) != len(killed.alerts):
        wrong.append(f"mails: {len(killed.mails)} of {len(killed.alerts)}")
    repeated = sum(killed.mails.values()) - len(killed.mails)
    if repeated > killed.kills:
        wrong.append(f"mails: {repeated} repeats in {killed.kills} kills")
    return wrong


def main() -> None:
    """Run both, compare, and exit with 1 if they differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--frames", type=int, default=40, help="light frames of the night")
    parser.add_argument("--seed", type=int, default=5)
    words = parser.parse_args()
    plan = NightPlan(seed=words.seed, fields=("S50716+714", "3C345"), frames=words.frames,
                     n_bias=5, n_flat=5, flare=Flare(start=0.15, rise=0.1, mag=0.4))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = take_night(plan, folder / "night")
        calm = run(folder / "calm", plan, frames, kills=0, seed=0)
        killed = run(folder / "killed", plan, frames, kills=words.kills, seed=words.seed)
    wrong = verdict(calm, killed)
    repeated = sum(killed.mails.values()) - len(killed.mails)
    print(f"\n{killed.kills} kills: {len(killed.rows)} results of {len(calm.rows)}, "  # noqa: T201
          f"{sum(killed.frames.values())} frames of {sum(calm.frames.values())}, "
          f"{len(killed.mails)} mails of {len(calm.mails)}, {repeated} repeated")
    for line in wrong:
        print(line)  # noqa: T201
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
