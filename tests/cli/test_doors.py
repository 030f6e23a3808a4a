"""Every command has the same options of the log, JSON where a program may read, one grammar of
nights and times, and lines as wide as the terminal."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from iop4d.cli import cli
from iop4d.cli.common import Context, load, set_up_logging
from iop4d.store.database import Database
from iop4d.store.schema import Frame, Master
from iop4d.store.schema import Result as Row

JD = 2460384.25  # 2024-03-14T18:00


def commands(group: click.Group, words: tuple[str, ...] = (),
             ) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site that is only read, with two nights of results, a frame that failed, a master."""
    root = tmp_path_factory.mktemp("site")
    (root / "iop4d.toml").write_text("""
[[archive]]
name = "raw"
[[channel]]
name = "mail"
to = ["a@example.org"]
[[rule]]
name = "bright"
condition = "mag < 13"
channels = ["mail"]
""", encoding="utf-8")
    database = Database(root / "iop4d.db")
    with database.write() as tx:
        for number, (night, instrument, mode, flags) in enumerate([
                ("2024-03-13", "DIPOL", "polarimetry", 0), ("2024-03-14", "AndorT90", "photometry",
                0), ("2024-03-14", "AndorT90", "photometry", 1)]):
            tx.create(Row, key=str(number), source="BL Lac", telescope="T", instrument=instrument,
                      mode=mode, night=night, band="R", jd_mid=JD - 1 + number, exptime_s=1.0,
                      mag=14.0, flags=flags, created_at=1.0, changed_at=1.0)
        tx.create(Frame, archive="raw", path="/raw/a.fits", name="a.fits", night="2024-03-14",
                  telescope="T", size=1, mtime_ns=1, state="failed", reason="clouds",
                  completed_at=0.0, seen_at=0.0, changed_at=0.0)
        tx.create(Master, key="m", kind="bias", instrument="DIPOL", night="2024-03-14", layout="x",
                  state="ready", n_frames=1, level=float("nan"), changed_at=1.0, telescope="T")
    database.close()
    assert call(root, "catalogue", "import", "builtin:blazars").exit_code == 0
    return root


def call(site: Path, *words: str, **env: str) -> Result:
    return CliRunner().invoke(cli, ["--site", str(site), *words], env=env)


@pytest.mark.parametrize(("words", "command"), [
    pytest.param(*one, id=" ".join(one[0])) for one in commands(cli)])
def test_more_and_less_of_the_log_can_be_asked_for_behind_each_name(
        words: tuple[str, ...], command: click.Command) -> None:
    names = {name for option in command.params for name in option.opts}
    assert {"-v", "-q"} <= names
    without_site = ("init", "demo", "docs", "samp", "completion")
    of_files = (("instruments", "draft"), ("instruments", "split"))
    if words[0] not in without_site and words not in of_files:
        assert {"--site", "-o"} <= names


@pytest.mark.parametrize("words", [
    "catalogue list", "catalogue list --kind target", "catalogue show BLLac", "archives",
    "masters list", "instruments list", "channels", "rules", "users", "alerts", "status",
    "reprocess --failed --dry-run", "retry --failed --dry-run"])
def test_programs_read_json(site: Path, words: str) -> None:
    ran = call(site, *words.split(), "--json")
    assert ran.exit_code in (0, 1), ran.output
    found = json.loads(ran.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert found or words in ("users", "alerts")


#: Commands without --json, and why no program needs it. What is not here has it.
_TABLES = "it writes a table or a file in a form that programs read"
_DOES = "it does one thing; programs read the exit code, and the thing by the list of its kind"
_STAYS = "it runs until it is stopped"
WITHOUT_JSON = {
    **dict.fromkeys((
        "results", "catalogue export", "catalogue find-calibrators", "instruments draft",
        "completion", "docs", "systemd install", "users token add"), _TABLES),
    **dict.fromkeys((
        "init", "catalogue import", "catalogue remove", "catalogue rename", "external remove",
        "archives fetch",
        "masters reject", "masters restore", "index", "reload", "reduce", "samp", "flag", "ignore",
        "rules add", "rules change", "rules mute", "rules new", "rules remove", "rules unmute",
        "alerts ack", "alerts snooze", "triggers add", "triggers end", "users add", "users remove",
        "users role", "users token revoke", "store copy", "store rename-node"), _DOES),
    **dict.fromkeys(("run", "web", "shell", "demo"), _STAYS)}


def callable_groups(group: click.Group, words: tuple[str, ...] = (),
                    ) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Groups that do something of their own, such as to list."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield (*words, name), command
            yield from callable_groups(command, (*words, name))


def test_programs_read_json_of_every_command_or_there_is_a_reason_why_not() -> None:
    every = {" ".join(words): command
             for words, command in (*commands(cli), *callable_groups(cli))}
    has = {words for words, command in every.items()
           if any("--json" in option.opts for option in command.params)}
    assert set(every) - has == set(WITHOUT_JSON)
    assert "archives" in has


def test_json_of_what_the_catalogue_and_the_archives_are_checked_for(site: Path) -> None:
    assert json.loads(call(site, "catalogue", "check", "--json").stdout)["pairs"] == []
    assert json.loads(call(site, "catalogue", "check-calibrators", "BLLac", "--json").stdout) == []
    folder = site / "raw" / "raw"
    folder.mkdir(parents=True)
    (folder / "a.fits").touch()
    try:
        assert json.loads(call(site, "archives", "check", "raw", "--json").stdout) == {
            "path": str(folder), "files": 1, "wanted": 1}
    finally:
        (folder / "a.fits").unlink()
        folder.rmdir()


def test_json_says_what_the_lists_say(site: Path) -> None:
    assert json.loads(call(site, "retry", "--failed", "--dry-run", "--json").stdout) == [
        {"id": 1, "name": "a.fits", "reason": "clouds"}]
    (archive,) = json.loads(call(site, "archives", "--json").stdout)
    assert (archive["name"], archive["kind"], archive["now"]) == ("raw", "folder", None)
    (master,) = json.loads(call(site, "masters", "list", "--json").stdout)
    assert (master["id"], master["level"], master["n_frames"]) == (1, None, 1)
    (rule,) = json.loads(call(site, "rules", "--json").stdout)["rules"]
    assert (rule["name"], rule["active"], rule["channels"]) == ("bright", 0, ["mail"])
    show = json.loads(call(site, "catalogue", "show", "BLLac", "--json").stdout)
    assert show["kind"] == "target"
    assert show["calibrators"]


@pytest.mark.parametrize(("words", "ids"), [
    ("--night 2024-03-14", "23"), ("--night 240313", "1"), ("--night 60383.7", "23"),
    ("--night 2024-03-14T23:00", "23"), ("--instrument DIPOL", "1"), ("--mode photometry", "23"),
    ("--good", "12"), ("--good --night 20240314", "2"), ("--since 240314", "23"),
    ("--since yesterday", ""), ("--until 20240314", "1")])
def test_results_of_a_night_an_instrument_a_mode_and_the_good_ones(site: Path, words: str,
                                                                   ids: str) -> None:
    ran = call(site, "results", *words.split())
    assert ran.exit_code == 0, ran.output
    assert "".join(line.split(",")[0] for line in ran.stdout.splitlines()[1:]) == ids


@pytest.mark.parametrize("said", ["14/3/2024", "2024-13-01", "", "2024-03-14T25:00"])
@pytest.mark.parametrize("words", [
    "results --night", "results --since", "results --until", "reprocess --night", "retry --night",
    "masters list --night", "summary", "calibrate-polarisation DIPOL --since",
    "calibrate-colours DIPOL --until", "atel BLLac --since", "rules test bright --since"])
def test_what_is_no_time_is_refused_everywhere(site: Path, words: str, said: str) -> None:
    ran = call(site, *words.split(), said)
    assert ran.exit_code in (1, 2)
    assert re.search("not a (night|time)", ran.output + str(ran.exception)), ran.output


@pytest.mark.parametrize(("words", "said"), [
    ("results --band Q", "no result and no source has the band 'Q'"),
    ("results --instrument Foo", "no instrument is named 'Foo'"),
    ("results --mode foo", "Invalid value for '--mode'"),
    ("results --since 2024-03-15 --until 2024-03-14", "--until is before --since"),
    ("calibrate-polarisation DIPOL --since 2024-03-15 --until 2024-03-14", "before --since"),
    ("retry --failed --archive nope", "no archive is named 'nope'; there are raw"),
    ("masters list --instrument Foo", "no instrument is named 'Foo'"),
    ("status --watch nan", "'nan' is not a valid number"),
    ("status --watch inf", "'inf' is not a valid number"),
    ("triggers add BLLac --hours nan", "'nan' is not a valid number"),
    ("prune --reduced-max-gb nan --dry-run", "'nan' is not a valid number"),
    ("index x --stars y --radius nan", "'nan' is not a valid number")])
def test_filters_of_what_there_is_not_are_refused(site: Path, words: str, said: str) -> None:
    ran = call(site, *words.split())
    assert ran.exit_code in (1, 2)
    assert said in ran.output + str(ran.exception)


@pytest.mark.parametrize("columns", ["60", "80"])
@pytest.mark.parametrize("words", [
    "instruments list", "masters list", "catalogue list", "catalogue show BLLac", "rules",
    "reprocess --failed --dry-run", "explain 1", "status", "status --all"])
def test_lines_fit_the_terminal(site: Path, words: str, columns: str) -> None:
    ran = call(site, *words.split(), COLUMNS=columns)
    assert ran.exit_code == 0, ran.output
    assert max(map(len, ran.output.splitlines())) <= int(columns)
    assert ran.output.splitlines()


def test_into_a_pipe_lines_are_whole(site: Path) -> None:
    assert len(call(site, "instruments", "list").output.splitlines()) == 5


def test_one_is_not_said_as_several(site: Path) -> None:
    assert "1 frame\n" in call(site, "retry", "--failed", "--dry-run").output
    assert "1 frame\n" in call(site, "masters", "list").output


def test_the_log_has_the_date_in_utc_whatever_the_zone(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    before = logging.getLogger().handlers[:]
    try:
        set_up_logging(click.Context(cli))
        record = logging.LogRecord("x", logging.INFO, "", 0, "ready", None, None)
        record.created = 0.0
        logging.getLogger().handlers[0].handle(record)
        logging.getLogger("peewee").debug("SELECT")
    finally:
        logging.getLogger().handlers[:] = before
    assert capsys.readouterr().err == "1970-01-01 00:00:00 UTC INFO    ready\n"


def test_the_documentation_is_installed_and_shown(site: Path) -> None:
    listed = call(site, "docs").stdout.splitlines()
    assert "alerts" in [line.split()[0] for line in listed]
    assert len(listed) == len(list((Path(__file__).parents[2] / "docs").glob("*.md")))
    for said in ("alerts", "docs/alerts.md"):
        assert call(site, "docs", said).stdout.startswith("# ")
    assert "did you mean alerts?" in str(call(site, "docs", "alrets").exception)
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]
    assert data["iop4d.docs"] == ["*.md", "*.json"]


def groups(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Group]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield " ".join((*words, name)), command
            yield from groups(command, (*words, name))


@pytest.mark.parametrize(("words", "group"), [
    pytest.param(words, group, id=words) for words, group in groups(cli)
    if any(param.name == "site_after" for param in group.params)])
def test_a_site_named_before_the_word_of_a_command_is_the_one_it_is_for(
        words: str, group: click.Group, site: Path) -> None:
    """``iop4d users --site DIR add ana`` was for the site of the present folder."""
    above = click.Context(cli, obj=Context(folder="/nowhere", overrides=("web.threads=9",)))
    for name in group.list_commands(above):
        given = group.make_context(words, [
            "--site", str(site), "-o", "web.port=1234", name], parent=above)
        command = group.get_command(given, name)
        assert command is not None
        found = load(click.Context(command, parent=given), None, ("web.max_streams=3",))
        assert (found.root, found.web.port) == (site, 1234)
        assert (found.web.threads, found.web.max_streams) == (9, 3)
