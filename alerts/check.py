"""What a rule may say and name. One function for every way in which a rule comes: the site file at
a start and a reload, ``iop4d rules add``, the form on the page."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from iop4d.alerts.conditions import SYSTEM, Form
from iop4d.alerts.rules import CompiledRule, compile_rule
from iop4d.config import Rule, Site, WrongRule
from iop4d.config.triggers import BROKER
from iop4d.config.workers import ENGINE
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import ConfigError
from iop4d.model.source import similar

OWN = "rules that fail"  # the rule that a site has without asking
TAG = "tag:"


#: Kinds of subjects that each node has.
_OF_NODES = ("telescope", "archive", "site")


@dataclass(frozen=True, kw_only=True)
class RuleNames:
    """What there is on a site that rules may name.

    ``subjects``: of the system, by quantity of ``conditions.SYSTEM``. ``shared``: other nodes, with
    archives and telescopes that this site's file does not name, share its database.
    """

    tags: Collection[str]
    instruments: Collection[str]
    subjects: Mapping[str, Collection[str]]
    shared: bool = False

    @classmethod
    def of(cls, site: Site) -> RuleNames:
        """Those of a site; raises ConfigError if its instruments are wrong."""
        instruments = find_instruments(site.camera, site.polarimeter)
        archives = [archive.name for archive in site.archive]
        watched = [archive.telescope for archive in site.archive if archive.telescope]
        by_kind = {
            "telescope": {*watched, *(i.telescope.name for i in instruments)},
            "archive": archives, "channel": [channel.name for channel in site.channel],
            "site": [site.site.name],
            "instrument": {i.name for i in instruments},
            "rule": [*rules_of(site), *(wrong.name for wrong in site.wrong_rules)]}
        subjects = {name: by_kind[kind] for name, (_, _, kind) in SYSTEM.items()}
        engine = [ENGINE] if site.workers.engine == "dask" else []
        engine += [BROKER] if site.triggers.topics else []
        without = [archive.name for archive in site.archive if not archive.telescope]
        return cls(tags=[tag.name for tag in site.tag], instruments=by_kind["instrument"],
                   shared=bool(site.site.node), subjects={
                       **subjects, "unreachable": [*archives, *engine],
                       "silent": {*watched, *without},
                       "no_data": {*watched, *without}})


def check_rule(rule: Rule, names: RuleNames) -> CompiledRule:
    """A rule with its conditions parsed; raises ConfigError that names the rule and what is wrong.

    What stands in the site file alone was checked when that was read: keys, and channels. Sources
    are not looked up: the catalogue may know them later (``subjects.not_in_catalogue``).
    """
    compiled = compile_rule(rule)
    wanted = rule.sources or (rule.source,)
    if compiled.condition.form is Form.SYSTEM:
        quantity = compiled.condition.quantity
        kind, there = SYSTEM[quantity][2], names.subjects[quantity]
        said = ("telescope with an archive, or archive without a telescope,"
                if quantity in ("silent", "no_data") else kind)
        if not (names.shared and kind in _OF_NODES):
            _check(rule, said, [name for name in wanted if name != "*"], there)
    else:
        _check(rule, "[[tag]]", [name.removeprefix(TAG).strip() for name in wanted
                                 if name.startswith(TAG)], names.tags)
        _check(rule, "instrument", rule.instruments, names.instruments)
    return compiled


def rules_of(site: Site) -> list[str]:
    """The names of the rules that people can mute."""
    return [*(rule.name for rule in site.rule), OWN]


def check_rules(site: Site) -> tuple[CompiledRule, ...]:
    """All rules of a site; raises ConfigError for the first that is wrong."""
    names = RuleNames.of(site)
    return tuple(check_rule(rule, names) for rule in site.rule)


def without_wrong_rules(site: Site) -> Site:
    """A site whose rules are right; the others are in ``wrong_rules``."""
    names = RuleNames.of(site)
    right: list[Rule] = []
    wrong = list(site.wrong_rules)
    for rule in site.rule:
        try:
            check_rule(rule, names)
            right.append(rule)
        except ConfigError as error:
            wrong.append(WrongRule(name=rule.name, why=str(error)))
    return replace(site, rule=tuple(right), wrong_rules=tuple(wrong))


def alerting_keys(site: Site) -> dict[str, str]:
    """What a site's file says of rules and messages: each part by its name, such as ``rule flare``,
    with a short digest that is the same for the same. Secrets are not in it."""
    parts = {"[alerts]": site.alerts, "[summary]": site.summary, "[triggers]": site.triggers,
             **{f"rule {one.name}": one for one in site.rule},
             **{f"tag {one.name}": one for one in site.tag},
             **{f"channel {one.name}": (one.kind, one.recipients) for one in site.channel}}
    return {name: hashlib.sha256(repr(said).encode()).hexdigest()[:8]
            for name, said in parts.items()}


def _check(rule: Rule, what: str, wanted: Collection[str], there: Collection[str]) -> None:
    for name in wanted:
        if name not in there:
            raise ConfigError(f"[[rule]] '{rule.name}': there is no {what} '{name}'; there are: "
                              f"{', '.join(sorted(there)) or 'none'}{similar(name, there)}")
