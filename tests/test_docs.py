"""Documentation cannot rot: whatever a user can write or read is named in docs/."""

from __future__ import annotations

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


def test_every_quantity_of_a_rule_is_described_with_an_example_that_is_understood() -> None:
    from iop4d.alerts.conditions import QUANTITIES, SYSTEM, parse_condition

    rows = [line.split("`")[1] for line in DOCS["alerts.md"].splitlines()
            if line.startswith("| `")]
    read = [parse_condition(row) for row in rows]
    assert {condition.quantity for condition in read} >= {*QUANTITIES, *SYSTEM}


def test_every_kind_of_channel_has_an_example_that_is_a_site_file(tmp_path: Path) -> None:
    from iop4d.alerts.channels import KINDS
    from iop4d.config.load import parse_site

    examples = [part.split("```")[0] for part in DOCS["channels.md"].split("```toml\n")[1:]]
    sites = [parse_site(text, root=tmp_path) for text in examples if "[[channel]]" in text]
    assert {channel.kind for site in sites for channel in site.channel} >= set(KINDS)


def test_the_examples_of_rules_are_understood(tmp_path: Path) -> None:
    from iop4d.alerts.rules import understand
    from iop4d.config.load import parse_site

    (example, *_) = DOCS["alerts.md"].split("```toml\n")[1:]
    site = parse_site(example.split("```")[0].replace('channels = ["mail"]', ""), root=tmp_path)
    assert [str(understand(rule).condition) for rule in site.rule] == ["change mag < -0.5"]


def test_every_decision_has_its_number_and_title() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(f"# {int(path.name[:4])}. ")
