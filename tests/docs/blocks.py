"""What README and the pages of docs/ print in fenced blocks, and the commands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SHELLS = ("sh", "console")
_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(iop4d [^`]+)`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: ``line`` is that of its first line in the page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A command as it is printed, its continued lines joined, and what the page shows it to say."""

    page: str
    line: int
    text: str
    said: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return f"{self.page}:{self.line}: {self.text}"


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = path.read_text(encoding="utf-8")
    return [Block(page=path.name, line=text.count("\n", 0, found.start()) + 2, language=found[1],
                  text=found[2]) for found in _FENCE.finditer(text)]


BLOCKS = [block for path in PAGES for block in blocks(path)]


def commands(block: Block) -> Iterator[Printed]:
    """The commands of a block: lines behind a prompt in a ``console``, every line of a ``sh``."""
    open_: Printed | None = None
    for number, line in enumerate(block.text.splitlines(), block.line):
        is_continued = open_ is not None and open_.text.endswith("\\") and not open_.said
        if open_ is not None and is_continued:
            open_ = replace(open_, text=f"{open_.text[:-1].rstrip()} {line.strip()}")
        elif block.language == "sh" or line.startswith("$ "):
            if open_ is not None:
                yield open_
            open_ = Printed(page=block.page, line=number, text=line.removeprefix("$ "))
        elif open_ is not None:
            open_ = replace(open_, said=(*open_.said, line))
    if open_ is not None:
        yield open_


COMMANDS = [command for block in BLOCKS if block.language in SHELLS for command in commands(block)]


def inline(path: Path) -> list[Printed]:
    """The commands ``iop4d ...`` that stand in the sentences of a page."""
    text = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"))
    return [Printed(page=path.name, line=text.count("\n", 0, found.start()) + 1,
                    text=" ".join(found[1].split())) for found in _INLINE.finditer(text)]
