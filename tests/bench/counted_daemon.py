"""``python -m tests.bench.counted_daemon PID ...`` is ``iop4d ...`` that counts its statements.

At a SIGUSR1 the counts since the last one are written to the file that ``COUNTED_INTO`` names: of
each statement the text, how often it ran, the seconds in all, and the values of its last run.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.ledger.engines.worker import die_with_parent

INTO = "COUNTED_INTO"
_counts: dict[str, list[Any]] = {}


def count_statements() -> None:
    """Count what any database of this process executes, from now on."""
    execute = pw.Database.execute_sql

    def counted(self: pw.Database, sql: str, params: Any = None) -> Any:
        began = time.perf_counter()
        try:
            return execute(self, sql, params)
        finally:
            took = time.perf_counter() - began
            one = _counts.setdefault(sql, [0, 0.0, ()])
            one[0] += 1
            one[1] += took
            one[2] = params

    pw.Database.execute_sql = counted


def _write(*_: object) -> None:
    part = Path(os.environ[INTO])
    beside = part.with_suffix(".part")
    beside.write_text(json.dumps(
        [[text, *one] for text, one in list(_counts.items())], default=str), encoding="utf-8")
    _counts.clear()
    beside.rename(part)


if __name__ == "__main__":
    die_with_parent(int(sys.argv.pop(1)), signal.SIGTERM)
    if INTO in os.environ:
        count_statements()
        signal.signal(signal.SIGUSR1, _write)
    runpy.run_module("iop4d", run_name="__main__")
