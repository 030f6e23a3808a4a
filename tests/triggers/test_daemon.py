"""The whole way in a daemon: a notice of the broker raises its source, and a rule fires by it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from iop4d import daemon as daemon_module
from iop4d.config.load import load_site
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue, triggers
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database
from iop4d.store.schema import Alert, Result
from iop4d.store.status import heartbeat
from iop4d.triggers.listener import Listener
from tests.support.rows import rows
from tests.support.stores import database_of
from tests.triggers.broker import TOPIC, Broker, Told, until
from tests.triggers.told import unified

SITE = f"""
[daemon]
workers = 1
[triggers]
topics = ["{TOPIC}"]
servers = "localhost:1"
[[rule]]
name = "flare"
condition = "mag < 14 and triggered"
confirm = 2
"""


def measured(database: Database) -> None:
    """Two points of BL Lac of the last minutes."""
    with database.write() as tx:
        catalogue.save(tx, parse("name,ra,dec,kind\nBL Lac,330.68,42.28,target\n"))
        for n in (1, 2):
            jd = jd_of_unix(time.time() - 60 * n)
            tx.create(Result, key=f"a/{n}", source="BL Lac", band="R", telescope="T", night="n",
                      instrument="I", mode="photometry", jd_mid=jd, exptime_s=1.0, mag=13.0,
                      mag_err=0.01, created_at=0.0, changed_at=0.0)


def test_a_notice_of_the_broker_fires_a_rule_on_points_that_were_there(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "iop4d.toml").write_text(SITE, encoding="utf-8")
    (tmp_path / "raw").mkdir()
    database, broker = database_of(tmp_path), Broker()
    measured(database)
    monkeypatch.setattr(daemon_module, "Listener", partial(Listener, connect=broker.connect))

    async def go() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(daemon_module.Daemon(load_site(tmp_path)).run(stop))
        issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        broker.messages.append(Told(unified(alert_datetime=issued)))
        await until(lambda: "firing" in [row.state for row in rows(database, Alert)], 60)
        stop.set()
        await running

    asyncio.run(go())
    with database.read() as db:
        assert triggers.active_sources(db, time.time()) == {"BL Lac"}
        assert heartbeat(db)["triggers"]["received"] == 1
    assert broker.committed == 1
    assert broker.clients[0].closed
    database.close()
