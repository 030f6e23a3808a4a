"""Which sources a rule watches: by any of their names, by lists, by tags."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iop4d.alerts.check import TAG
from iop4d.alerts.conditions import Form
from iop4d.alerts.rules import CompiledRule
from iop4d.config import Rule, Site
from iop4d.model.source import SourceKind, canonical, similar, tagged
from iop4d.store import catalogue, sources
from iop4d.store.database import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The catalogue as rules need it: canonical names to sources, and which are targets."""

    version: int
    owner: dict[str, str]
    spelt: tuple[str, ...]
    targets: frozenset[str]
    tagged: dict[str, tuple[str, ...]]  # by tag, those that the catalogue says


class Subjects:
    """The sources of rules, which were checked: their tags are there."""

    def __init__(self, site: Site, compiled: Iterable[CompiledRule]) -> None:
        self._tags = {tag.name: tag.sources for tag in site.tag}
        self._spelt: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._rules = [one.rule for one in compiled]
        self._names = _Names(version=-1, owner={}, spelt=(), targets=frozenset(), tagged={})

    def read(self, db: Connection) -> None:
        """Look at the catalogue again if it has changed, and log what it does not have."""
        if self.look(db):
            for rule, names in self.unknown().items():
                log.warning("rule '%s' names sources that are not in the catalogue: %s", rule,
                            ", ".join(names))

    def look(self, db: Connection) -> bool:
        """The same without a word in the log; whether it has changed."""
        if catalogue.version(db) == self._names.version:
            return False
        loaded = catalogue.load(db)
        self._names = _Names(
            version=loaded.version,
            owner={canonical(name): s.name for s in loaded.sources
                   for name in (s.name, *s.other_names)},
            spelt=tuple(name for s in loaded.sources for name in (s.name, *s.other_names)),
            targets=frozenset(s.name for s in loaded.sources if s.kind is SourceKind.TARGET),
            tagged=tagged(loaded.sources))
        self._spelt.clear()
        return True

    def unknown(self) -> dict[str, list[str]]:
        """What rules name that the catalogue, as last read, does not have, with what is like it."""
        found = {rule.name: [name + similar(name, self._names.spelt) for name in self._named(rule)
                             if name != "*" and canonical(name) not in self._names.owner]
                 for rule in self._rules}
        return {rule: names for rule, names in found.items() if names}

    def is_watched(self, compiled: CompiledRule, source: str) -> bool:
        """Whether a rule watches a source, given by its name of the catalogue."""
        for name in self._named(compiled.rule):
            if name == "*":
                if source in self._names.targets:
                    return True
                continue
            wanted = canonical(name)
            if wanted == canonical(source) or self._names.owner.get(wanted) == source:
                return True
        return False

    def _named(self, rule: Rule) -> tuple[str, ...]:
        key = (rule.source, rule.sources)
        if key not in self._spelt:
            self._spelt[key] = tuple(self._spelt_out(rule))
        return self._spelt[key]

    def _spelt_out(self, rule: Rule) -> Iterator[str]:
        for name in rule.sources or (rule.source,):
            if not name.startswith(TAG):
                yield name
                continue
            tag = name.removeprefix(TAG).strip()
            yield from dict.fromkeys((*self._tags[tag], *self._names.tagged.get(tag, ())))


def not_in_catalogue(db: Connection, site: Site, compiled: CompiledRule) -> str:
    """What a rule about points names that the catalogue does not have, as a sentence; or empty."""
    if compiled.condition.form is Form.SYSTEM:
        return ""
    subjects = Subjects(site, [compiled])
    subjects.look(db)
    names = ", ".join(subjects.unknown().get(compiled.rule.name, ()))
    return f"The catalogue does not have: {names}" if names else ""


def is_one(rule: Rule) -> bool:
    """Whether a rule names a single source, so that it can be named as the rule names it."""
    return not rule.sources and rule.source != "*" and not rule.source.startswith(TAG)


def display_name(db: Connection, rule: Rule, source: str) -> str:
    """The name people use for a source of a rule: the rule's own, if it names that one alone, or
    the first other name of the catalogue."""
    return rule.source if is_one(rule) else sources.display_name(db, source)
