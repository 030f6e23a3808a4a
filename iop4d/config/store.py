"""``[store]``: where what a site knows is kept, a file or a server."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from iop4d.config.keys import Check, key
from iop4d.config.secret import Secret

#: Environment variable with the url of sites whose files name none.
VARIABLE = "IOP4D_STORE"
FILE = "iop4d.db"
_SQLITE = "sqlite:///"
_SERVER = re.compile(r"^postgres(?:ql)?://")
_PASSWORD = re.compile(r"^postgres(?:ql)?://[^/@?]*:[^/@?]*@|[?&]password=")


def is_url(value: str) -> bool:
    """Whether a text is a url of a database, without a password; empty is the default."""
    return (value == "" or bool(_SERVER.match(value) and not _PASSWORD.search(value))
            or (value.startswith(_SQLITE) and len(value) > len(_SQLITE)))


_URL: Check = ("sqlite:///FILE, or postgresql://USER@HOST/DATABASE without a password, which "
               "stands in a file, an environment variable or a credential", is_url)


@dataclass(frozen=True)
class FilePlace:
    """A file of SQLite."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class ServerPlace:
    """A schema of a PostgreSQL server. ``reader``: its role for who only reads, or empty;
    ``node``: which of the daemons that share it this is, or empty where one has it alone."""

    url: str
    reader: str = ""
    node: str = ""
    password: Callable[[], str | None] = lambda: None

    @property
    def reader_url(self) -> str:
        """The url for who only reads."""
        if not self.reader:
            return self.url
        return re.sub(r"^(postgres(?:ql)?://)(?:[^/@?]*@)?", rf"\g<1>{self.reader}@", self.url)

    def __str__(self) -> str:
        return self.url


Place = FilePlace | ServerPlace


def as_place(place: Place | Path) -> Place:
    """The place of a database; a path is that of a file."""
    return FilePlace(place) if isinstance(place, Path) else place


def place_of_url(url: str, root: Path, *, reader: str = "", node: str = "",
                 password: Callable[[], str | None] = lambda: None) -> Place:
    """What a url names: files are relative to the site's folder.

    ``{site}`` in it stands for a name made of the folder, so that one url serves many sites.
    """
    url = (url or os.environ.get(VARIABLE, "") or _SQLITE + FILE).replace("{site}", name_of(root))
    if _SERVER.match(url):
        return ServerPlace(url, reader, node, password)
    return FilePlace(root / url.removeprefix(_SQLITE))


def name_of(root: Path) -> str:
    """A name for a site's folder, as a server takes it."""
    return f"site_{hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, kw_only=True)
class Store:
    """``[store]``: where what the site knows is kept."""

    url: str = key(
        "Where: sqlite:///FILE, relative to the site's folder, or postgresql://USER@HOST/DATABASE "
        "(docs/postgresql.md). Empty: what the environment variable IOP4D_STORE says, or "
        "sqlite:///iop4d.db.", "", check=_URL)
    reader: str = key(
        "Role of the PostgreSQL server as which the pages and the commands that only read sign "
        "in; empty: as the daemon.", "", check=("a name of letters, digits and _",
                                                lambda value: not value or value.isidentifier()))
    password_file: Path | None = key("File that holds the server's password.", None)
    password_env: str = key("Environment variable that holds the server's password.", "")
    password_credential: str = key(
        "Credential of systemd that holds the server's password.", "")

    @property
    def secret(self) -> Secret:
        """The server's password."""
        return Secret(owner="[store]", word="password", file=self.password_file,
                      env=self.password_env, credential=self.password_credential)

    def place(self, root: Path, node: str = "") -> Place:
        """Where the database of a site is; ``node``: its name among those that share it."""
        return place_of_url(self.url, root, reader=self.reader, node=node,
                            password=self.secret.read)
