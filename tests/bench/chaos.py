"""Everything that can go wrong, again and again: ``make chaos``; ``--short`` for every change.

Kills at random moments, crashes at every named place, damaged files through the true worker, and
the state machine of the ledger. Prints a table and exits with 1 if anything was lost, doubled,
believed that should not be, or left hanging.

With ``--store postgresql`` the sites keep what they know on a server, which is killed as well; the
parts that have nothing to do with the database are left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import damaged_files
from tests.bench.killing import TRUE_KILLS, every_crash_point, fetch_kills, random_kills
from tests.support import real_servers
from tests.support.postgresql import PostgresServer, on_server

_STATE_MACHINE = Path("tests/ledger/test_statemachine.py")
FETCHED_FROM = ("proftpd", "sshd")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything."""

    kills: int
    true_kills: int
    fetch_kills: int  # of each server
    passings: int  # of every crash point
    mutants: int
    poison: int  # frames that are bad for their worker
    examples: str  # of the state machine, x steps; empty: it is left to the tests
    server: PostgresServer | None = None  # of the database; None: a file


LONG = Size(kills=2000, true_kills=100, fetch_kills=1000, passings=25, mutants=3000, poison=1000,
            examples="1500x80")
#: On a server, beside the short form on files.
SHORT_ON_SERVER = Size(kills=24, true_kills=4, fetch_kills=0, passings=1, mutants=0, poison=0,
                       examples="")
SHORT = Size(kills=150, true_kills=TRUE_KILLS, fetch_kills=8, passings=3, mutants=3000, poison=28,
             examples="")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table."""

    name: str
    numbers: dict[str, object]
    seconds: float
    wrong: list[str]


def kills(size: Size, seed: int) -> Iterator[Line]:
    """The daemon is killed at random moments."""
    for name, tally in random_kills(size.kills, seed=seed, true_kills=size.true_kills,
                                    server=size.server):
        server = {"of the server": tally.server_kills} if size.server is not None else {}
        yield Line(name=f"kills, {name}", seconds=tally.seconds, wrong=tally.wrong, numbers={
            "kills": tally.kills, **server, "frames": tally.frames, "results": tally.results,
            "lost": tally.lost, "doubled": tally.doubled, "orphans": tally.orphans,
            "mails": tally.mails, "missing": tally.mails_missing,
            "repeated": tally.mails_repeated})


def fetches(size: Size, seed: int) -> Iterator[Line]:
    """The daemon is killed while it downloads, by FTP over TLS and by SFTP."""
    for server in FETCHED_FROM:
        if real_servers.found(server) is None:
            missing = [f"{server} is not here: make real-servers"]
            yield Line(name=f"kills while {server} serves: skipped", seconds=0.0, numbers={},
                       wrong=missing if real_servers.is_required() else [])
            continue
        tally = fetch_kills(server, size.fetch_kills, seed=seed)
        yield Line(name=f"kills while {server} serves", seconds=tally.seconds, wrong=tally.wrong,
                   numbers={"kills": tally.kills, "frames": tally.frames, "lost": tally.lost,
                            "doubled": tally.doubled, "mails": tally.mails,
                            "missing": tally.mails_missing, "repeated": tally.mails_repeated})


def points(size: Size, _: int) -> Iterator[Line]:
    """The program dies at every named place."""
    crashes = every_crash_point(range(1, size.passings + 1))
    yield Line(name="crash points", seconds=crashes.seconds, wrong=crashes.wrong, numbers={
        "crashes": crashes.crashes, "places": len(crashes.labels),
        "mails repeated": crashes.repeated})


def damaged(size: Size, _: int) -> Iterator[Line]:
    """Damaged files go through the true worker."""
    tally = damaged_files.run(size.mutants, whole=True)
    yield Line(name="damaged files", seconds=tally.seconds, wrong=tally.wrong, numbers={
        "files": tally.outcomes.total(), **dict(sorted(tally.outcomes.items())),
        "unforeseen": tally.unexpected.total(), "restarts": tally.restarts,
        "slowest s": round(tally.slowest, 2), "MB": round(tally.memory_mb)})


def workers(size: Size, _: int) -> Iterator[Line]:
    """Frames kill, hang and fill their workers."""
    done = damaged_files.poison(size.poison)
    yield Line(name="workers", seconds=done.seconds, wrong=done.wrong, numbers={
        "bad frames": done.faults.total(), "kinds": len(done.faults), "good": done.good,
        "set aside": done.set_aside, "MB more": round(done.grown_mb)})


def state_machine(size: Size, _: int) -> Iterator[Line]:
    """Files come and go while everything fails, against a ledger that saw nothing fail."""
    if not size.examples:
        return
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", str(_STATE_MACHINE)], check=False,
        capture_output=True, text=True,
        env={**os.environ, "IOP4D_STATE_MACHINE": size.examples,
             **({"IOP4D_TESTS_ON": "postgresql"} if size.server is not None else {})})
    yield Line(name="state machine", seconds=time.monotonic() - began,
               numbers={"examples x steps": size.examples},
               wrong=ran.stdout.splitlines()[-60:] if ran.returncode else [])


PARTS: dict[str, Callable[[Size, int], Iterator[Line]]] = {
    "kills": kills, "fetches": fetches, "points": points, "damaged": damaged, "workers": workers,
    "machine": state_machine}
_OF_THE_STORE = ("kills", "points", "machine")  # parts that are run on a server


def table(lines: list[Line]) -> Table:
    """All lines, each with its own numbers."""
    grid = Table(title="chaos", title_justify="left")
    for name in ("what", "numbers", "wrong", "s"):
        grid.add_column(name, justify="right" if name in ("wrong", "s") else "left")
    for line in lines:
        numbers = ", ".join(f"{value} {name}" for name, value in line.numbers.items())
        grid.add_row(line.name, numbers, str(len(line.wrong)), f"{line.seconds:.0f}")
    return grid


def main() -> None:
    """Do it all, or what was named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--short", action="store_true", help="what every change has to pass")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite",
                        help="where the sites keep what they know")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be repeated")
    words = parser.parse_args()
    with ExitStack() as stack:
        size, parts = SHORT if words.short else LONG, tuple(words.only or PARTS)
        if words.store == "postgresql":
            server = stack.enter_context(on_server())
            size = replace(SHORT_ON_SERVER if words.short else LONG, server=server)
            parts = tuple(words.only or _OF_THE_STORE)
        lines = _told(size, parts, words.seed)
    sys.exit(any(line.wrong for line in lines))


def _told(size: Size, parts: tuple[str, ...], seed: int) -> list[Line]:
    """Do these parts, and print what comes of them."""
    console = Console(width=140)
    lines: list[Line] = []
    for name in parts:
        for line in PARTS[name](size, seed):
            lines.append(line)
            console.print(f"{line.name}: {len(line.wrong)} wrong, {line.seconds:.0f} s")
    console.print(table(lines))
    for line in lines:
        for wrong in line.wrong:
            console.print(f"{line.name}: {wrong}", markup=False, soft_wrap=True)
    return lines


if __name__ == "__main__":
    main()
