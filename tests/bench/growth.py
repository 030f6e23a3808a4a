"""Grows a site: what its frames left behind is copied, night by night into the past, by SQL alone.

The rows are those that real frames made, with other names, nights and times; each frame gets
several results, one of its own source and others of sources that are made up. Indexes are dropped
meanwhile and made again, so that a million frames take minutes; long texts of JSON are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from iop4d.config.store import ServerPlace
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Job, Measurement, Result, ResultFrame, Series
from iop4d.store.table import Table

RESULTS = 5  # of each frame
_OTHERS = 20  # sources that are made up
_COPIES = 19  # in each night, where nothing else is said
_STEP = 0.02  # days from one copy to the next
_EVENTS = 20_000  # as many as are kept
_LARGE = (Frame, Job, Measurement, Result, ResultFrame, Series)
_ARCHIVE = "grown"  # of the frames that are made
_SHIFTED = ("jd_start", "jd_mid", "bjd_tdb")
_MOMENTS = ("completed_at", "seen_at", "changed_at", "created_at")


class Grower:
    """Makes rows of a database that no daemon uses meanwhile."""

    def __init__(self, database: Database, *, copies: int = _COPIES) -> None:
        """``copies``: in each night, of each frame."""
        self._database = database
        self._copies = copies
        self._is_server = isinstance(database.place, ServerPlace)

    def _do(self, text: str, *values: object) -> list[tuple]:  # type: ignore[type-arg]
        cursor = self._database.db.execute_sql(self._database.kind.sql(text), values)
        return list(cursor.fetchall()) if cursor.description else []

    def grow(self, frames: int) -> int:
        """Have so many science frames at least; how many there are."""
        with self._database.read():
            (have,), = self._do("SELECT COUNT(*) FROM frame WHERE kind = 'science'")
            own = [id_ for id_, in self._do(
                "SELECT f.id FROM frame f JOIN resultframe x ON x.frame_id = f.id JOIN result r "
                "ON r.id = x.result_id WHERE f.archive <> ? AND f.state = 'done' "
                "AND r.mode = 'photometry' ORDER BY f.id LIMIT 21", _ARCHIVE)]
            copies = -(-(frames - have) // len(own))
            if copies > 0:
                with self._without_indexes():
                    self._copy(own, copies)
        return int(have + max(copies, 0) * len(own))

    def _copy(self, own: list[int], copies: int) -> None:
        self._numbers(own, copies)
        self._do("BEGIN")
        (first_frame,), (first_result,), (first_series,) = (
            self._do(f"SELECT MAX(id) FROM {name}")[0] for name in ("frame", "result", "series"))
        frame = f"{first_frame} + (c.k - c.base) * {len(own)} + o.place"
        self._frames(frame)
        self._into(Job, {"key": frame, "state": "'done'", "changed_at": "0"}, of="o.frame_id",
                   by="key", where="x.kind IN ('classify', 'reduce')")
        self._into(Measurement, {"frame_id": frame, "growth": "'[]'"}, of="o.frame_id",
                   by="frame_id")
        result = f"{first_result} + ((c.k - c.base) * {len(own)} + o.place) * {RESULTS} + s.j"
        self._into(Result, {
            "id": result, "key": "c.k || '/' || s.j || '/' || x.key", "night": "c.night",
            "source": f"CASE s.j WHEN 0 THEN x.source ELSE 'Field ' || "
                      f"((o.place * {RESULTS} + s.j) % {_OTHERS}) END",
            "mag": "x.mag + ((c.k * 7919 + s.j) % 100) * 0.0001",
            "calibrators": "CASE s.j WHEN 0 THEN x.calibrators ELSE '[]' END"},
            of="o.result_id", by="id", more="CROSS JOIN bench_source s")
        self._do(f"INSERT INTO resultframe (result_id, frame_id) SELECT {result}, {frame} "
                 "FROM bench_copy c CROSS JOIN bench_original o CROSS JOIN bench_source s")
        self._do("INSERT INTO series (key, source, instrument, telescope, band, night, n_frames, "
                 "changed_at) SELECT DISTINCT telescope || '/' || instrument || '/' || night || "
                 "'/' || band || '/' || source, source, instrument, telescope, band, night, 20, "
                 "0.0 FROM result WHERE id > ?", first_result)
        self._do("INSERT INTO job (kind, key, state, priority, attempts, crashes, not_before, "
                 "again, reason, changed_at) SELECT 'calibrate', s.id, 'done', 40, 1, 0, 0, "
                 "o.again, '', 0 FROM series s CROSS JOIN (SELECT again FROM job LIMIT 1) o "
                 "WHERE s.id > ?", first_series)
        self._do("DELETE FROM resultchange WHERE id <= (SELECT MAX(id) FROM resultchange) - 50000")
        self._do("COMMIT")
        for name in ("bench_copy", "bench_original", "bench_source"):
            self._do(f"DROP TABLE {name}")
        for table in ("frame", "result"):
            self._database.kind.note_keys(table, "id")

    def _frames(self, frame: str) -> None:
        self._into(Frame, {
            "id": frame, "archive": f"'{_ARCHIVE}'", "night": "c.night",
            "name": "c.k || '-' || x.name",
            "path": "'/nowhere/' || c.night || '/' || c.k || '-' || x.name",
            "identity": "x.telescope || '/' || c.night || '/' || c.k || '-' || x.name",
            "sha256": "c.k || '-' || x.sha256", "exposure": "c.k || '-' || x.exposure",
            "info": "o.info"}, of="o.frame_id", by="id")

    def _numbers(self, own: list[int], copies: int) -> None:
        """The tables of the copies, the originals and the results of each frame."""
        (last,), = self._do("SELECT MIN(night) FROM frame WHERE archive <> ?", _ARCHIVE)
        (before,), = self._do("SELECT COUNT(DISTINCT night) FROM frame WHERE archive = ?", _ARCHIVE)
        base = before * self._copies
        self._do("CREATE TABLE bench_copy (k INTEGER, base INTEGER, night TEXT, "
                 "shift DOUBLE PRECISION)")
        self._do("CREATE TABLE bench_original (frame_id INTEGER, place INTEGER, result_id INTEGER, "
                 "info TEXT)")
        self._do("CREATE TABLE bench_source (j INTEGER)")
        self._do("BEGIN")
        for k in range(base, base + copies):
            nights, turn = divmod(k, self._copies)
            night = date.fromisoformat(last) - timedelta(days=nights + 1)
            self._do("INSERT INTO bench_copy VALUES (?, ?, ?, ?)", k, base, night.isoformat(),
                     nights + 1 - turn * _STEP)
        for place, id_ in enumerate(own, 1):
            (info,), = self._do("SELECT info FROM frame WHERE id = ?", id_)
            self._do("INSERT INTO bench_original SELECT ?, ?, MIN(r.id), ? FROM resultframe x "
                     "JOIN result r ON r.id = x.result_id WHERE x.frame_id = ? "
                     "AND r.mode = 'photometry'", id_, place, _shorter(info), id_)
        for j in range(RESULTS):
            self._do("INSERT INTO bench_source VALUES (?)", j)
        self._do("COMMIT")

    def _into(self, table: type[Table], other: Mapping[str, str], *, of: str, by: str,
              more: str = "", where: str = "") -> None:
        """Copy rows of a table, with other values in some columns and all times shifted."""
        meta: Any = table._meta
        columns = {field.column_name: f"x.{field.column_name}" for field in meta.sorted_fields}
        columns |= {name: f"x.{name} - c.shift" for name in _SHIFTED if name in columns}
        columns |= {name: f"x.{name} - c.shift * 86400" for name in _MOMENTS if name in columns}
        columns |= other
        if "id" not in other:
            columns.pop("id", None)
        self._do(f"INSERT INTO {meta.table_name} ({', '.join(columns)}) "
                 f"SELECT {', '.join(columns.values())} FROM bench_copy c "
                 f"CROSS JOIN bench_original o {more} CROSS JOIN {meta.table_name} x "
                 f"WHERE x.{by} = {of}" + (f" AND {where}" if where else ""))

    @contextmanager
    def _without_indexes(self) -> Iterator[None]:
        """Drop what costs time at each row, and make it again."""
        tables = ", ".join(f"'{table._meta.table_name}'" for table in _LARGE)
        if self._is_server:
            self._do("SET session_replication_role = replica")  # no triggers, no foreign keys
            self._do("SET maintenance_work_mem = '512MB'")
            found = self._do(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
                f"AND tablename IN ({tables}) AND indexname NOT IN "
                "(SELECT conname FROM pg_constraint)")
        else:
            for pragma in ("journal_mode = off", "foreign_keys = off", "synchronous = off",
                           "cache_size = -400000", "temp_store = file"):
                self._do(f"PRAGMA {pragma}")
            found = self._do(f"SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND "
                             f"(type = 'trigger' OR type = 'index' AND tbl_name IN ({tables}))")
        # The key of a job serves to find those of the frames that are copied.
        found = [(name, text) for name, text in found if name not in (
            "job_kind_key", "measurement_frame_id_source_beam")]
        for name, text in found:
            self._do(f'DROP {"TRIGGER" if "TRIGGER" in text[:20] else "INDEX"} "{name}"')
        yield
        for _, text in found:
            self._do(text)
        if self._is_server:
            self._do("SET session_replication_role = DEFAULT")
            # Else the server does it by itself within minutes, while frames are measured.
            self._do("VACUUM (ANALYZE)")
            self._do("CHECKPOINT")
        else:
            self._do("PRAGMA journal_mode = wal")


def _shorter(info: str) -> str:
    """What is known of a frame without its longest parts, which no query asks for."""
    return json.dumps({name: value for name, value in json.loads(info).items()
                       if name not in ("solution", "wcs_ordinary", "stages")})
