"""Documentation cannot rot: whatever a user can write or read is named in docs/."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import ModuleType

import click
import pytest

from iop4d.cli import COMMANDS, LazyGroup
from iop4d.config.renamed import KEYS
from iop4d.config.site import ARRAYS, TABLES, keys_of
from iop4d.instruments.discovery import find_instruments
from iop4d.model.flags import DESCRIPTIONS, Flag
from iop4d.reduction.product_cards import OF_MASTER, OF_REDUCED
from iop4d.store.tables.results import FIRST, MORE
from iop4d.web.menu import ENTRIES

ROOT = Path(__file__).resolve().parents[1]
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL = "\n".join([*DOCS.values(), README])


def _tables(section: str) -> dict[str, dict[str, list[str]]]:
    """The tables of a section's reference: of all kinds (""), and of each kind its own; by key."""
    title = f"## `[[{section}]]`" if section in ARRAYS else f"## `[{section}]`"
    parts = DOCS["site-file.md"].split(title)[1].split("\n## ")[0].split("\n### ")
    return {part.split("`")[1] if number else "": {
        line.split("`")[1]: [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in part.splitlines() if line.startswith("| `")}
        for number, part in enumerate(parts)}


@pytest.mark.parametrize(("section", "kind", "cls"), [
    *((name, "", cls) for name, cls in TABLES.items()),
    *((name, kind, cls) for name, kinds in ARRAYS.items() for kind, cls in kinds.items())])
def test_the_reference_of_the_site_file_says_each_key_with_its_default_and_meaning(
        section: str, kind: str, cls: type) -> None:
    tables = _tables(section)
    described = tables[""] | (tables[kind] if kind else {})
    assert list(described) == list(keys_of(cls))
    for field in fields(cls):
        if kind and field.name == "kind":
            continue
        _, default, meaning = described[field.name]
        assert (default, meaning) == row_of(field), row_of(field)


def row_of(field: Field[object]) -> tuple[str, str]:
    """What the reference says of a key: its default, and what it is."""
    value = MISSING if field.default is MISSING else field.default
    if field.default_factory is not MISSING:
        value = field.default_factory()
    if value is MISSING:
        default = "**required**"
    elif value in ("", None):
        default = "empty"
    elif value == Path():
        default = "`raw/NAME`"
    elif isinstance(value, float) and math.isnan(value):
        default = "unset"
    else:
        default = f"`{json.dumps(value, ensure_ascii=False)}`".replace(".0`", "`")
    check = f" Expected: {field.metadata['check'][0]}." if field.metadata["check"] else ""
    text = f"{field.metadata['doc']}{check}".replace("{night:", "{night:")
    return default.replace("\\\\", "\\").replace("|", "\\|"), text.replace("|", "\\|")


@pytest.mark.parametrize("name", DOCS)
def test_no_heading_stands_twice_in_a_part_of_a_page(name: str) -> None:
    for part in re.split(r"^## ", DOCS[name], flags=re.MULTILINE):
        titles = re.findall(r"^### .*", part, flags=re.MULTILINE)
        assert len(set(titles)) == len(titles), part.splitlines()[0]


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
    assert [column.name for column in FIRST + MORE
            if f"`{column.name}`" not in DOCS["results.md"]] == []


def test_every_card_of_a_product_is_described() -> None:
    assert [name for name in (*OF_REDUCED, *OF_MASTER)
            if f"| `{name}` |" not in DOCS["results.md"]] == []


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


def _of_sphinx(module: str) -> ModuleType:
    """A module beside the configuration of Sphinx, which needs no Sphinx itself."""
    path = ROOT / "docs" / "sphinx" / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"docs_{module}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_page_has_its_place_in_the_documentation() -> None:
    sections = _of_sphinx("sections").SECTIONS
    placed = [page for _, _, pages in sections.values() for page in pages]
    made = {f"reference/{name}" for name in _of_sphinx("reference").PAGES}
    assert len(set(placed)) == len(placed)
    notebooks = {f"notebooks/{path.stem}" for path in (ROOT / "docs" / "notebooks").glob("*.py")}
    assert set(placed) == made | notebooks | {"decisions/index", "changelog"} | {
        path.stem for path in (ROOT / "docs").glob("*.md")}


def test_no_notebook_hides_a_module() -> None:
    """An old fault: a notebook astrometry.py was imported by its neighbours as the solver."""
    names = [path.stem for path in (ROOT / "docs" / "notebooks").glob("*.py")]
    assert len(names) == 10
    assert [name for name in names if importlib.util.find_spec(name) is not None] == []


def test_the_reference_has_every_command_column_and_address() -> None:
    from iop4d.store.tables import LISTINGS
    from iop4d.web.v1.openapi import described

    pages = {name: page() for name, page in _of_sphinx("reference").PAGES.items()}
    assert [name for name in COMMANDS if f"## iop4d {name}\n" not in pages["commands"]] == []
    assert "### iop4d catalogue import\n" in pages["commands"]
    assert "| `-q, --quiet` | Log warnings" in pages["commands"]
    for listing in LISTINGS.values():
        rows = pages["columns"].split(f"## {listing.words}\n")[1].split("\n## ")[0]
        assert [c.name for c in listing.columns if f"| `{c.name}` |" not in rows] == []
    assert [path for path in described("0")["paths"]
            if f"## `GET {path}`" not in pages["addresses"]] == []


def test_the_examples_of_each_telescope_are_site_files(tmp_path: Path) -> None:
    from iop4d.config.load import parse_site

    sites = [parse_site(text, root=tmp_path) for text in _examples("telescopes.md")]
    telescopes = {archive.telescope for site in sites for archive in site.archive}
    assert telescopes == {i.telescope.name for i in find_instruments()}


def _examples(*pages: str) -> list[str]:
    """The site files, or parts of them, that pages show."""
    return [part.split("```")[0] for page in pages for part in DOCS[page].split("```toml\n")[1:]]


def test_every_key_about_alerts_stands_in_an_example() -> None:
    from iop4d.config import Rule
    from iop4d.config.alerting import Alerts, Atel, Summary, Tag

    written: dict[str, set[str]] = {}
    for text in _examples(*DOCS):
        for section, content in tomllib.loads(text).items():
            for item in content if isinstance(content, list) else [content]:
                written.setdefault(section, set()).update(item)
    kinds = {"rule": [Rule], "tag": [Tag], "alerts": [Alerts], "summary": [Summary],
             "atel": [Atel], "channel": ARRAYS["channel"].values()}
    missing = {section: {key for cls in classes for key in keys_of(cls)}
               - written.get(section, set()) for section, classes in kinds.items()}
    assert missing == {section: set() for section in kinds}


def test_the_examples_of_alerts_are_site_files(tmp_path: Path) -> None:
    from iop4d.alerts.engine import AlertEngine
    from iop4d.config.load import parse_site

    texts = [text for text in _examples("alerts.md", "channels.md", "summaries.md", "atel.md")
             if "[project" not in text]
    assert len(texts) > 8
    watched = '[[archive]]\nname = "t090"\ntelescope = "OSN-T090"\n'
    for text in texts:
        named = tomllib.loads(text)
        there = {channel["name"] for channel in named.get("channel", ())}
        wanted = {name for part in (*named.get("rule", ()), named.get("summary", {}))
                  for name in part.get("channels", ())}
        more = "".join(f'[[channel]]\nname = "{name}"\nto = ["a@example.org"]\n'
                       for name in sorted(wanted - there))
        AlertEngine(parse_site(f"{text}\n{watched}\n{more}", root=tmp_path), lambda: 0.0)


def test_every_kind_of_notice_is_named_to_those_who_receive_webhooks() -> None:
    from iop4d.model.states import MessageKind

    (row,) = (line for line in DOCS["channels.md"].splitlines() if line.startswith("| `kind`"))
    assert set(row.split("`")[3::2]) == set(MessageKind)


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


def test_the_architecture_has_a_paragraph_on_every_folder_of_the_code() -> None:
    folders = {path.parent.name for path in (ROOT / "iop4d").glob("*/__init__.py")}
    described = set(re.findall(r"^\*\*\[(?:iop4d/)?(\w+)\]", DOCS["architecture.md"], re.MULTILINE))
    described |= set(re.findall(r"\*\*\[(\w+)\]\(\.\./\1/\)\*\* holds", DOCS["architecture.md"]))
    assert folders - described == set()


def test_the_architecture_names_functions_and_constants_that_are_there() -> None:
    rows = re.findall(r"^\| [^|]+\| (.+) \|$", DOCS["architecture.md"], re.MULTILINE)
    named = [(path, name) for row in rows for path, name in re.findall(
        r"\(\.\./([\w/]+\.py)\): `(\w+)`", row)]
    assert len(named) >= 6
    for path, name in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(def |class )?{name}\b", text, re.MULTILINE), (path, name)


@pytest.mark.parametrize("name", sorted(DOCS))
def test_a_link_of_the_documentation_leads_somewhere(name: str) -> None:
    place = ROOT / "docs" / ("decisions" if re.match(r"\d{4}-", name) else "")
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", DOCS[name]):
        if "://" not in link:
            assert (place / link).exists(), link


def test_a_key_that_is_named_is_one_and_has_its_present_name() -> None:
    """The page of polarimetry had the former name of a key."""
    keys = {name: set(keys_of(cls)) for name, cls in TABLES.items()} | {
        name: {key for cls in kinds.values() for key in keys_of(cls)}
        for name, kinds in ARRAYS.items()}
    present = set().union(*keys.values())
    former = {old for renamed in KEYS.values() for old in renamed if "_" in old} - present
    for name, text in {**DOCS, "README.md": README}.items():
        flat = " ".join(text.split())
        for section, key in re.findall(r"`\[{1,2}([a-z_]+)\]{1,2} ([a-z_]+)", flat):
            assert key in keys[section], (name, section, key)
        assert not former & set(re.findall(r"`([a-z_]+)`", flat)), name


def test_a_page_that_is_named_stands_in_the_menu() -> None:
    """One sent to a page Failed, another to a page Drafts, which there are not."""
    pages = {entry.name: [name for _, name, _ in entry.pages] for entry in ENTRIES}
    others = {"Client Credentials", "Notices"}  # of GCN
    for name, text in DOCS.items():
        flat = " ".join(text.split())
        for entry, rest in re.findall(rf"\*\*({'|'.join(pages)})\*\*, ([A-Z].{{30}})", flat):
            assert any(rest.startswith(page) for page in pages[entry]), (name, entry, rest)
        for word in re.findall(r"(?:page|under) \*([A-Z][^*]+)\*", flat):
            assert word in {*pages, *others}, (name, word)


def test_what_iop4_s_pages_do_is_shown_by_tests_that_are_there() -> None:
    text = DOCS["moving-from-iop4.md"].split("## Where IOP4's pages are")[1]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    named = [re.search(r"`([\w/]+\.py)::(test_\w+)` \|$", row) for row in rows]
    assert len(rows) == 43
    for row, found in zip(rows, named, strict=True):
        assert found is not None, row
        code = (ROOT / "tests" / "web" / found[1]).read_text(encoding="utf-8")
        assert f"def {found[2]}(" in code, row
