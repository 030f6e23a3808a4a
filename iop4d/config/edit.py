"""Changes of the site file's rules, as people make them by command or on the page.

Everything else in the file stays as it is, comments too: a rule is added at the end, and of a rule
that changes only the lines of the keys that change.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from iop4d.config.alerting import Rule
from iop4d.config.load import SITE_FILE, parse_site, site_text
from iop4d.config.renamed import new_key
from iop4d.config.site import Site, keys_of
from iop4d.model.errors import ConfigError
from iop4d.model.source import similar

_HEADER = re.compile(r"\s*\[")
_RULE = re.compile(r"\s*\[\[\s*(?:rule|\"rule\"|'rule')\s*\]\]\s*(#.*)?$")
_KEY = re.compile(r"\s*(?:([A-Za-z0-9_-]+)|\"([^\"]*)\"|'([^']*)')\s*=")


def rule_section(keys: Mapping[str, Any]) -> str:
    """A ``[[rule]]`` section; keys without a value are left out."""
    lines = [_line(key, value) for key, value in keys.items() if value not in ("", [], ())]
    return "[[rule]]\n" + "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def with_rule(root: Path, keys: Mapping[str, Any]) -> tuple[str, Site]:
    """A site file with a rule more, its last, as text and as a site; raises ConfigError if that is
    wrong.

    Everything else in the file, comments too, stays as it is.
    """
    _check_keys(keys)
    before = site_text(root)
    parse_site(before, root=root, name=str(root / SITE_FILE))
    text = before.rstrip("\n") + "\n\n" + rule_section(keys)
    return text, _parsed(text, root, "the new rule")


def with_changed_rule(root: Path, name: str, keys: Mapping[str, Any]) -> tuple[str, Site]:
    """A site file with another rule in the place of one, as text and as a site.

    ``keys``: all that the rule is to have; those that are missing get their default. Raises
    ConfigError if there is no such rule, or the file would be wrong.
    """
    _check_keys(keys)
    file = _RuleLines.read(root)
    number = file.number(name)
    text = file.changed(number, without_defaults(keys))
    return text, _parsed(text, root, f"the rule '{name}'")


def without_rule(root: Path, name: str) -> tuple[str, Site]:
    """A site file without one of its rules, as text and as a site; raises ConfigError if there is
    no such rule."""
    file = _RuleLines.read(root)
    text = file.removed(file.number(name))
    return text, _parsed(text, root, "the site file without it")


def rule_as_written(root: Path, name: str) -> dict[str, Any]:
    """The keys of a rule as the site file has them, right or wrong; raises ConfigError if there is
    none of that name."""
    file = _RuleLines.read(root)
    return _as_kept(file.rules[file.number(name)])


def find_rule(root: Path, name: str) -> dict[str, Any] | None:
    """The keys of a rule as the site file has them; None if there is none of that name."""
    return rule_in(site_text(root), name)


def rule_in(text: str, name: str) -> dict[str, Any] | None:
    """The keys of a rule as the text of a site file has them; None if there is none."""
    try:
        rules = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the site file is not valid TOML: {error}") from error
    return next((_as_kept(rule) for rule in rules if str(rule.get("name", "")) == name), None)


def _as_kept(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's keys as requests and the audit keep them; what JSON has not is a text: dates, which
    are wrong in a rule, and values that are no numbers."""
    kept: dict[str, Any] = json.loads(
        json.dumps(rule, default=str), parse_constant=lambda constant: constant)
    return kept


def _check_keys(keys: Mapping[str, Any]) -> None:
    known = keys_of(Rule)
    for name, value in keys.items():
        if name not in known:
            new = new_key("rule", name)
            raise ConfigError(f"the rule's key '{name}' is now called '{new}'" if new else
                              f"a rule has no key '{name}'; it has {', '.join(known)}")
        if not isinstance(value, str | int | float | list | tuple):
            raise ConfigError(f"the rule's {name} is {value}; expected text, a number, true or "
                              "false, or a list")


def without_defaults(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a rule that say something: those with their default are left out."""
    return {key: value for key, value in keys.items() if not _is_default(key, value)}


def _is_default(key: str, value: Any) -> bool:
    (field,) = (field for field in fields(Rule) if field.name == key)
    if field.default is MISSING:
        return False
    value = tuple(value) if isinstance(value, list) else value
    return bool(value == field.default and isinstance(value, bool) == isinstance(
        field.default, bool))


def _parsed(text: str, root: Path, what: str) -> Site:
    """The site of a text that is not in the file yet.

    A file with several wrong rules is mended one rule after the other.
    """
    path = root / SITE_FILE
    try:
        return parse_site(text, root=root, name=str(path))
    except ConfigError as error:
        site, before = (parse_site(one, root=root, name=str(path), skip_wrong_rules=True)
                        for one in (text, site_text(root)))
        if {one.name for one in site.wrong_rules} < {one.name for one in before.wrong_rules}:
            return site
        # The line that it names is not in the file yet.
        raise ConfigError(re.sub(rf"^{re.escape(str(path))}(, line \d+)?", what,
                                 str(error))) from None


@dataclass(frozen=True, kw_only=True)
class _RuleLines:
    """The lines of a site file, and the rules that they hold."""

    lines: list[str]
    data: dict[str, Any]

    @classmethod
    def read(cls, root: Path) -> _RuleLines:
        text = site_text(root)
        try:
            return cls(lines=text.splitlines(), data=tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{root / SITE_FILE}: not valid TOML: {error}") from error

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules as they are written."""
        found = self.data.get("rule", [])
        return found if isinstance(found, list) else []

    def number(self, name: str) -> int:
        """The place of the rule of a name among all rules."""
        names = [str(rule.get("name", "")) for rule in self.rules]
        if name not in names:
            raise ConfigError(f"the site file has no rule '{name}'{similar(name, names)}")
        return names.index(name)

    def changed(self, number: int, keys: Mapping[str, Any]) -> str:
        """The text with other keys of a rule."""
        begin, end = self._section(number)
        was, places = self.rules[number], self._places(begin, end)
        lines = list(self.lines)
        last = max([begin, *(stop - 1 for _, stop in places.values())])
        lines[last + 1:last + 1] = [_line(key, value) for key, value in keys.items()
                                    if key not in places]
        for key, (start, stop) in sorted(places.items(), key=lambda one: one[1], reverse=True):
            if key not in keys:
                del lines[start:stop]
            elif keys[key] != was[key] or type(keys[key]) is not type(was[key]):
                lines[start:stop] = [_line(key, keys[key]) + self._comment(start, stop)]
        rules = [*self.rules]
        rules[number] = dict(keys)
        return self._checked(lines, rules)

    def removed(self, number: int) -> str:
        """The text without a rule."""
        begin, end = self._section(number)
        last = max([begin, *(stop - 1 for _, stop in self._places(begin, end).values())])
        lines = self.lines[:begin] + self.lines[last + 1:]
        while 0 < begin < len(lines) and not lines[begin].strip() and not lines[begin - 1].strip():
            del lines[begin]
        return self._checked(lines, [*self.rules[:number], *self.rules[number + 1:]])

    def _section(self, number: int) -> tuple[int, int]:
        """Where the section of a rule begins, and the one after it."""
        begins = [place for place, line in enumerate(self.lines) if _RULE.match(line)]
        if len(begins) != len(self.rules):
            raise self._cannot()
        begin = begins[number]
        end = next((place for place in range(begin + 1, len(self.lines))
                    if _HEADER.match(self.lines[place]) and self._is_header(begin, place)),
                   len(self.lines))
        return begin, end

    def _is_header(self, begin: int, place: int) -> bool:
        """Whether a line is outside of the values before it, such as a list over several lines."""
        try:
            tomllib.loads("\n".join(self.lines[begin:place]))
        except tomllib.TOMLDecodeError:
            return False
        return True

    def _places(self, begin: int, end: int) -> dict[str, tuple[int, int]]:
        """The first line of each key of a section, and the one after its last."""
        found: dict[str, tuple[int, int]] = {}
        place = begin + 1
        while place < end:
            key = _KEY.match(self.lines[place])
            stop = place + 1
            if key is not None:
                while stop < end and not self._is_whole(place, stop):
                    stop += 1
                found[next(filter(None, key.groups()), "")] = (place, stop)
            place = stop
        return found

    def _is_whole(self, start: int, stop: int) -> bool:
        try:
            tomllib.loads("\n".join(self.lines[start:stop]))
        except tomllib.TOMLDecodeError:
            return False
        return True

    def _comment(self, start: int, stop: int) -> str:
        """The comment behind the value of a key."""
        line = self.lines[stop - 1]
        whole = tomllib.loads("\n".join(self.lines[start:stop]))
        for place in (place for place, sign in enumerate(line) if sign == "#"):
            try:
                if tomllib.loads("\n".join([*self.lines[start:stop - 1], line[:place]])) == whole:
                    return "  " + line[place:]
            except tomllib.TOMLDecodeError:
                continue
        return ""

    def _checked(self, lines: list[str], rules: list[dict[str, Any]]) -> str:
        """The text of lines, which must hold these rules and else what there was."""
        text = "\n".join(lines) + "\n"
        wanted = {**self.data, "rule": [_plain(rule) for rule in rules]}
        if not rules:
            del wanted["rule"]
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            raise self._cannot() from None
        if found != wanted:
            raise self._cannot()
        return text

    def _cannot(self) -> ConfigError:
        return ConfigError(f"the rules of {SITE_FILE} are written in a form that only a person can "
                           "change: edit the file")


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in rule.items()}
