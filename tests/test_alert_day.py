"""A source flares: mail, Telegram message, draft, acknowledged, over; through the real daemon.

Told again every second and a half, until somebody acknowledges it on the page.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from iop4d.simulator.botserver import BotServer
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.servers import Mailbox
from iop4d.simulator.service import Service
from tests.alerts.bench import free_port
from tests.support.sites import drop, make_site, take_night

PLAN = NightPlan(seed=21, fields=("3C345",), frames=14, n_bias=3, n_flat=3,
                 flare=Flare(start=0.06, rise=0.05, mag=1.0, fall=1.0))
PASSWORD = "correct horse battery\n"
MORE = """
[site]
url = "http://127.0.0.1:{page}"

[web]
port = {page}

[alerts]
max_age_hours = 0
max_per_10min = 1000
digest_over = 1000

[atel]
authors = ["A. Observer (here)"]

[[rule]]
name = "bright"
source = "3C345"
condition = "mag < {threshold}"
clear = "mag > {clear}"
severity = "atel"
reminder_hours = 0.0005
notify_resolved = true
channels = ["mail", "phone"]

[[channel]]
name = "mail"
to = ["observer@example.org"]
host = "127.0.0.1"
port = {port}

[[channel]]
name = "phone"
kind = "telegram"
to = ["7"]
accept_commands = true
api_url = "{api}"
token_file = "token"
"""


def iop4d(site: Path, *words: str) -> Any:
    ran = subprocess.run([sys.executable, "-m", "iop4d", "--site", str(site), *words],
                         capture_output=True, text=True, check=True, timeout=60)
    return json.loads(ran.stdout)


def until(holds: Callable[[], Any], service: Service, seconds: float = 60.0) -> Any:
    """What ``holds`` gives once it is something."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert service.alive, service.log()
        assert time.monotonic() < deadline, service.log()[-3000:]
        time.sleep(0.1)
    return found


def acknowledge(page: int, alert: int) -> None:
    """As a person does it: sign in, and press the button."""
    here = f"http://127.0.0.1:{page}"
    with httpx2.Client(base_url=here, headers={"Origin": here}, follow_redirects=True,
                       trust_env=False) as browser:
        shown = browser.post("/sign-in", data={"name": "ana", "password": PASSWORD.strip(),
                                               "back": "/alerts"})
        assert f'action="/alerts/{alert}/acknowledge"' in shown.text
        answer = browser.post(f"/alerts/{alert}/acknowledge", data={"note": "ToO sent"})
        assert "is acknowledged: no further reminders are sent." in answer.text
        assert "acknowledged by ana" in answer.text


def text_of(message: dict[str, Any]) -> str:
    return str(message.get("text") or message.get("caption") or "")


@pytest.mark.timeout(300)
def test_a_flare_from_its_first_point_to_its_end(tmp_path: Path) -> None:
    frames = take_night(PLAN, tmp_path / "frames")
    mailbox = Mailbox(tmp_path / "mailbox")
    mailbox.start()
    page = free_port()
    with BotServer(tmp_path / "telegram") as bot:
        site = make_site(tmp_path / "site", PLAN, more=MORE.format(
            port=mailbox.port, page=page, api=bot.url, threshold=15.1, clear=15.3))
        (site / "token").write_text(bot.token, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "iop4d", "--site", str(site), "users", "add", "ana",
                        "--password-stdin"], input=PASSWORD, text=True, check=True, timeout=60)
        service = Service(site, "run")
        web = Service(site, "web")
        try:
            for path in frames[:-6]:
                drop(path, site / "raw" / PLAN.night)
            said = until(lambda: [m for m in bot.said("7") if "bright" in text_of(m)], service)
            (alert,) = until(lambda: [a for a in iop4d(site, "alerts", "--json")
                                      if a["state"] == "firing"], service)
            assert alert["tag"] in text_of(said[0])
            assert said[0].get("photo")
            assert until(lambda: mailbox.wait_for(1, seconds=1), service)
            assert b"image/png" in mailbox.messages()[0].read_bytes()
            (draft,) = until(lambda: list((site / "drafts").glob("[!.]*/draft.txt")), service)
            assert "We report" in draft.read_text(encoding="utf-8")
            assert (draft.parent / "figure.png").exists()

            assert f"http://127.0.0.1:{page}/alerts/{alert['id']}" in text_of(said[0])
            assert len([m for m in said if "still" not in text_of(m)]) == 1

            until(lambda: len([m for m in bot.said("7") if "still" in text_of(m)]) > 1, service)
            acknowledge(page, alert["id"])
            (known,) = until(lambda: [a for a in iop4d(site, "alerts", "--json")
                                      if a["state"] == "acknowledged"], service)
            assert known["acknowledged_by"] == "ana"
            time.sleep(1.0)  # for what was on its way
            before = len(bot.said("7"))
            time.sleep(8.0)  # five times as long as it was told again before
            assert len(bot.said("7")) == before

            for path in frames[-6:]:
                drop(path, site / "raw" / PLAN.night)
            until(lambda: [m for m in bot.said("7") if "resolved at" in text_of(m)], service)
            assert iop4d(site, "alerts", "--json") == []
        finally:
            web.stop()
            service.stop()
            mailbox.stop()
