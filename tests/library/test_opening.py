"""Opening a site reads it and nothing else; what is none is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

import iop4d
from iop4d.config import load_site
from iop4d.library import Site
from iop4d.model.errors import ConfigError
from iop4d.store.database import Database, StoreUnavailableError
from iop4d.store.schema import SCHEMA_VERSION, Meta
from tests.support.on_postgresql import IS_ON


def test_a_folder_that_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no iop4d\.toml in"):
        iop4d.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _site(folder: Path) -> Path:
    (folder / "iop4d.toml").write_text("", encoding="utf-8")
    return folder


def test_a_site_on_which_nothing_ran_gets_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="nothing has run on this site"):
        iop4d.open(_site(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["iop4d.toml"]


@pytest.mark.parametrize(("by", "said"), [
    (-1, "an older iop4d .* start the daemon once"), (1, "a newer iop4d .* install that version")])
def test_a_database_of_another_version_is_not_touched(tmp_path: Path, by: int, said: str) -> None:
    _set_version(_site(tmp_path), SCHEMA_VERSION + by)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match=said):
            iop4d.open(tmp_path)


def _set_version(folder: Path, version: int) -> None:
    database = Database(load_site(folder).database)
    with database.write() as tx:
        if IS_ON:
            tx.replace(Meta, key="schema", value=version)
        else:
            database.db.execute_sql(f"PRAGMA user_version = {version}")
    database.close()


@pytest.mark.sqlite
def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (_site(tmp_path) / "iop4d.db").write_bytes(b"hello" * 500)
    with pytest.raises(StoreUnavailableError, match=r"is damaged .*: stop the daemon"):
        iop4d.open(tmp_path)


def test_the_folder_comes_from_the_environment_and_keys_are_overridden(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOP4D_SITE", str(site.folder))
    with iop4d.open(photometry__aperture=2.0, site__name='"quoted"') as opened:
        assert opened.folder == site.folder
        assert opened.file.photometry.aperture == 2.0
        assert opened.name == '"quoted"'
    with pytest.raises(ConfigError, match="apperture"):
        iop4d.open(photometry__apperture=2.0)


def test_the_library_cannot_write(site: Site) -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be written"), \
            site.reader.database.write() as tx:
        tx.replace(Meta, key="x", value=1)
