"""Where the commands of one page are typed: a root of its own with a home, a site and servers."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from iop4d.config import load_site
from iop4d.simulator.botserver import TOKEN, BotServer
from iop4d.simulator.servers import Mailbox, ftp_server
from iop4d.simulator.sky import index_folder
from iop4d.store import users
from iop4d.store.database import Database
from tests.cli.mast import mast
from tests.docs import prepared
from tests.docs.as_printed import PLACES, PLACES_OF, REAL_NIGHT, Command
from tests.docs.blocks import BLOCKS, Printed
from tests.web.conftest import served as served_from_thread

PASSWORD = "starlight"
_OF_IOP4 = Path(__file__).parents[1] / "moving" / "data"


class World:
    """A root with ``data/iop4d``, a finished site, and ``home``; servers end with ``ended``."""

    def __init__(self, page: str, root: Path, *, night: Path, finished: Path,
                 ended: ExitStack) -> None:
        self.page, self.root, self.ended = page, root, ended
        self.home, self.site = root / "home", root / "data" / "iop4d"
        self.home.mkdir(parents=True)
        raw = root / "data" / "raw"
        raw.mkdir(parents=True)
        (raw / prepared.NIGHT).symlink_to(night)
        prepared.copy_of(finished, self.site)
        self._values: dict[str, str] = {
            "root": str(root), "index": str(index_folder()),
            "frame": str(night / "BLLac-0001R.fit"), "polarised": prepared.polarised(finished)}
        self.now = 0.0
        self._steps = {start: step for (where, start), step in _STEPS.items() if where == page}
        self._parts = [block for block in BLOCKS if block.page == page
                       and block.language == "toml" and page in _FOLLOWED]

    def before(self, command: Printed) -> None:
        """What a user does before a command: edit the site file as the page says, and the like."""
        self._steps.pop("", lambda _: None)(self)
        while self._parts and self._parts[0].line < command.line:
            add(self.here(self._parts.pop(0).text))
        for start in [start for start in self._steps if command.text.startswith(start)]:
            self._steps.pop(start)(self)

    def give(self, **values: str) -> None:
        """Let names of the table of places have these values."""
        self._values.update(values)

    def here(self, text: str) -> str:
        """A printed text with what stands for its places here."""
        places = PLACES_OF.get(self.page, {}) | PLACES
        pattern = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
        return re.sub(pattern, lambda found: places[found[0]].format(**self._values), text)


def add(text: str) -> None:
    """Write a part of a site file into that of this folder, as a user does."""
    path = Path("iop4d.toml")
    path.write_text(edited(path.read_text(encoding="utf-8"), text), encoding="utf-8")


def edited(text: str, part: str) -> str:
    """A site file with a printed part: keys of a section that is there are written over."""
    for title, keys in re.findall(r"^(\[\w+\])\n((?:\w+ = .*\n)+)", part, re.MULTILINE):
        for key, value in re.findall(r"^(\w+) = (.*)$", keys, re.MULTILINE):
            text, count = re.subn(
                rf"(^{re.escape(title)}\n(?:(?!\[).*\n)*?){key} = .*",
                lambda found, key=key, value=value: f"{found[1]}{key} = {value}", text, count=1,
                flags=re.MULTILINE)
            if count:
                part = part.replace(f"{key} = {value}\n", "")
        if title in text:
            left = "".join(line for line in keys.splitlines(True) if line in part)
            part = part.replace(f"{title}\n{left}", "")
            text = text.replace(f"{title}\n", f"{title}\n{left}")
    return f"{text}\n{part}"


#: Pages whose parts of a site file are written into it where they stand.
_FOLLOWED = ("alerts.md", "archives.md", "getting-started.md")


@contextmanager
def served(site: Path) -> Iterator[str]:
    """The address of a site's pages, on a free port, without a slash at its end."""
    loaded = load_site(site)
    with served_from_thread(replace(loaded, web=replace(loaded.web, port=0))) as address:
        yield address.rstrip("/")


def _readme(world: World) -> None:
    own = world.root / "own"
    prepared.of_another_camera(world.root / "data" / "raw" / prepared.NIGHT, own)
    world.give(own=str(own))


def _as_edited(world: World) -> None:
    """The site file after ``nano``."""
    add(prepared.SITE)
    _mail(world)


def _mail(world: World) -> None:
    """A mail server, which the site file names."""
    mailbox = Mailbox(world.root / "mails")
    mailbox.start()
    world.ended.callback(mailbox.stop)
    path = Path("iop4d.toml")
    path.write_text(path.read_text().replace("port = 25", f"port = {mailbox.port}"))


def _tutorial(world: World) -> None:
    """The frames of the tutorial are those of a camera that iop4d does not know."""
    folder = world.root / "data" / "raw" / prepared.NIGHT
    frames = folder.resolve()
    folder.unlink()
    prepared.of_another_camera(frames, folder)
    (folder.parent / "OSN-T090").mkdir()


def _tables(world: World) -> None:
    """Tables that a user has in the folder."""
    Path("my-field.csv").write_text("name,ra,dec,kind\nMy source,31.0428,46.6879,target\n")
    Path("panstarrs.csv").write_text(mast())


def _points_of_others(world: World) -> None:
    """A table of another survey that a user has in the folder."""
    Path("asassn.csv").write_text(
        "HJD,UT Date,Camera,FWHM,Limit,mag,mag_err,flux(mJy),flux_err,Filter\n"
        "2457203.94,2015-06-30.44,bc,1.4,17.1,14.02,0.02,8.9,0.1,V\n"
        "2457204.94,2015-07-01.44,bc,1.4,17.1,14.05,0.02,8.7,0.1,V\n"
        "2459203.71,2020-12-20.21,bc,1.4,99.99,99.99,99.99,0.1,0.2,V\n"
        "2459204.71,2020-12-21.21,bc,1.4,99.99,99.99,99.99,0.1,0.2,V\n")


def _real_night(world: World) -> None:
    """Three frames of the night, its catalogue and index files, beside the site file."""
    if not REAL_NIGHT.is_dir():
        return
    for path in sorted((REAL_NIGHT / "raw").iterdir())[:3]:
        shutil.copy(path, "raw")
    shutil.copy(REAL_NIGHT / "catalogue.csv", "catalogue.csv")
    Path("index").symlink_to(REAL_NIGHT / "index")


def _alert(world: World) -> None:
    world.give(alert=prepared.alert(world.site, "BL Lac flares", time.time()))


def _served(world: World) -> None:
    world.give(web=world.ended.enter_context(served(world.site)))


def _ftp(world: World) -> None:
    """An FTP server with two nights of 2023, and the last two."""
    # At noon a telescope's present night is one of two, by its longitude.
    last = [(datetime.now(tz=UTC) - timedelta(hours=hours)).date() for hours in (36, 12)]
    for night in ("20230313", "20230314", *(f"{one:%Y%m%d}" for one in last)):
        folder = world.root / "served" / night
        folder.mkdir(parents=True)
        for name in (f"bllac-{number:04}R.fit" for number in range(1, 8)):
            (folder / name).write_bytes(name.encode() * 500)
    server = ftp_server(world.root / "served", PASSWORD)
    server.start()
    world.ended.callback(server.stop)
    world.give(ftp=str(server.port))
    Path("secrets").mkdir()
    Path("secrets/t090").write_text(f"{PASSWORD}\n")
    Path("secrets/t090").chmod(0o600)
    Path("my-list.txt").write_text("bllac-0001R.fit\n")


def _channels(world: World) -> None:
    """A bot and its server beside the mail."""
    server = world.ended.enter_context(BotServer(world.root / "telegram"))
    add('[[channel]]\nname = "bot"\nkind = "telegram"\nto = ["12345678"]\n'
              f'token_file = "bot"\napi_url = "{server.url}"\n')
    Path("bot").write_text(TOKEN)
    Path("bot").chmod(0o600)
    _mail(world)


def _iop4(world: World) -> None:
    """What IOP4 left in a home."""
    folder = world.home / ".iop4data"
    (folder / "raw" / "OSN-T090" / "2022-09-08").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "iop4.db")) as db:
        db.executescript((_OF_IOP4 / "iop4_database.sql").read_text())
    (world.home / ".iop4.config.yaml").write_text(
        f"datadir: {folder}\ndb_path: {folder}/iop4.db\nosn_t090_address: null\n")


def _frames_beside(world: World) -> None:
    prepared.of_another_camera(world.root / "data" / "raw" / prepared.NIGHT, Path("night"))


def _other_disk(world: World) -> None:
    _mail(world)
    (world.root / "mnt" / "other-disk").mkdir(parents=True)


def _day_after(world: World) -> None:
    world.now = datetime.fromisoformat(f"{prepared.NIGHT}T12:00:00Z").timestamp() + 86_400.0


def _disaster(world: World) -> None:
    """The site is lost."""
    shutil.rmtree(world.site)


def _accounts(*names: str) -> Callable[[World], None]:
    def add(world: World) -> None:
        with closing(Database(load_site(world.site).database)) as database:
            for name in names:
                with database.write() as tx:
                    users.save(tx, name, "x", now=0.0)
    return add


def _notice(_: World) -> None:
    Path("notice.json").write_text('{"source": "BL Lac", "id": "x-16", "text": "bright"}')


def _tokens(world: World) -> None:
    _accounts("ana")(world)
    _served(world)


#: What is done before the commands of a page, or before one of them.
_STEPS: dict[Command, Callable[[World], None]] = {
    ("README.md", ""): _readme,
    ("README.md", "nano"): _as_edited,
    ("alerts.md", "iop4d alerts"): _alert,
    ("api.md", ""): _served,
    ("archives.md", ""): _ftp,
    ("atel.md", ""): _day_after,
    ("catalogue.md", ""): _tables,
    ("channels.md", ""): _channels,
    ("external.md", ""): _points_of_others,
    ("getting-started.md", ""): _tutorial,
    ("getting-started.md", "iop4d catalogue import my-field.csv"): _tables,
    ("getting-started.md", "iop4d catalogue import catalogue.csv"): _real_night,
    ("instruments.md", ""): _frames_beside,
    ("moving-from-iop4.md", ""): _iop4,
    ("operations.md", ""): _other_disk,
    ("operations.md", "iop4d restore --site"): _disaster,
    ("triggers.md", ""): _notice,
    ("triggers.md", "iop4d users token add"): _tokens,
    ("web.md", "iop4d users role ben"): _accounts("ben"),
    ("web.md", "iop4d users token add"): _tokens,
}
