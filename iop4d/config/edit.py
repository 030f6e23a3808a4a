"""Adding to the site file, as people do it by command or on the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iop4d.config.alerting import Rule
from iop4d.config.load import SITE_FILE, parse_site


def rule_section(keys: Mapping[str, Any]) -> str:
    """A ``[[rule]]`` section; keys without a value are left out."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()
             if value not in ("", [], ())]
    return "[[rule]]\n" + "\n".join(lines) + "\n"


def with_rule(root: Path, keys: Mapping[str, Any]) -> tuple[str, Rule]:
    """The text of a site file with a rule more, and that rule; raises ConfigError if it is wrong.

    Everything else in the file, comments too, stays as it is.
    """
    path = root / SITE_FILE
    text = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + rule_section(keys)
    return text, parse_site(text, root=root, name=str(path)).rule[-1]
