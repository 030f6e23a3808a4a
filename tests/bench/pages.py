"""What the pages cost on a large database, and whether they hold under load. ``make bench-pages``.

The database has 500 nights: 25,000 frames and 150,000 results, 54,000 of them of one source; with
``--large`` 4,000 nights: 200,000 frames and 1,000,000 results, 360,000 of one source, at which an
address may cost twice as much. The site is served by a process of its own, whose processor time and
memory are read from /proc.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from rich.console import Console

from iop4d.store import catalogue, catalogue_csv
from iop4d.store.database import Database
from tests.bench.panning import panned
from tests.web.browser import CHROMIUM, Browser

_NIGHTS = 500
_LARGE = {"frames": 200_000, "results": 640_000, "more": 360_000, "nights": 4000}
_TELESCOPES = {"OSN-T090": "AndorT90", "OSN-T150": "AndorT150", "CAHA-T220": "CAFOS"}
_REASON = "no astrometric solution: 7 stars found, 3 quads tried with the index, none matched"
_TICK = os.sysconf("SC_CLK_TCK")
#: Columns of JSON, which SQLite does not tell from text.
_JSON = {"masters": "[]", "info": "{}", "methods": "[]", "human_flags": "[]", "frames": "[]",
         "calibrators": "[]", "points": "[]", "detector": "{}"}


def make_site(root: Path, *, frames: int = 25_000, results: int = 96_000,
              more: int = 54_000, nights: int = _NIGHTS) -> tuple[str, str]:
    """A site with a large database; the names of a usual source and of the longest one."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "iop4d.toml").write_text('[site]\nname = "large"\n')
    database = Database(root / "iop4d.db")
    with database.write() as tx:
        catalogue.save(tx, catalogue_csv.parse(catalogue_csv.builtin("blazars")))
        names = [source.name for source in catalogue.load(tx).sources
                 if source.kind.value == "target"][:25]
    database.close()
    with closing(sqlite3.connect(root / "iop4d.db")) as db:
        db.execute("pragma synchronous=off")
        pick, now = random.Random(1), time.time()
        _insert(db, "frame", _frames(names, frames, nights, now))
        _insert(db, "job", ({"kind": "reduce", "key": index + 1, "state": "done",
                             "changed_at": now} for index in range(frames)))
        _insert(db, "result", _results(names[:-1], results, frames, nights, 0, pick, now))
        _insert(db, "result", _results(names[-1:], more, frames, nights, results, pick, now))
        db.execute("insert into resultframe(result_id, frame_id) "
                   "select id, 1 + (id - 1) * ? / ? from result", (frames, results + more))
        _insert(db, "event", iter([{"at": now, "kind": "frame", "content": "{}"}] * 2000))
        _insert(db, "alert", (
            {"rule": "high", "source": names[i % len(names)], "band": "R",
             "episode": 1 + i // len(names), "state": "resolved" if i > 5 else "firing",
             "condition": "mag < 13.2", "severity": "notice", "value": 13.1,
             "fired_jd": 2461000.0 + i, "points": json.dumps([1 + i]),
             "fired_at": now - (500 - i) * 80_000,
             "resolved_at": now - (500 - i) * 80_000 + 9000} for i in range(500)))
        db.commit()
        db.execute("analyze")
        db.commit()
    return names[0], names[-1]


def _insert(db: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Rows of the same columns, with what the table demands and they do not give."""
    first = next(rows)
    needed = {name: _JSON.get(name, "" if kind in ("TEXT", "VARCHAR(255)") else 0)
              for _, name, kind, not_null, _, key in db.execute(f"pragma table_info({table})")
              if not_null and not key}
    columns = list(needed | first)
    db.executemany(f"insert into {table}({','.join(columns)}) "
                   f"values({','.join('?' * len(columns))})",
                   ([(needed | row)[name] for name in columns] for row in chain([first], rows)))


def _moment(night: int, slot: int, nights: int, now: float) -> tuple[float, str]:
    at = now - (nights - night) * 86_400 + slot * 600
    return at, time.strftime("%Y-%m-%d", time.gmtime(at - 43_200))


def _frames(names: list[str], count: int, nights: int, now: float) -> Iterator[dict[str, Any]]:
    for i in range(count):
        telescope = list(_TELESCOPES)[i % 3]
        at, night = _moment(i * nights // count, i % 40, nights, now)
        name = f"{names[i % len(names)]}-{i:06d}R.fit"
        yield {
            "id": i + 1, "archive": telescope, "path": f"/nowhere/{name}", "telescope": telescope,
            "night": night, "name": name, "version": 1, "identity": f"{telescope}/{night}/{name}",
            "size": 8_392_320, "mtime_ns": int(at * 1e9), "sha256": f"{i:064x}",
            "state": "done" if i % 50 else ("failed", "rejected", "quarantined")[i // 50 % 3],
            "reason": "" if i % 50 else _REASON, "kind": "science",
            "instrument": _TELESCOPES[telescope], "band": "R", "object": names[i % len(names)],
            "mode": "photometry", "exptime_s": 60.0, "jd_start": at / 86_400 + 2440587.5,
            "completed_at": at, "seen_at": at, "changed_at": at + 10, "beams": 1,
            "info": json.dumps({"fwhm_arcsec": 2.1, "sky": 100.0, "bjd_tdb": 2461000.5})}


def _results(names: list[str], count: int, frames: int, nights: int, first: int,
             pick: random.Random, now: float) -> Iterator[dict[str, Any]]:
    for i in range(count):
        frame, source, telescope = i * frames // count, names[i % len(names)], \
            list(_TELESCOPES)[i * frames // count % 3]
        night_number = frame * nights // frames
        at, night = _moment(night_number, frame % 40, nights, now)
        at += pick.random() * 500
        p = 0.08 + 0.02 * math.sin(night_number / 10) if i % 5 == 0 else None
        yield {
            "id": first + i + 1, "key": f"large/{first + i}", "source": source,
            "telescope": telescope, "instrument": _TELESCOPES[telescope], "night": night,
            "mode": "photometry" if p is None else "polarimetry",
            "band": "BVRI"[i // len(names) % 4], "jd_mid": at / 86_400 + 2440587.5,
            "bjd_tdb": at / 86_400 + 2440587.503, "exptime_s": 60.0,
            "mag": 14.0 + 0.4 * math.sin(night_number / 30) + pick.gauss(0, 0.02), "mag_err": 0.02,
            "zero_point": 22.1, "zero_point_err": 0.01, "n_calibrators": 4, "p": p,
            "p_err": p and 0.004, "p_debiased": p and p - 1e-4, "p_limit": None,
            "chi_deg": p and night_number * 3 % 180, "chi_err_deg": p and 2.0,
            "fwhm_arcsec": 2.1, "airmass": 1.2, "flags": 0 if i % 17 else 2,
            "frames": json.dumps([f"{source}-{frame:06d}R.fit"]),
            "calibrators": json.dumps([
                {"source": f"{source} {star}", "zero_point": 22.1, "zero_point_err": 0.01,
                 "weight": 1.0, "why_not": ""} for star in "ABCD"]),
            "software": "0.1.0", "revision": 1, "created_at": at, "changed_at": at}


@dataclass(frozen=True)
class Served:
    """A site that is being served."""

    address: str
    pid: int

    def get(self, path: str, **headers: str) -> tuple[int, bytes, Any]:
        """Status, body as it came, and headers."""
        with closing(http.client.HTTPConnection(urlsplit(self.address).netloc,
                                                timeout=300)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    @property
    def cpu_s(self) -> float:
        """Processor seconds that the server has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def rss_mb(self) -> float:
        """Memory of the server."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def served(root: Path) -> Iterator[Served]:
    """Serve a site from a process of its own."""
    command = [sys.executable, "-m", "iop4d", "--site", str(root), "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield Served(line.split()[-1].rstrip("/"), process.pid)
        finally:
            process.terminate()
            process.wait(20)


def _paths(source: str, longest: str) -> list[str]:
    night = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * 3))
    one, many = quote(source), quote(longest)
    return ["/", "/sources", f"/sources/{one}", f"/api/curves?source={one}",
            f"/api/curves?source={many}", f"/curves.svg?source={one}", f"/api/sources/{one}/points",
            f"/api/sources/{many}/points", f"/api/results?source={one}", "/api/results",
            "/data/results", f"/data/results?source={many}&band=R", "/data/results?flags.has=edge",
            "/data/results?sort=-mag", "/data/frames", "/data/frames?name.matches=0001.R",
            "/data/jobs",
            "/api/v1/results", f"/api/v1/results?source={many}", "/api/v1/frames",
            f"/api/v1/sources/{many}/points?limit=4000", "/api/v1/results/1",
            "/api/v1/frames/1", "/nights", f"/nights/{night}", "/failed", "/alerts", "/frames/1",
            "/results/1",
            "/api/status", "/healthz", "/api/live",
            *(f"/fragments/{name}" for name in ("banner", "health", "firing", "tonight-sources",
                                                "telescopes", "trouble")),
            "/system", "/fragments/system/state"]


#: CPU ms that an address may cost at 150,000 results, by how it begins; the first that fits.
_LIMITS = (
    ("/api/curves", 60), ("/curves.svg", 60), ("/api/v1/sources/", 60), ("/api/v1/results/", 25),
    ("/api/v1/frames/", 25), ("/api/v1/", 60), ("/api/results", 60), ("/sources", 40),
    ("/data/", 40), ("/nights", 40), ("/failed", 40), ("/alerts", 40), ("/frames/", 25),
    ("/results/", 25), ("/api/", None), ("/healthz", None), ("/fragments/", 40), ("/system", 40),
    ("/", 40))


def limit_of(path: str, *, large: bool = False) -> float | None:
    """CPU ms that an address may cost; None without a limit."""
    most = next(most for begins, most in _LIMITS if path.startswith(begins))
    return None if most is None else most * (2 if large else 1)


def costs(site: Served, paths: list[str], repeat: int) -> list[tuple[str, float, float, float]]:
    """Of each address: processor ms, median ms, and kB as they came."""
    found = []
    for path in paths:
        site.get(path)
        before, times, body = site.cpu_s, [], b""
        for _ in range(repeat):
            start = time.perf_counter()
            status, body, _ = site.get(path, **{"Accept-Encoding": "gzip"})
            times.append(time.perf_counter() - start)
            # Without a daemon the site is not well, which is its answer there.
            assert status == 200 or path == "/healthz", (path, status)
        found.append((path, 1e3 * (site.cpu_s - before) / repeat, 1e3 * statistics.median(times),
                      len(body) / 1e3))
    return found


def storm(site: Served, path: str = "/api/results", many: int = 33, seconds: float = 10.0,
          ) -> dict[str, float]:
    """Many heavy requests at once, for some seconds: how /healthz answers, and the memory."""
    stop, statuses, lock = threading.Event(), dict[int, int](), threading.Lock()

    def ask() -> None:
        while not stop.is_set():
            status, _, headers = site.get(path)
            with lock:
                statuses[status] = statuses.get(status, 0) + 1
            if status == 503:
                stop.wait(float(headers.get("Retry-After", 1)))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(many)]
    for thread in threads:
        thread.start()
    times, most, end = [], 0.0, time.monotonic() + seconds
    time.sleep(0.05)
    while time.monotonic() < end:
        start = time.perf_counter()
        site.get("/healthz")
        times.append(1e3 * (time.perf_counter() - start))
        most = max(most, site.rss_mb)
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join(120)
    times.sort()
    return {"looks": len(times), "median_ms": statistics.median(times),
            "p99_ms": times[min(len(times) - 1, int(0.99 * len(times)))], "most_ms": times[-1],
            "rss_mb": most, "answered": statuses.get(200, 0), "refused": statuses.get(503, 0)}


def _taken(site: Served, path: str, count: int) -> list[float]:
    """How long each of some requests took, ms."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        site.get(path)
        times.append(1e3 * (time.perf_counter() - start))
        time.sleep(0.02)
    return sorted(times)


def beside_streams(site: Served, database: Path, many: int = 40, count: int = 40,
                   ) -> dict[str, float]:
    """How long /healthz and Tonight take without and with many open streams, of which each gets
    ten events a second, and how many streams got all of them."""
    found: dict[str, float] = {}
    for path, name in (("/healthz", "healthz"), ("/", "tonight")):
        found[f"{name}_alone_ms"] = statistics.median(_taken(site, path, count))
    got, stop, left = [0] * many, threading.Event(), threading.Event()

    def listen(number: int) -> None:
        with closing(http.client.HTTPConnection(urlsplit(site.address).netloc,
                                                timeout=60)) as connection:
            connection.request("GET", "/events")
            answer = connection.getresponse()
            while answer.status == 200 and not left.is_set():
                line = answer.readline()
                got[number] += line.startswith(b"id:")

    listening = [threading.Thread(target=listen, args=(i,), daemon=True) for i in range(many)]
    for one in listening:
        one.start()
    time.sleep(2.0)
    sent = 0

    def emit() -> None:
        nonlocal sent
        with closing(sqlite3.connect(database, timeout=30)) as db:
            while not stop.is_set():
                db.execute("insert into event(at, kind, content) values(?, 'frame', '{}')",
                           (time.time(),))
                db.commit()
                sent += 1
                stop.wait(0.1)

    sender = threading.Thread(target=emit)
    sender.start()
    most = 0.0
    for path, name in (("/healthz", "healthz"), ("/", "tonight")):
        times = _taken(site, path, count)
        found[f"{name}_beside_ms"] = statistics.median(times)
        found[f"{name}_most_ms"] = times[-1]
        most = max(most, site.rss_mb)
    stop.set()
    sender.join()
    time.sleep(1.5)  # what was sent last is on its way
    left.set()
    return found | {"rss_mb": most, "events": sent, "streams": sum(n >= sent for n in got)}


def idle(site: Served, many: int = 600) -> float:
    """Seconds that a page takes while many connections are open and idle; NaN if it never came."""
    where = urlsplit(site.address)
    assert where.hostname
    assert where.port
    held = []
    try:
        for _ in range(many):
            one = socket.create_connection((where.hostname, where.port), timeout=5)
            one.sendall(f"GET /healthz HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            held.append(one)
        time.sleep(1.0)
        start = time.perf_counter()
        with closing(http.client.HTTPConnection(where.netloc, timeout=8)) as connection:
            connection.request("GET", "/")
            try:
                connection.getresponse().read()
            except OSError:
                return math.nan
        return time.perf_counter() - start
    finally:
        for one in held:
            one.close()


def main() -> None:
    """Make the database, serve it, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the site here, and use it again")
    parser.add_argument("--no-load", action="store_true", help="the costs alone")
    parser.add_argument("--large", action="store_true", help="1,000,000 results, 200,000 frames")
    wanted, console = parser.parse_args(), Console(width=140, soft_wrap=True, highlight=False)
    with tempfile.TemporaryDirectory() as temporary:
        root = wanted.folder or Path(temporary)
        if (root / "names.json").exists():
            names = json.loads((root / "names.json").read_text())
        else:
            names = make_site(root, **_LARGE if wanted.large else {})
            (root / "names.json").write_text(json.dumps(names))
        with served(root) as site:
            console.print("| address | CPU ms | at most | median ms | kB sent |\n"
                          "|---|---|---|---|---|")
            over = 0
            for path, cpu, wall, size in costs(site, _paths(*names), wanted.repeat):
                most = limit_of(path, large=wanted.large)
                is_over = most is not None and cpu > most
                over += is_over
                said = f"{most or ''}{' OVER' * is_over}"
                console.print(f"| {path} | {cpu:.0f} | {said} | {wall:.0f} | {size:.1f} |")
            console.print(f"{over} addresses cost more than they may")
            if CHROMIUM.exists():
                with Browser() as browser:
                    for name in names:
                        moved = panned(browser, site.address, name)
                        console.print(f"moving a light curve: {moved}")
            if not wanted.no_load:
                console.print(f"page with 600 idle connections: {idle(site):.2f} s")
        if not wanted.no_load:
            with served(root) as site:
                console.print("33 requests of /api/results at once:", storm(site))
            (root / "iop4d.toml").write_text(
                '[site]\nname = "large"\n[web]\nthreads = 96\nmax_streams = 48\n')
            with served(root) as site:
                console.print("40 streams, beside them:", beside_streams(site, root / "iop4d.db"))


if __name__ == "__main__":
    main()
