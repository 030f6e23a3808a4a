"""A source flares: mail, Telegram message, draft, acknowledged, over; through the real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iop4d.simulator.botserver import BotServer
from iop4d.simulator.checks import drop, make_site, take_night
from iop4d.simulator.mailbox import Mailbox
from iop4d.simulator.night import Flare, NightPlan
from iop4d.simulator.service import Service

PLAN = NightPlan(seed=21, fields=("3C345",), frames=14, n_bias=3, n_flat=3,
                 flare=Flare(start=0.06, rise=0.05, mag=1.0, fall=1.0))
MORE = """
[site]
url = "http://127.0.0.1:8765"

[alerts]
max_age = 0

[atel]
authors = ["A. Observer (here)"]

[[rule]]
name = "bright"
source = "3C345"
condition = "mag < {threshold}"
clear = "mag > {clear}"
severity = "atel"
tell_end = true
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
commands = true
api = "{api}"
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


def text_of(message: dict[str, Any]) -> str:
    return str(message.get("text") or message.get("caption") or "")


def test_a_flare_from_its_first_point_to_its_end(tmp_path: Path) -> None:
    frames = take_night(PLAN, tmp_path / "frames")
    mailbox = Mailbox(tmp_path / "mailbox")
    mailbox.start()
    with BotServer(tmp_path / "telegram") as bot:
        site = make_site(tmp_path / "site", PLAN, more=MORE.format(
            port=mailbox.port, api=bot.url, threshold=15.1, clear=15.3))
        (site / "token").write_text(bot.token, encoding="utf-8")
        service = Service(site, "run")
        try:
            for path in frames[:-5]:
                drop(path, site / "raw" / PLAN.night)
            said = until(lambda: [m for m in bot.said("7") if "bright" in text_of(m)], service)
            (alert,) = until(lambda: [a for a in iop4d(site, "alerts", "--json")
                                      if a["state"] == "firing"], service)
            assert alert["tag"] in text_of(said[0])
            assert said[0].get("photo")
            assert until(lambda: mailbox.wait_for(1, seconds=1), service)
            assert b"image/png" in mailbox.messages()[0].read_bytes()
            (draft,) = until(lambda: list((site / "drafts").glob("*/draft.txt")), service)
            assert "We report" in draft.read_text(encoding="utf-8")
            assert (draft.parent / "figure.png").exists()

            bot.hear(7, f"/ack {alert['tag']}", user="ana")
            until(lambda: [m for m in bot.said("7")
                           if "is acknowledged by ana" in text_of(m)], service)
            (known,) = iop4d(site, "alerts", "--json")
            assert (known["state"], known["acknowledged_by"]) == ("acknowledged", "ana")

            for path in frames[-5:]:
                drop(path, site / "raw" / PLAN.night)
            until(lambda: [m for m in bot.said("7") if "has ended" in text_of(m)], service)
            assert iop4d(site, "alerts", "--json") == []
        finally:
            service.stop()
            mailbox.stop()
