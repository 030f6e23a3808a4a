"""A site on this machine, opened for reading."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iop4d.config import Site as SiteFile
from iop4d.config import load_site
from iop4d.library.errors import NotFoundError, SelectionError
from iop4d.library.frames import Frame, Master
from iop4d.library.observatory import Observatory
from iop4d.library.results import Result
from iop4d.library.stored import StoreReader
from iop4d.store.database import Database, is_there
from iop4d.store.kind import StoreUnavailableError
from iop4d.system.astropy_folders import give_folders

if TYPE_CHECKING:
    from iop4d.library.image import Image
    from iop4d.library.reduction import Reduction
    from iop4d.library.server import Client
    from iop4d.library.trial import Trial
    from iop4d.library.workshop import Workshop

_KINDS = ("raw", "reduced", "masks")


def open_site(folder: str | Path | None = None, **overrides: Any) -> Site:
    """Open a site for reading: ``site = iop4d.open("/data/iop4d")``.

    ``folder``: where its iop4d.toml is; by default what IOP4D_SITE says, or the current one.
    ``overrides``: keys of the site file for this session, a double underscore for the point:
    ``photometry__aperture=2.0``. Nothing is ever written: neither the database nor a file.

    Raises ConfigError where there is no site, or its file is wrong, and StoreUnavailableError where
    it has no database yet, or one of another version.
    """
    give_folders()
    place = Path(folder if folder is not None else os.environ.get("IOP4D_SITE") or ".")
    texts = [f"{name.replace('__', '.')}={_toml(value)}" for name, value in overrides.items()]
    return site_of(load_site(place.expanduser(), texts, has_indexes=False, skip_wrong_rules=True))


def site_of(file: SiteFile) -> Site:
    """The site of a site file that was read; raises StoreUnavailableError as above."""
    if not is_there(file.database):
        raise StoreUnavailableError(f"no database at {file.database} yet: nothing has run on this "
                                    "site", absent=True)
    database = Database(file.database, read_only=True)
    try:
        database.check_schema()
    except StoreUnavailableError:
        database.close()
        raise
    return Site(file, database)


class Site(Observatory):
    """A site: its sources, nights, frames, groups, masters, results and alerts, only read."""

    reader: StoreReader

    def __init__(self, file: SiteFile, database: Database) -> None:
        super().__init__(StoreReader(file, database))
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process it is opened again."""
        return site_of, (self.file,)

    @property
    def name(self) -> str:
        """The name that the site file gives, or empty."""
        return self.file.site.name

    @property
    def folder(self) -> Path:
        """Where its iop4d.toml is."""
        return self.file.root

    def client(self, token: str | None = None) -> Client:
        """The same read from the site's own server (``iop4d web``), with a token of an account."""
        from iop4d.library.server import Client

        web = self.file.web
        host = "127.0.0.1" if web.host in ("", "0.0.0.0", "::") else web.host  # noqa: S104
        return Client(f"http://{host}:{web.port}{web.prefix}", token)

    @cached_property
    def workshop(self) -> Workshop:
        """What reductions by hand need: instruments, masters and index files, loaded once."""
        from iop4d.library.workshop import Workshop

        return Workshop(self.reader)

    def image_of(self, frame: Frame, kind: str) -> Image:
        """An image of a frame; see ``Frame.image``."""
        if kind not in _KINDS:
            raise SelectionError(f"'{kind}' is none of {', '.join(_KINDS)}")
        return self.workshop.image_of(frame, kind)

    def image_of_master(self, master: Master) -> Image:
        """The image of a master; see ``Master.image``."""
        from iop4d.library.pixels import master_of

        if not master["path"]:
            raise NotFoundError(f"the master {master['id']} has no file: it is {master['state']}")
        return master_of(Path(master["path"]), str(master["kind"]))

    def reduction_of(self, frame: Frame, settings: dict[str, Any]) -> Reduction:
        """The steps of the reduction of a frame; see ``Frame.reduce``."""
        return self.workshop.reduction_of(frame, settings)

    def trial_of(self, result: Result, settings: dict[str, Any],
                 without: tuple[str, ...]) -> Trial:
        """A result with other settings; see ``Result.reduce``."""
        return self.workshop.trial_of(result, settings, without)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
