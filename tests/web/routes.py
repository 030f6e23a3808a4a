"""The addresses of the site, each with an example of what it names."""

from __future__ import annotations

import re

from flask import Flask
from werkzeug.routing import Rule

_VALUES = {"id_": "1", "key": "BL%20Lac", "name": "0001.eml", "night": "2025-11-22",
           "file": "draft.txt", "filename": "live.js", "act": "acknowledge", "what": "role",
           "form": "png",
           "which": "reduced", "level": "0", "column": "0", "row": "0"}


def path_of(rule: Rule) -> str:
    """An address of a route."""
    path = re.sub(r"<(?:[^:<>]*(?:\([^)]*\))?:)?(\w+)>", lambda found: _VALUES[found[1]], rule.rule)
    return path.replace("/fragments/0001.eml", "/fragments/telescopes").replace(
        "/rules/0001.eml", "/rules/bright")


def routes(app: Flask, method: str) -> list[Rule]:
    """The routes of a method."""
    return [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
