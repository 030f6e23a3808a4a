"""Change the code in one place at a time, and see that a test notices: ``make mutants``.

``mutants.toml`` lists the changes. Each is made in a copy of the tree, where the tests that should
notice it are run; one that they let pass survives, and there must be none. A change is found by
its text, which must stand exactly once in the code: one whose text is gone is an error, so that the
list cannot rot.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.toml")
CODE = ("iop4d", "alerts", "instruments", "web")
_LONGEST = 600.0  # seconds of the tests of one mutant; a longer run means that they noticed
_NOTICED, _PASSED = 1, 0  # exit codes of pytest
_A_DAY = 12  # mutants of the short form, a minute's work


class MutantError(Exception):
    """A mutant cannot be made."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change. ``within``: a file or folder of the code, where its text would not be unique."""

    name: str
    old: str
    new: str
    tests: tuple[str, ...]
    within: str = ""

    def place(self, root: Path) -> Path:
        """The file that holds its text, once and alone; raises MutantError."""
        found = [(path, count) for path in code_files(root, self.within)
                 if (count := path.read_text(encoding="utf-8").count(self.old))]
        if len(found) != 1 or found[0][1] != 1:
            where = ", ".join(f"{path.relative_to(root)} ({count})" for path, count in found)
            raise MutantError(f"{self.name}: its text stands in {where or 'no file'}; "
                              "expected exactly one place")
        return found[0][0]


def code_files(root: Path, within: str = "") -> Iterator[Path]:
    """The files of the code, or those of a part of it."""
    for name in (within,) if within else CODE:
        path = root / name
        yield from (path,) if path.is_file() else sorted(path.rglob("*.py"))


def load(path: Path = LIST) -> list[Mutant]:
    """The list."""
    with path.open("rb") as file:
        rows = tomllib.load(file)["mutant"]
    return [Mutant(**{**row, "tests": tuple(row["tests"].split())}) for row in rows]


def copy_tree(target: Path) -> Path:
    """A copy of the code and the tests, with its links as they are."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source, path = ROOT / name, target / name
        if source.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, path, follow_symlinks=False)
    return target


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a mutant. ``how``: the test that noticed it, or what went wrong."""

    mutant: Mutant
    end: str  # noticed, survived, error
    how: str
    seconds: float

    def line(self) -> str:
        """The verdict in one line."""
        return f"{self.end:9} {self.mutant.name:32} {self.seconds:5.0f} s  {self.how}"


def judge(mutant: Mutant, tree: Path) -> Verdict:
    """Make the change in a copy of the tree, run its tests, and undo it."""
    began = time.monotonic()

    def verdict(end: str, how: str) -> Verdict:
        return Verdict(mutant=mutant, end=end, how=how, seconds=time.monotonic() - began)

    try:
        path = mutant.place(tree)
    except MutantError as error:
        return verdict("error", str(error))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
             f"--basetemp={tree.parent / 'pytest'}", *mutant.tests],
            cwd=tree, capture_output=True, text=True, timeout=_LONGEST, check=False,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"})
    except subprocess.TimeoutExpired:
        return verdict("noticed", "its tests came to no end")
    finally:
        path.write_text(text, encoding="utf-8")
    if ran.returncode == _PASSED:
        return verdict("survived", " ".join(mutant.tests))
    if ran.returncode == _NOTICED and (failed := [
            line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
            and "::" in line]):  # a file that cannot even be read has noticed nothing
        return verdict("noticed", failed[0].partition(" - ")[0][:100])
    said = (ran.stdout + ran.stderr)[-300:]
    return verdict("error", f"pytest ended with {ran.returncode}: {said}")


def run(mutants: list[Mutant], *, parallel: int) -> Iterator[Verdict]:
    """Judge them, so many at a time, each in a copy of the tree that is its own meanwhile."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(parallel) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(parallel):
            trees.put(copy_tree(Path(scratch) / str(number) / "tree"))

        def one(mutant: Mutant) -> Verdict:
            tree = trees.get()
            try:
                return judge(mutant, tree)
            finally:
                trees.put(tree)

        yield from pool.map(one, mutants)


def of_day(mutants: list[Mutant], day: int) -> list[Mutant]:
    """Some of them: in so many days as that takes, each one's turn comes."""
    begin = day * _A_DAY
    return [mutants[(begin + number) % len(mutants)] for number in range(min(_A_DAY, len(mutants)))]


def main() -> None:
    """Judge all mutants or those named; exit with 1 if any survives or cannot be made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants [all]")
    parser.add_argument("--short", action="store_true", help=f"{_A_DAY} of them, by the date")
    parser.add_argument("--day", type=int, metavar="N",
                        help="with --short: those of the day N after 1970-01-01 [today, UTC]")
    parser.add_argument("--parallel", type=int, default=2, help="at a time [2]")
    words = parser.parse_args()
    mutants = load()
    if unknown := set(words.names) - {mutant.name for mutant in mutants}:
        parser.error(f"no mutant {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not words.names or mutant.name in words.names]
    if words.short:
        day = int(time.time() // 86400) if words.day is None else words.day
        chosen = of_day(chosen, day)
        print(f"the mutants of {time.strftime('%Y-%m-%d', time.gmtime(86400 * day))} UTC: "
              f"--short --day {day}", flush=True)
    bad = []
    for verdict in run(chosen, parallel=words.parallel):
        print(verdict.line(), flush=True)
        if verdict.end != "noticed":
            bad.append(verdict)
    print(f"{len(chosen)} mutants, {sum(v.end == 'survived' for v in bad)} survived, "
          f"{sum(v.end == 'error' for v in bad)} errors")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
