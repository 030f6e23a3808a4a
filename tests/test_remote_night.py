"""A night over a bad line ends with the same results as the same night from a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iop4d.simulator.night import NightPlan
from iop4d.simulator.servers import Server
from iop4d.simulator.service import Observer, Service
from iop4d.store.database import Database
from iop4d.store.schema import Frame
from tests.support.ftp_server import PASSWORD, USER, Faults, FtpServer
from tests.support.rows import rows
from tests.support.sites import drop, make_site, results_of, take_night

TONIGHT = (datetime.now(tz=UTC) - timedelta(hours=12)).date()
PLAN = NightPlan(seed=11, night=TONIGHT.isoformat(), fields=("BLLac",), frames=6, exptime_s=60.0,
                 n_bias=3, n_flat=3)
FOLDER = f"/{TONIGHT:%Y%m%d}"
REMOTE = """\
[[archive]]
name = "AndorT90"
kind = "ftp"
host = "127.0.0.1"
port = {port}
user = "{user}"
password_file = "secret"
path = "raw"
poll_interval = 0.3
poll_interval_day = 0.3
settle = 0.2
timeout = 10.0
"""


class Closing:
    """What ends a fault server, as ``Server`` wants it."""

    def __init__(self, server: FtpServer) -> None:
        self._server = server

    def close(self) -> object:
        return self._server.__aexit__(None, None, None)


def serve(server: FtpServer) -> Server:
    async def start() -> tuple[Closing, int]:
        await server.__aenter__()
        return Closing(server), server.port

    return Server("faults", start)


def reduced(site: Path, count: int, also: Callable[[], bool] = lambda: True) -> None:
    """Run the daemon until so many frames have ended, and something else is true."""
    service, observer = Service(site, "run"), Observer(site)
    try:
        deadline = time.monotonic() + 150
        while not (observer.wait(count, seconds=5, service=service) and also()):
            assert service.alive, service.log()[-3000:]
            assert time.monotonic() < deadline, (observer.status(), service.log()[-3000:])
    finally:
        code = service.stop()
    assert code == 0, service.log()[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_night_fetched_over_a_bad_line_ends_as_one_from_a_folder(tmp_path: Path) -> None:
    frames = take_night(PLAN, tmp_path / "taken")
    local = make_site(tmp_path / "local", PLAN)
    for frame in frames:
        drop(frame, local / "raw" / PLAN.night)
    reduced(local, len(frames))

    files = {f"{FOLDER}/{frame.name}": (frame.read_bytes(), 1667900000.0 + number)
             for number, frame in enumerate(frames)}
    server = FtpServer(files)
    names = list(files)
    server.script = {
        names[1]: [Faults(stall="data"), Faults(cut=10_000, cuts=1)],  # a bias
        names[4]: [Faults(short=70_000)],  # a flat, of which the server says that it sent all
        names[6]: [Faults(stall="end"), Faults(ending="426 aborted")],
        names[7]: [Faults(cut=500_000, cuts=1), Faults(cut=900_000, cuts=1),
                   Faults(answer="421 too many")],
        # Written under another name, and renamed in the moment in which it is asked for.
        f"{FOLDER}/being-written.fit": [Faults(rename=frames[8].name)],
    }
    server.files[f"{FOLDER}/being-written.fit"] = server.files.pop(names[8])
    served = serve(server)
    served.start()
    remote = make_site(tmp_path / "remote", PLAN)
    text = (remote / "iop4d.toml").read_text()
    (remote / "iop4d.toml").write_text(
        REMOTE.format(port=served.port, user=USER) + text[text.index("[astrometry]"):])
    (remote / "secret").write_text(PASSWORD)
    try:
        reduced(remote, len(frames), lambda: not any(server.script.values()))
    finally:
        served.stop()

    assert [name for name, script in server.script.items() if script] == []
    for number, frame in enumerate(frames):
        here = remote / "raw" / PLAN.night / frame.name
        assert here.read_bytes() == frame.read_bytes(), number
    assert [p.name for p in (remote / "raw" / PLAN.night).iterdir()
            if p.name.startswith(".")] == []
    database = Database(remote / "iop4d.db", read_only=True)
    assert {row.state for row in rows(database, Frame)} == {"done"}
    there, here = results_of(remote), results_of(local)
    assert len(here) == PLAN.frames
    assert there == here
