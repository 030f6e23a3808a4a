"""A real Prometheus reads a site that works: its format, the dashboard's questions, the rules.

The scrape and the rules are those that docs/operations.md prints; the token is needed and used.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from iop4d.simulator.night import NightPlan
from iop4d.simulator.service import Observer, Service
from iop4d.store import people, users
from tests.support.real_servers import await_answer, free_port, program
from tests.support.sites import make_site, take_night
from tests.support.stores import database_of

pytestmark = [pytest.mark.realserver, pytest.mark.timeout(300)]

DOCS = Path(__file__).parents[2] / "docs"
PLAN = NightPlan(seed=5, fields=("S50716+714",), frames=1, exptime_s=60.0, n_bias=3, n_flat=3)
WEB = '[web]\nport = {port}\nmetrics = "token"\n'
_PATIENCE = 90.0  # seconds for a frame on a machine that does much besides
_EVERY = "1s"  # between two scrapes


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """One that runs."""

    port: int

    def ask(self, what: str, **words: str) -> Any:
        """Its answer to a question of its API, which must be without an error."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            said = json.loads(answer.read())
        assert said["status"] == "success", said
        return said["data"]

    def values(self, expr: str) -> list[float]:
        """What an expression gives now."""
        return [float(one["value"][1]) for one in self.ask("query", query=expr)["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """The rules, with their health and state."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def active(self) -> dict[str, str]:
        """The states of the rules whose condition is met, but for that on the disk's trend.

        A trend of some seconds is that of whatever else writes to the disk; it is to last hours.
        """
        return {rule["name"]: rule["state"] for rule in self.rules()
                if rule["state"] != "inactive" and rule["name"] != "Iop4dDiskFills"}


@dataclass(frozen=True, kw_only=True)
class Working:
    """A site with a daemon that has done its work, and its page."""

    daemon: Service
    frames: int
    port: int
    token: str

    def metrics(self, token: str) -> tuple[int, bytes]:
        """What the page gives to one who has a token."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics",
                                       headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, b""


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Working]:
    port = free_port()
    site = make_site(tmp_path_factory.mktemp("prometheus") / "site", PLAN,
                     more=WEB.format(port=port))
    frames = take_night(PLAN, site / "raw")
    database = database_of(site)
    with database.write() as tx:
        users.save(tx, "eva", "no password", now=0.0)
        token = people.add_token(tx, "eva", "prometheus", "read", by="eva", now=time.time(),
                                 ends_at=None)
    database.close()
    daemon = Service(site, "run")
    page = Service(site, "web")
    try:
        assert Observer(site).wait(len(frames), seconds=_PATIENCE, service=daemon), daemon.log()
        assert Service(site, "backup").process.wait(_PATIENCE) == 0
        await_answer(page.process, port, site / "logs" / "web.log")
        yield Working(daemon=daemon, frames=len(frames), port=port, token=token)
    finally:
        page.stop()
        daemon.stop()


def printed(key: str) -> str:
    """The example of the documentation whose first key is this one."""
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    return next(found[1] for found in re.finditer(r"```yaml\n(.*?)```", page, re.DOTALL)
                if found[1].startswith(f"{key}:"))


@contextmanager
def prometheus(folder: Path, working: Working) -> Iterator[Prometheus]:
    """One that is set up as documented, but for ports, the token's file and how often it asks."""
    where, port = program("prometheus"), free_port()
    folder.mkdir()
    (folder / "token").write_text(working.token, encoding="utf-8")
    (folder / "rules.yml").write_text(printed("groups"), encoding="utf-8")
    scrape = (printed("scrape_configs").replace("127.0.0.1:8765", f"127.0.0.1:{working.port}")
              .replace("/etc/prometheus/iop4d.token", str(folder / "token")))
    config = folder / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: {_EVERY}, evaluation_interval: {_EVERY}}}\n"
                      f"rule_files: [{folder / 'rules.yml'}]\n{scrape}", encoding="utf-8")
    promtool("check", "config", str(config))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(where), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True)
        try:
            await_answer(process, port, log)
            wait(partial(is_ready, port))
            yield Prometheus(port=port)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_ready(port: int) -> bool:
    """Whether it answers questions by now: it listens before it can, and refuses with 503."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False


def promtool(*words: str, given: bytes = b"") -> None:
    """Have Prometheus's own tool check something; it must find nothing."""
    ran = subprocess.run([str(program("promtool")), *words], check=False, input=given,
                         capture_output=True, timeout=60)
    said = (ran.stdout + ran.stderr).decode()
    assert ran.returncode == 0, said
    assert "metrics" not in words or said == ""


def wait(what: Callable[[], object]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + _PATIENCE
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.2)


def test_the_text_is_as_prometheus_wants_it(working: Working) -> None:
    assert working.metrics("wrong")[0] == 401
    status, text = working.metrics(working.token)
    assert status == 200
    promtool("check", "metrics", given=text)


def test_every_question_of_the_dashboard_and_every_rule_has_an_answer(
        working: Working, tmp_path: Path) -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    asked = {target["expr"].replace("$job", ".*")
             for panel in dashboard["panels"] for target in panel["targets"]}
    assert len(asked) > 15
    with prometheus(tmp_path / "prometheus", working) as server:
        wait(lambda: server.values("rate(iop4d_jobs_finished_total[5m])"))
        jobs = server.ask("label/job/values", **{"match[]": "iop4d_daemon_up"})
        assert jobs == ["iop4d"]  # the variable of the dashboard
        assert [expr for expr in sorted(asked) if not server.values(expr)] == []
        assert server.values('iop4d_frames{state="done"}') == [working.frames]
        assert server.values("up") == [1.0]
        wait(lambda: all(rule["health"] == "ok" for rule in server.rules()))
        assert [(rule["name"], rule["duration"]) for rule in server.rules()] == [
            ("Iop4dDown", 300), ("Iop4dDoesNotReduce", 600), ("Iop4dNoBackup", 0),
            ("Iop4dDiskFills", 21600)]
        assert server.active() == {}
        working.daemon.kill()
        wait(lambda: server.active() == {"Iop4dDown": "pending", "Iop4dDoesNotReduce": "pending"})
        working.daemon.restart()
        wait(lambda: server.active() == {})
