"""What a site knows, for tests that run on SQLite's file and on a PostgreSQL server alike."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iop4d.config.store import FilePlace, Place, ServerPlace, place_of_url
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import parse
from iop4d.store.copying import copy
from iop4d.store.database import Database, is_there
from iop4d.store.schema import TABLES


def database_of(site: Path, *, read_only: bool = False) -> Database:
    """The database of a site's folder, whose site file names none."""
    return Database(place_of_url("", site), read_only=read_only)


def has_database(site: Path) -> bool:
    """Whether a site's folder has one already."""
    return is_there(place_of_url("", site))


def copy_database(site: Path, other: Path) -> None:
    """Give a folder what another one's database holds."""
    was, now = place_of_url("", site), place_of_url("", other)
    if isinstance(was, FilePlace) and isinstance(now, FilePlace):
        beside = now.path.with_name("new")
        shutil.copy(was.path, beside)
        beside.rename(now.path)
        return
    one, two = Database(was, read_only=True), Database(now)
    copy(one, two)
    one.close()
    two.close()


def version_of(database: Database) -> int:
    """The version of the tables, as they say it themselves."""
    with database.read() as db:
        return int(db.rows(_VERSION[type(database.place)][0])[0][0])


def set_version(database: Database, version: int) -> None:
    """Have the tables say that they are of another version."""
    database.db.execute_sql(_VERSION[type(database.place)][1].format(version))


_VERSION: dict[type[Place], tuple[str, str]] = {
    FilePlace: ("PRAGMA user_version", "PRAGMA user_version = {}"),
    ServerPlace: ("SELECT value FROM meta WHERE key = 'schema'",
                  "UPDATE meta SET value = '{}' WHERE key = 'schema'")}


@contextmanager
def held_by_another(place: Place) -> Iterator[None]:
    """Another program writes and does not end, as one that was stopped in a debugger."""
    database = Database(place, prepare=False)
    try:
        with database.write():
            yield
    finally:
        database.close()


@contextmanager
def taken_away(place: Place) -> Iterator[None]:
    """The database is not where it was, for a while."""
    if isinstance(place, FilePlace):
        away = place.path.with_name("away")
        place.path.rename(away)
        yield
        away.rename(place.path)
        return
    database = Database(place, prepare=False)
    (name,) = database.db.execute_sql("SELECT current_schema()").fetchone()
    database.db.execute_sql(f'ALTER SCHEMA "{name}" RENAME TO "{name}_away"')
    yield
    database.db.execute_sql(f'ALTER SCHEMA "{name}_away" RENAME TO "{name}"')
    database.close()


def contents(place: Place) -> Iterator[tuple[str, bytes]]:
    """All that a database keeps, as it keeps it: the files, or the tables, with their names."""
    if isinstance(place, FilePlace):
        for path in place.path.parent.glob(f"{place.path.name}*"):
            if path.is_file():
                yield str(path), path.read_bytes()
        return
    database = Database(place, read_only=True)
    for table in TABLES:
        name = table._meta.table_name
        with database.read() as db:
            text = "\n".join(row[0] for row in db.rows(
                f'SELECT CAST(one AS text) FROM "{name}" AS one'))
        yield f"table {name}", text.encode()
    database.close()


def site_of_bl_lac(folder: Path) -> Path:
    """A site in a folder, all by default, whose catalogue has BL Lac; the folder."""
    (folder / "iop4d.toml").write_text("", encoding="utf-8")
    with database_of(folder).write() as tx:
        catalogue.save(tx, parse("name,other_names,ra,dec,kind\n"
                                 "2200+420,BL Lac,330.68,42.28,target\n"))
    return folder
