"""Where a key of a site file stands, for messages: its file and line, or the command's override."""

from __future__ import annotations

import re

from iop4d.config.redact import key_named

_HEADER = re.compile(r"^\s*\[(\[)?\s*([A-Za-z0-9_-]+)(?:\.([A-Za-z0-9_.-]+))?\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*[.=]")


class LineTable:
    """Line numbers of the sections and keys of a TOML text; ``tomllib`` keeps none."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, str, int], int] = {}
        counts: dict[str, int] = {}
        section, item = "", 0
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                section = header.group(2)
                if header.group(1):
                    counts[section] = counts.get(section, -1) + 1
                item = counts.get(section, 0)
                self._lines.setdefault((section, header.group(3) or "", item), number)
            elif found := _KEY.match(line):
                name = found.group(1).strip('"')
                place = (section, name, item) if section else (name, "", 0)
                self._lines.setdefault(place, number)

    def find(self, section: str, key: str = "", item: int = 0) -> int:
        """The line of a key (or of its section), counted from 1; 0 if unknown."""
        return self._lines.get((section, key, item)) or self._lines.get((section, "", item), 0)


class Where:
    """Names the place of a key in messages: the file's line, or the override on the command."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = LineTable(text)
        self.overridden: set[tuple[str, str]] = set()
        self.rules: list[int] = []  # the places in the file of the rules that are looked at

    def __call__(self, section: str, key: str = "", item: int = 0) -> str:
        label = f"{section}.{key_named(key)}" if key else f"[{key_named(section)}]"
        if (section, key) in self.overridden:
            return f"-o {label}"
        if section == "rule" and item < len(self.rules):
            item = self.rules[item]
        line = self.lines.find(section, key, item)
        return f"{self.name}, line {line}: {label}" if line else f"{self.name}: {label}"
