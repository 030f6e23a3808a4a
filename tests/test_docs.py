"""Documentation cannot rot: whatever a user can write or read is named in docs/."""

from __future__ import annotations

import tomllib
from pathlib import Path

import click
import pytest

from iop4d.cli import COMMANDS, LazyGroup
from iop4d.cli.tables import COLUMNS
from iop4d.config.site import ARRAYS, TABLES, keys_of
from iop4d.instruments.discovery import find_instruments
from iop4d.model.flags import DESCRIPTIONS, Flag

ROOT = Path(__file__).resolve().parents[1]
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
ALL = "\n".join([*DOCS.values(), (ROOT / "README.md").read_text(encoding="utf-8")])


@pytest.mark.parametrize("section", [*TABLES, *ARRAYS])
def test_every_key_of_the_site_file_is_described_in_its_section(section: str) -> None:
    title = f"## `[[{section}]]`" if section in ARRAYS else f"## `[{section}]`"
    assert title in DOCS["site-file.md"]
    text = DOCS["site-file.md"].split(title)[1].split("\n## ")[0]
    missing = [key for key in keys_of({**TABLES, **ARRAYS}[section]) if f"| `{key}` |" not in text]
    assert missing == []


def test_no_key_is_described_that_is_not_there() -> None:
    for part in DOCS["site-file.md"].split("\n## `")[1:]:
        section = part.split("`")[0].strip("[]")
        described = {line.split("`")[1] for line in part.splitlines() if line.startswith("| `")}
        assert described == set(keys_of({**TABLES, **ARRAYS}[section]))


def test_every_command_is_named() -> None:
    assert [name for name in COMMANDS if f"iop4d {name}" not in ALL] == []


def test_the_one_line_help_is_that_of_the_command() -> None:
    group = LazyGroup()
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.help, name


def test_every_flag_is_described() -> None:
    assert set(DESCRIPTIONS) == set(Flag)
    for flag, description in DESCRIPTIONS.items():
        assert f"| `{str(flag.name).lower()}` | {description} |" in DOCS["results.md"]


def test_every_column_is_described() -> None:
    assert [name for name in COLUMNS if f"`{name}`" not in DOCS["results.md"]] == []


def test_every_instrument_is_named() -> None:
    assert [i.name for i in find_instruments() if i.name not in ALL] == []


def test_every_form_of_every_quantity_is_described_with_an_example_that_is_understood() -> None:
    from iop4d.alerts.conditions import QUANTITIES, SYSTEM, Form, parse_condition

    rows = [line.split("`")[1] for line in DOCS["alerts.md"].splitlines()
            if line.startswith("| `")]
    read = {(condition.form, condition.quantity, condition.unit)
            for condition in map(parse_condition, rows)}
    found = {(form, quantity) for form, quantity, _ in read}
    assert found >= {(form, name) for form in (Form.VALUE, Form.CHANGE) for name in QUANTITIES}
    assert found >= {(Form.SYSTEM, name) for name in SYSTEM}
    assert {form for form, _ in found} == set(Form)
    assert {unit for form, _, unit in read if form is Form.CHANGE} >= {"mag", "%", "deg", "sigma"}


def _examples(*pages: str) -> list[str]:
    """The site files, or parts of them, that pages show."""
    return [part.split("```")[0] for page in pages for part in DOCS[page].split("```toml\n")[1:]]


def test_every_key_about_alerts_stands_in_an_example() -> None:
    from iop4d.config import Rule
    from iop4d.config.alerting import Alerts, Atel, Channel, Summary, Tag

    written: dict[str, set[str]] = {}
    for text in _examples(*DOCS):
        for section, content in tomllib.loads(text).items():
            for item in content if isinstance(content, list) else [content]:
                written.setdefault(section, set()).update(item)
    kinds = {"rule": Rule, "tag": Tag, "channel": Channel, "alerts": Alerts, "summary": Summary,
             "atel": Atel}
    missing = {section: set(kind.__dataclass_fields__) - written.get(section, set())
               for section, kind in kinds.items()}
    assert missing == {section: set() for section in kinds}


def test_the_examples_of_alerts_are_site_files(tmp_path: Path) -> None:
    from iop4d.alerts.engine import AlertEngine
    from iop4d.config.load import parse_site

    texts = [text for text in _examples("alerts.md", "channels.md", "summaries.md", "atel.md")
             if "[project" not in text]
    assert len(texts) > 8
    for text in texts:
        named = tomllib.loads(text)
        there = {channel["name"] for channel in named.get("channel", ())}
        wanted = {name for part in (*named.get("rule", ()), named.get("summary", {}))
                  for name in part.get("channels", ())}
        more = "".join(f'[[channel]]\nname = "{name}"\nto = ["a@example.org"]\n'
                       for name in sorted(wanted - there))
        AlertEngine(parse_site(f"{text}\n{more}", root=tmp_path), lambda: 0.0)


def test_every_kind_of_notice_is_named_to_those_who_receive_webhooks() -> None:
    from iop4d.alerts.compose import KINDS as OF_ALERTS
    from iop4d.alerts.compose import WRITTEN

    (row,) = (line for line in DOCS["channels.md"].splitlines() if line.startswith("| `kind`"))
    assert set(row.split("`")[3::2]) == {*OF_ALERTS, *WRITTEN, "digest", "system"}


def test_every_kind_of_channel_has_an_example_that_is_a_site_file(tmp_path: Path) -> None:
    from iop4d.alerts.channels.base import KINDS
    from iop4d.config.load import parse_site

    sites = [parse_site(text, root=tmp_path) for text in _examples("channels.md")
             if "[[channel]]" in text]
    assert {channel.kind for site in sites for channel in site.channel} >= set(KINDS)


def test_every_decision_has_its_number_and_title() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"# {int(path.name[:4])}. ")
