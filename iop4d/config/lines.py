"""Where a key stands in a TOML file; ``tomllib`` does not tell."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*\[(\[)?\s*([A-Za-z0-9_-]+)(?:\.([A-Za-z0-9_.-]+))?\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*[.=]")


class LineTable:
    """Line numbers of the sections and keys of a TOML text, good for messages."""

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
