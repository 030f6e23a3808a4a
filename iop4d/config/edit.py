"""Adding to the site file, as people do it by command or on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iop4d.config.alerting import Rule
from iop4d.config.load import SITE_FILE, parse_site
from iop4d.config.renamed import new_key
from iop4d.config.site import Site, keys_of
from iop4d.model.errors import ConfigError


def rule_section(keys: Mapping[str, Any]) -> str:
    """A ``[[rule]]`` section; keys without a value are left out."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()
             if value not in ("", [], ())]
    return "[[rule]]\n" + "\n".join(lines) + "\n"


def with_rule(root: Path, keys: Mapping[str, Any]) -> tuple[str, Site]:
    """A site file with a rule more, its last, as text and as a site; raises ConfigError if that is
    wrong.

    Everything else in the file, comments too, stays as it is.
    """
    path = root / SITE_FILE
    known = keys_of(Rule)
    for name, value in keys.items():
        if name not in known:
            new = new_key("rule", name)
            raise ConfigError(f"the rule's key '{name}' is now called '{new}'" if new else
                              f"a rule has no key '{name}'; it has {', '.join(known)}")
        if not isinstance(value, str | int | float | list | tuple):
            raise ConfigError(f"the rule's {name} is {value}; expected text, a number, true or "
                              "false, or a list")
    before = path.read_text(encoding="utf-8")
    parse_site(before, root=root, name=str(path))
    text = before.rstrip("\n") + "\n\n" + rule_section(keys)
    try:
        return text, parse_site(text, root=root, name=str(path))
    except ConfigError as error:
        # The line that it names is not in the file yet.
        raise ConfigError(re.sub(rf"^{re.escape(str(path))}(, line \d+)?", "the new rule",
                                 str(error))) from None
