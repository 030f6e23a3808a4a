"""The services under a systemd that booted: what its units allow, and what it does with them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.servers import free_port
from iop4d.simulator.sky import field_of
from tests.support import real_mail_server, real_servers
from tests.support.booted_systemd import (
    ACCOUNT,
    PYTHON,
    PYTHON_OF_HOME,
    Machine,
    booted_systemd,
)
from tests.support.certificates import certificate
from tests.support.real_mail_server import running_postfix
from tests.support.sites import take_night

pytestmark = [pytest.mark.realserver, pytest.mark.timeout(400)]

SITE = "/srv/my site 100%"
INDEX = "/opt/iop4d/iop4d/simulator/data/index"
#: One or two nights before the present one, whatever the hour and the telescope's longitude: its
#: frames are of the past. ``lookback_nights`` is 3 here, should noon pass before it is looked for.
NIGHT = (datetime.now(tz=UTC) - timedelta(hours=60)).date()
PLAN = NightPlan(seed=5, night=NIGHT.isoformat(), fields=("S50716+714",), frames=1,
                 exptime_s=60.0, n_bias=3, n_flat=3)
WEB = """\
[web]
port = {port}

[daemon]
workers = 1
settle_after_scan = 0.2

[masters]
build_delay = 0.1
"""
REMOTE = """\
[[archive]]
name = "AndorT90"
path = "raw"
kind = "ftp"
host = "127.0.0.1"
port = {ftp}
user = "{user}"
password_credential = "t090"
tls = "explicit"
ca_file = "ca.pem"
night_folder = "/{{night:%Y%m%d}}"
poll_interval = 0.5
poll_interval_day = 0.5
settle = 0.2
lookback_nights = 3

[[channel]]
name = "mail"
to = ["ana@example.org"]
host = "127.0.0.1"
port = {smtp}
user = "{mail_user}"
password_credential = "smtp"
tls = "starttls"
ca_file = "ca.pem"

[[rule]]
name = "seen"
source = "*"
band = "R"
condition = "mag < 25"
confirm = 1
channels = ["mail"]

[alerts]
max_age_hours = 0

[astrometry]
index = ["{index}"]
"""
DEAD = """\
[[archive]]
name = "dead"
kind = "ftp"
host = "127.0.0.1"
port = 1
user = "observer"
password_credential = "t090"
tls = "explicit"
"""
SFTP = """\
[[archive]]
name = "far"
kind = "sftp"
host = "127.0.0.1"
port = {port}
user = "{user}"
key_file = "key"
known_hosts = "known"
night_folder = "{root}/{{night:%Y%m%d}}"
poll_interval = 0.5
poll_interval_day = 0.5
settle = 0.2
lookback_nights = 3
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    with booted_systemd() as machine:
        yield machine


def put(machine: Machine, path: str, text: str, *, account: str = ACCOUNT) -> None:
    """Write a file of an account, and the folders that it stands in."""
    there = machine.path(path)
    parent = str(Path(path).parent)
    machine.ask("install", "-d", "-o", account, "-g", account, parent)
    there.write_text(text, encoding="utf-8")
    machine.ask("chown", f"{account}:", path)


def install(machine: Machine, site: str = SITE, *, python: str = PYTHON) -> str:
    """Write the units as root, and do what that says is next; the text of the daemon's."""
    said = machine.ask(python, "-m", "iop4d", "--site", site, "systemd", "install", "--system",
                       "--as", ACCOUNT)
    for line in said.splitlines():
        if line.startswith("  systemctl "):
            machine.ask(*line.split(), "--no-pager")
    return machine.path("/etc/systemd/system/iop4d.service").read_text()


def iop4d(machine: Machine, *words: str, site: str = SITE) -> str:
    """What the program says to the account of the services."""
    ran = machine.run(PYTHON, "-m", "iop4d", "--site", site, *words, account=ACCOUNT)
    return f"{ran.returncode}: {ran.stdout}{ran.stderr}"


def page(port: int) -> int:
    """The status with which the page answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=60) as answer:
        return int(answer.status)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def plain(machine: Machine, port: int) -> Machine:
    """A site whose folder has a space and a percent sign, with an archive beside it; it runs."""
    put(machine, f"{SITE}/iop4d.toml", '[[archive]]\nname = "raw"\npath = "/srv/raw"\n'
        + WEB.format(port=port))
    machine.ask("install", "-d", "/srv/raw")
    install(machine)
    return machine


def test_a_frame_is_fetched_reduced_and_told_with_the_secrets_of_the_manager(
        machine: Machine, port: int, tmp_path: Path) -> None:
    certificate(tmp_path)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    served = tmp_path / "served" / f"{NIGHT:%Y%m%d}"
    served.mkdir(parents=True)
    take_night(PLAN, served)
    with ExitStack() as stack:
        ftp = stack.enter_context(real_servers.running(
            "proftpd", tmp_path / "ftp", served.parent,
            real_servers.Wanted(tls="explicit", cert=cert, key=key)))
        mail = stack.enter_context(running_postfix(cert=cert, key=key))
        put(machine, f"{SITE}/iop4d.toml", WEB.format(port=port) + REMOTE.format(
            ftp=ftp.port, user=ftp.user, smtp=mail.port, mail_user=real_mail_server.USER,
            index=INDEX))
        put(machine, f"{SITE}/ca.pem", cert.read_text())
        put(machine, f"{SITE}/catalogue.csv",
            Night(PLAN).sky.catalogue_csv(PLAN.seed, fields=(field_of(PLAN.fields[0]),)))
        assert iop4d(machine, "catalogue", "import", f"{SITE}/catalogue.csv").startswith("0:")
        for name, secret in (("t090", ftp.password), ("smtp", real_mail_server.PASSWORD)):
            put(machine, f"/etc/iop4d/credentials/{name}", secret + "\n", account="root")
            machine.path(f"/etc/iop4d/credentials/{name}").chmod(0o600)
        text = install(machine)
        for line in ("ProtectHome=yes", "PrivateTmp=yes", "User=observer"):
            assert f"{line}\n" in text
        machine.wait(lambda: mail.mails("ana"))
        (told,) = mail.mails("ana")
        assert "S5" in str(told["Subject"])
    assert page(port) == 200
    machine.wait_for_status("7 done")  # it is written every few seconds


def test_a_wrong_site_file_leaves_the_daemon_as_it_is_and_a_right_one_reaches_it(
        plain: Machine) -> None:
    plain.wait_for_status("no frame yet")
    before = plain.properties("iop4d")
    right = plain.path(f"{SITE}/iop4d.toml").read_text()
    put(plain, f"{SITE}/iop4d.toml", right + "\n[daemonn]\nworkers = 2\n")
    plain.ask("systemctl", "reload", "iop4d")
    plain.wait_for_status("site file rejected")
    said = iop4d(plain, "reload")
    assert said.startswith("78:")
    assert "daemonn" in said
    assert "site file rejected" in plain.log("--unit=iop4d", "--priority=err")
    put(plain, f"{SITE}/iop4d.toml", right.replace("workers = 1", "workers = 2"))
    plain.ask("systemctl", "reload", "iop4d")
    plain.wait_for_status("no frame yet")
    plain.wait(lambda: "Site file reloaded" in iop4d(plain, "reload"))
    after = plain.properties("iop4d")
    assert (after["MainPID"], after["NRestarts"]) == (before["MainPID"], "0")
    assert "site file rejected" not in after["StatusText"]


def test_a_daemon_that_hangs_or_is_killed_comes_back_and_the_page_stays(
        plain: Machine, port: int) -> None:
    put(plain, "/etc/systemd/system/iop4d.service.d/override.conf",
        "[Service]\nWatchdogSec=8\nRestartSec=1\n", account="root")
    toml = plain.path(f"{SITE}/iop4d.toml")
    put(plain, f"{SITE}/iop4d.toml", toml.read_text().replace(str(port), str(port := free_port())))
    install(plain)  # what `systemctl edit` wrote outlives a new installation, which is in force
    for restarts, signal in ((0, "STOP"), (1, "KILL")):
        plain.wait_for_status("no frame yet")
        before = plain.properties("iop4d")["MainPID"]
        workers = plain.ask("cat", "/sys/fs/cgroup/system.slice/iop4d.service/cgroup.procs")
        assert before in workers.split()
        plain.ask("systemctl", "kill", f"--signal={signal}", "--kill-whom=main", "iop4d")
        while plain.properties("iop4d")["NRestarts"] == str(restarts):
            time.sleep(0.1)
        plain.wait_for_status("no frame yet")
        assert all(plain.run("kill", "-0", pid).returncode for pid in workers.split())
    assert plain.properties("iop4d")["WatchdogUSec"] == "8s"
    assert "Watchdog timeout" in plain.log("_PID=1")
    assert plain.properties("iop4d-web")["ActiveState"] == "inactive"
    assert page(port) == 200  # its socket starts it
    plain.ask("systemctl", "stop", "iop4d")
    assert page(port) == 200
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60)


def test_a_backup_that_was_missed_is_made_when_the_timer_starts_and_can_be_restored(
        plain: Machine) -> None:
    plain.wait_for_status("no frame yet")
    timer = plain.properties("iop4d-backup.timer")
    assert timer["ActiveState"] == "active"
    assert iop4d(plain, "backup", "--list").startswith("0: No backup")
    put(plain, "/etc/systemd/system/iop4d-backup.timer.d/override.conf",
        "[Timer]\nRandomizedDelaySec=0\n", account="root")
    plain.ask("systemctl", "daemon-reload")
    plain.ask("systemctl", "stop", "iop4d-backup.timer")
    plain.ask("touch", "--date=3 days ago", "/var/lib/systemd/timers/stamp-iop4d-backup.timer")
    plain.ask("systemctl", "start", "iop4d-backup.timer")  # as at the start of the machine
    plain.wait(lambda: plain.properties("iop4d-backup").get("ExecMainExitTimestamp"))
    ended = plain.properties("iop4d-backup")
    assert (ended["Result"], ended["ExecMainStatus"]) == ("success", "0"), plain.log()
    (made,) = plain.path(f"{SITE}/backups").iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
    following = plain.ask("systemctl", "list-timers", "iop4d-backup.timer", "--no-pager")
    assert "12:30:00 UTC" in following
    plain.ask("install", "-d", "-o", ACCOUNT, "-g", ACCOUNT, "/srv/restored")
    restored = iop4d(plain, "restore", f"{SITE}/backups/{made.name}", site="/srv/restored")
    assert restored.startswith("0:"), restored
    assert plain.properties("iop4d")["NRestarts"] == "0"
    again = plain.properties("iop4d-backup")["ExecMainExitTimestamp"]
    assert again == ended["ExecMainExitTimestamp"]


def test_it_does_not_start_again_for_what_another_start_cannot_mend(plain: Machine) -> None:
    right = plain.path(f"{SITE}/iop4d.toml").read_text()
    plain.ask("systemctl", "stop", "iop4d")
    put(plain, f"{SITE}/iop4d.toml", right + "wrong = 1\n")
    assert plain.run("systemctl", "start", "iop4d").returncode
    found = plain.properties("iop4d")
    assert (found["ExecMainStatus"], found["NRestarts"], found["ActiveState"]) == (
        "78", "0", "failed")
    put(plain, f"{SITE}/iop4d.toml", right + '[[rule]]\nname = "x"\ncondition = "mag < a"\n'
        + DEAD.replace('password_credential = "t090"', 'path = "/srv/not there/yet"'))
    install(plain)
    plain.wait_for_status("running without the rule 'x'")
    assert "'/srv/not there'" in iop4d(plain, "status")


def test_an_sftp_archive_is_reached_while_the_homes_are_hidden(
        machine: Machine, port: int, place: Path) -> None:
    night = place / "served" / f"{NIGHT:%Y%m%d}"
    night.mkdir(parents=True)
    (night / "a.fits").write_text("no FITS file")
    with real_servers.running_sshd(place / "server", night.parent) as (server, key, known):
        for name, path in (("key", key), ("known", known)):
            put(machine, f"{SITE}/{name}", path.read_text())
            machine.path(f"{SITE}/{name}").chmod(0o600)
        put(machine, f"{SITE}/iop4d.toml", WEB.format(port=port) + SFTP.format(
            port=server.port, user=server.user, root=night.parent))
        machine.ask("install", "-d", "-m", "700", "-o", ACCOUNT, "/home/observer/.ssh")
        assert "ProtectHome=yes\n" in install(machine)
        machine.wait(lambda: "a.fits" in iop4d(machine, "status", "--all"))


def test_what_it_needs_of_the_homes_is_there(machine: Machine, port: int) -> None:
    put(machine, "/home/observer/raw/2026-11-26/a.fits", "no FITS file")
    put(machine, "/home/observer/site/iop4d.toml",
        '[[archive]]\nname = "raw"\npath = "/home/observer/raw"\n' + WEB.format(port=port))
    machine.ask("ln", "-s", "/home/observer/site", "/srv/link")
    text = install(machine, "/srv/link", python=PYTHON_OF_HOME)
    assert "ProtectHome=read-only\n" in text
    machine.wait(lambda: "a.fits" in iop4d(machine, "status", "--all", site="/srv/link"))
    assert page(port) == 200


def test_a_user_s_own_manager_runs_it(machine: Machine, port: int) -> None:
    site = "/home/observer/my site"
    number = machine.ask("id", "--user", ACCOUNT).strip()
    put(machine, f"{site}/iop4d.toml", WEB.format(port=port) + DEAD)
    machine.ask("mkdir", "-p", "/home/observer/.config/iop4d", account=ACCOUNT)
    put(machine, "/home/observer/.config/iop4d/credentials/t090", "secret")
    put(machine, "/etc/systemd/system/manager.service",
        f"[Service]\nType=notify\nUser={ACCOUNT}\nDelegate=yes\n"
        f"Environment=XDG_RUNTIME_DIR=/run/user/{number}\n"
        "ExecStart=/lib/systemd/systemd --user\n", account="root")
    machine.ask("install", "-d", "-o", ACCOUNT, "-m", "700", f"/run/user/{number}")
    machine.ask("systemctl", "daemon-reload")
    machine.ask("systemctl", "start", "manager")
    assert "enable-linger" in iop4d(machine, "systemd", "install", "--user", site=site)
    own = ("env", f"XDG_RUNTIME_DIR=/run/user/{number}", "systemctl", "--user")
    machine.ask(*own, "daemon-reload", account=ACCOUNT)
    machine.ask(*own, "enable", "--now", "iop4d.service", "iop4d-web.socket", account=ACCOUNT)
    machine.wait(lambda: "no frame yet" in machine.ask(*own, "status", "iop4d", account=ACCOUNT))
    machine.wait(lambda: "127.0.0.1:1 refused the connection" in iop4d(machine, "status",
                                                                        site=site))
    assert page(port) == 200
