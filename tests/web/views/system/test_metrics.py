"""``/metrics``: what Prometheus reads, who may, and a dashboard that asks for nothing else."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from iop4d.config import Site
from iop4d.model.states import FrameState
from iop4d.operations import backup
from iop4d.store import people
from iop4d.store.database import Database
from iop4d.web.app import create_app
from tests.web.conftest import add_account

DOCS = Path(__file__).resolve().parents[4] / "docs"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def client(site: Site, metrics: str = "local", read: str = "everybody") -> FlaskClient:
    return create_app(replace(site, web=replace(
        site.web, metrics=metrics, read=read))).test_client()


def test_every_number_is_that_of_the_database_and_documented(filled: Site) -> None:
    answer = client(filled).get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    text = answer.get_data(as_text=True)
    families = {one.name: one for one in text_string_to_metric_families(text)}
    with Database(filled.database, read_only=True).read() as db:
        counts = dict(db.rows("SELECT state, count(*) FROM frame GROUP BY state"))
    frames = {one.labels["state"]: one.value for one in families["iop4d_frames"].samples}
    assert frames == {state.value: counts.get(state.value, 0) for state in FrameState}
    jobs = {tuple(one.labels.values()) for one in families["iop4d_jobs"].samples}
    assert {("reduce", "queued"), ("master", "waiting"), ("polarimetry", "running")} <= jobs
    states = {one.labels["state"]: one.value for one in families["iop4d_daemon_state"].samples}
    assert sum(states.values()) == 1
    assert families["iop4d_disk_free_bytes"].samples[0].value > 0
    page = (DOCS / "operations.md").read_text()
    said = dict(re.findall(r"(?m)^# HELP (\S+) (.+)$", text))
    assert said == dict(re.findall(r"(?m)^\| `(iop4d_\w+)` \| (.+) \|$", page))


def test_the_newest_backup_is_one_of_the_site_that_can_be_read(own: Site) -> None:
    (own.root / "iop4d.toml").write_text("")
    made = backup.make(own, own.backups, now=1.7e9)
    (own.backups / "iop4d-other-20301231T235959Z.tar.gz").write_bytes(b"of whoever")
    os.utime(made.path, (1.8e9, 1.8e9))  # it was copied
    text = client(own).get("/metrics").get_data(as_text=True)
    assert "\niop4d_backup_timestamp_seconds 1.7e+09\n" in text


def test_who_may_read_them(own: Site) -> None:
    add_account(own, "eva")
    database = Database(own.database)
    with database.write() as tx:
        token = people.add_token(tx, "eva", "prometheus", "read", by="eva", now=1.0,
                                 ends_at=None)
    database.close()
    sent = {"Authorization": f"Bearer {token}"}
    for allowed, here, elsewhere in (("local", 200, 401), ("all", 200, 200), ("token", 401, 401),
                                     ("none", 404, 404)):
        page = client(own, allowed, read="signed-in")
        assert page.get("/metrics").status_code == here, allowed
        assert page.get("/metrics", environ_overrides=ELSEWHERE).status_code == elsewhere, allowed
        with_token = page.get("/metrics", headers=sent, environ_overrides=ELSEWHERE)
        assert with_token.status_code == (404 if allowed == "none" else 200), allowed


def test_the_dashboard_asks_for_metrics_that_there_are(filled: Site) -> None:
    text = client(filled).get("/metrics").get_data(as_text=True)
    there = set(re.findall(r"(?m)^# HELP (\S+)", text))
    dashboard = json.loads((DOCS / "grafana.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) > 15
    for expr in (*asked, dashboard["templating"]["list"][1]["query"]):
        assert set(re.findall(r"iop4d_\w+", expr)) <= there, expr
        assert expr.count("(") == expr.count(")")
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
    rules = re.findall(r"expr: (.+)\}", (DOCS / "operations.md").read_text())
    assert len(rules) == 4
    assert set(re.findall(r"iop4d_\w+", " ".join(rules))) <= there
