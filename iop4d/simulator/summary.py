"""What came of a simulated night, compared with what is true, on one screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table

from iop4d.store.database import Database
from iop4d.store.schema import Alert, Frame, Result
from iop4d.store.status import TROUBLE


def truths(path: Path) -> Iterator[dict[str, Any]]:
    """The truth of each light frame."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def of_site(folder: Path, mails: int) -> Group:
    """The summary, to be printed."""
    true = {truth["name"]: truth for path in sorted(folder.glob("truth*.jsonl"))
            for truth in truths(path)}
    with Database(folder / "iop4d.db", read_only=True).connected():
        frames, results = list(Frame.select()), list(Result.select().order_by(Result.jd_mid))
        alerts = list(Alert.select())
    states: dict[str, int] = {}
    for frame in frames:
        states[frame.state] = states.get(frame.state, 0) + 1
    latencies = [frame.info["latency_s"] for frame in frames if "latency_s" in frame.info]
    lines = [
        "",
        "frames   " + (", ".join(f"{n} {s}" for s, n in sorted(states.items())) or "none"),
        f"latency  median {median(latencies):.2f} s, longest {max(latencies):.2f} s from a "
        "frame's last byte to its result" if latencies else "latency  no frame was reduced",
        f"alerts   {len(alerts)}, mails {mails}",
    ]
    lines += [f"failed   {frame.name}: {frame.reason}" for frame in frames
              if frame.state in TROUBLE][:10]
    return Group(*lines, _table(results, true))


def _table(results: list[Result], true: dict[str, dict[str, Any]]) -> Table:
    table = Table("source", "band", "points", "last mag", "error", "off truth",
                  "groups", "last p", "off truth", title="medians off the truth")
    for source, band in sorted({(result.source, result.band) for result in results}):
        mine = [r for r in results if (r.source, r.band) == (source, band) and r.mag is not None]
        if not mine:
            continue
        off = [r.mag - true[r.frames[0]]["target_mag"] for r in mine if r.frames[0] in true]
        table.add_row(source, band, str(len(mine)), f"{mine[-1].mag:.3f}",
                      f"{mine[-1].mag_err:.3f}", f"{median(off):+.4f}" if off else "",
                      *_polarisation(mine, true))
    return table


def _polarisation(results: list[Result], true: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    mine = [r for r in results if r.p is not None]
    if not mine:
        return ("", "", "")
    off = [r.p - true[r.frames[0]]["p"] for r in mine if true.get(r.frames[0], {}).get("p")]
    return (str(len(mine)), f"{100 * mine[-1].p:.2f} %",
            f"{100 * median(off):+.2f} %" if off else "")
