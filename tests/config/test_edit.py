"""Rules of the site file are changed and removed, and everything else in it stays as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from iop4d.config.edit import rule_as_written, with_changed_rule, with_rule, without_rule
from iop4d.model.errors import ConfigError

TEXT = """# Our site.
[site]
name = "Calar Bajo"   # in the valley

# Those who watch at night want this one.
[[rule]]
name = "bright"                    # by its old name
source = "BL Lac"
sources = [
    "BL Lac",   # the first
    "3C 345",
]
condition = "mag < 13.0"           # of winter
confirm = 3
# muted = true

[[rule]]
name = "flare # 2"
condition = 'change mag < -0.5' # half a magnitude
channels = []

[alerts]
max_age_hours = 24.0   # a day
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "iop4d.toml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def changed(root: Path, name: str, **keys: Any) -> str:
    return with_changed_rule(root, name, rule_as_written(root, name) | keys)[0]


def test_only_the_lines_of_keys_that_change_are_other_lines(root: Path) -> None:
    text = changed(root, "bright", condition="mag < 12.5", max_err=0.05)
    assert text == TEXT.replace(
        '"mag < 13.0"           #', '"mag < 12.5"  #').replace(
        "confirm = 3\n", "confirm = 3\nmax_err = 0.05\n")
    assert changed(root, "flare # 2", condition="mag < 12", severity="high") == TEXT.replace(
        "'change mag < -0.5' #", '"mag < 12"  #').replace(
        "channels = []\n", 'severity = "high"\n')


def test_a_list_over_several_lines_is_replaced_whole(root: Path) -> None:
    text = changed(root, "bright", sources=["Mrk 421"])
    assert text == TEXT.replace('[\n    "BL Lac",   # the first\n    "3C 345",\n]', '["Mrk 421"]')


def test_a_key_with_its_default_is_left_out(root: Path) -> None:
    keys = rule_as_written(root, "bright")
    del keys["sources"]
    text, site = with_changed_rule(root, "bright", keys | {"confirm": 2, "enabled": False})
    rules = tomllib.loads(text)["rule"]
    assert rules[0] == {"name": "bright", "source": "BL Lac", "condition": "mag < 13.0",
                        "enabled": False}
    assert (site.rule[0].confirm, site.rule[0].enabled) == (2, False)
    assert rules[1]["name"] == "flare # 2"


def test_nothing_changes_where_nothing_changed(root: Path) -> None:
    keys = rule_as_written(root, "bright")
    assert with_changed_rule(root, "bright", keys)[0] == TEXT


@pytest.mark.parametrize(("name", "kept"), [("bright", ["flare # 2"]), ("flare # 2", ["bright"])])
def test_a_rule_is_removed_with_its_section_alone(root: Path, name: str, kept: list[str]) -> None:
    text, site = without_rule(root, name)
    assert [rule.name for rule in site.rule] == kept
    for comment in ("# Our site.", "# in the valley", "# Those who watch at night", "# a day"):
        assert comment in text
    assert tomllib.loads(text)["alerts"] == {"max_age_hours": 24.0}


def test_the_last_rule_is_removed_and_added_again(root: Path) -> None:
    for name in ("bright", "flare # 2"):
        (root / "iop4d.toml").write_text(without_rule(root, name)[0], encoding="utf-8")
    with pytest.raises(ConfigError, match="no rule 'bright'"):
        without_rule(root, "bright")
    text, site = with_rule(root, {"name": "again", "condition": "mag < 13", "confirm": 1})
    assert [rule.name for rule in site.rule] == ["again"]
    assert text.startswith("# Our site.")


@pytest.mark.parametrize(("keys", "why"), [
    ({"confirm": 0}, "the rule 'bright': rule.confirm is 0"),
    ({"colour": 1}, "a rule has no key 'colour'"),
    ({"channels": ["none"]}, "expected one of the channels"),
    ({"source": {}}, "expected text, a number")])
def test_a_wrong_change_is_refused(root: Path, keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        changed(root, "bright", **keys)


def test_of_two_wrong_rules_one_is_mended_or_removed_at_a_time(root: Path) -> None:
    wrong = TEXT.replace("confirm = 3", "confirm = 0").replace("channels = []", "channels = [7]")
    (root / "iop4d.toml").write_text(wrong, encoding="utf-8")
    text, site = with_changed_rule(root, "bright",
                                   rule_as_written(root, "bright") | {"confirm": 1})
    assert ([rule.name for rule in site.rule], "confirm = 1" in text) == (["bright"], True)
    assert without_rule(root, "flare # 2")[1].wrong_rules[0].name == "bright"
    with pytest.raises(ConfigError):
        with_changed_rule(root, "bright", rule_as_written(root, "bright") | {"confirm": -1})


@pytest.mark.parametrize("text", [
    'rule = [{name = "bright", condition = "mag < 13"}]\n',
    '[[rule]]\nname = "bright"\n"condition" = "mag < 13"\nsource = """\n[[rule]]\n"""\n'])
def test_what_is_written_otherwise_is_left_to_people(root: Path, text: str) -> None:
    (root / "iop4d.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="only a person can change"):
        without_rule(root, "bright")
