"""People read the field's words: those of our own that were replaced do not come back.

Looked at is everything that people see: texts in the code (not its docstrings, unless they are the
help of a command), templates, the configuration, the docs; and the names that stand in the code.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import iop4d

ROOT = Path(iop4d.__file__).parents[1]
READ = ("iop4d", "alerts", "web", "instruments", "systemd", "docs", "README.md", "CHANGELOG.md")

#: What is not written any more, and what is written instead.
WORDS = {
    r"sets? (\w+ )?aside": "quarantined (a frame), rejected (a master, a foreign frame), duplicate",
    r"go(es)? on\b(?! (holiday|and on))": "continues, is still active, resumes",
    r"went on": "continued",
    r"\b(no|some)body": "say who: the operators, anybody with ...; not found, unknown",
    r"anew": "again: reduced again, recomputed, rebuilt",
    r"all the same": "anyway, nevertheless; accepted with ...",
    r"told": "notified, reported, shown, named",
    r"taken off": "subtracted",
    r"(is|are|was|were|not) taken\b(?! (at|by|with|from|between|in|through|on|after))":
        "accepted, reloaded, imported",
    r"takes? (it|them) up": "resumes, processes",
    r"star images?": "PSF",
    r"light frames?": "science frame",
    r"polaroids?": "polariser",
    r"signs? of life": "heartbeat; timed out after N s",
    r"lies? (here|there)": "is stored in, is in",
    r"sleeps?": "snoozed",
    r"hears? of": "is notified of",
    r"placed by": "astrometric solution from",
    r"no more(?= *([.,;:)]|$))": "no longer",
    r"by hand of": "by",
    r"the severest": "the most severe",
    r"(left|right) images?": "ordinary or extraordinary image",
    r"quiet_lets": "quiet_min_severity",
    r"letters? (to|for|is|are|was|were|that|waits?)": "message",
    r"stays? (the )?old": "keeps the previous one",
    r"on the past": "back-test",
    r"keepers?": "administrators",
    r"whatever it takes": "anyway",
}
PATTERNS = {re.compile(rf"\b{word}\b", re.IGNORECASE): instead for word, instead in WORDS.items()}

#: (file, words of the line) that are right as they stand, and why.
ALLOWED = {
    ("iop4d/store/migrate.py", "set aside"): "the word that older databases hold",
    ("iop4d/config/renamed.py", "quiet_lets"): "the key that older site files hold",
    ("instruments/dipol.py", "Light Frame"): "what IMAGETYP says",
    ("iop4d/config/template.toml", "Light Frame"): "what IMAGETYP says",
    ("iop4d/simulator/headers.py", "Light Frame"): "what IMAGETYP says",
}

#: Parts of names that say nothing to whoever did not make them.
NAMES = re.compile(
    r"(^|_)(polaroids?|letters|desk|looker|lying|overhears?|rhythm|anew|told|aside|placed_by|"
    r"keeper|untold)($|_)", re.IGNORECASE)
ALLOWED_NAMES = {
    ("iop4d/archives/nights.py", "letters"): "of the alphabet",
    ("iop4d/archives/nights.py", "_LETTERS"): "of the alphabet",
    ("iop4d/simulator/sky.py", "letters"): "of the alphabet",
}


def files(*suffixes: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *READ], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.split()
    return [name for name in listed if name.endswith(suffixes) and "decisions/" not in name
            and not (ROOT / name).is_dir()]


def texts(name: str) -> Iterator[tuple[int, str]]:
    """(line, text) of what people may see of a file."""
    content = (ROOT / name).read_text(encoding="utf-8")
    if not name.endswith(".py"):
        yield from enumerate(content.splitlines(), 1)
        return
    tree = ast.parse(content)
    unseen = {id(doc) for node in ast.walk(tree) if (doc := docstring(node)) is not None
              and not is_command(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) \
                and id(node) not in unseen:
            yield node.lineno, node.value


def docstring(node: ast.AST) -> ast.Constant | None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) \
            and node.body and isinstance(first := node.body[0], ast.Expr) \
            and isinstance(first.value, ast.Constant):
        return first.value
    return None


def is_command(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        re.search(r"\b(command|group)\b", ast.unparse(one)) for one in node.decorator_list)


def wrong(name: str) -> list[str]:
    found = []
    for line, text in texts(name):
        for pattern, instead in PATTERNS.items():
            match = pattern.search(text)
            if match and not any(name == file and words in text for file, words in ALLOWED):
                found.append(f"{name}:{line}: '{match[0]}' in '{' '.join(text.split())[:80]}': "
                             f"write {instead}")
    return found


@pytest.mark.parametrize("name", files(".py", ".md", ".html", ".txt", ".toml", ".js", ".in", ".j2"))
def test_people_read_the_field_s_words(name: str) -> None:
    assert wrong(name) == []


def test_names_are_the_field_s() -> None:
    found = set()
    for name in files(".py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        names = {Path(name).stem} | {
            getattr(node, key) for node in ast.walk(tree)
            for key in ("name", "id", "arg", "attr") if isinstance(getattr(node, key, None), str)}
        found |= {(name, one) for one in names if NAMES.search(one)}
    assert found - ALLOWED_NAMES.keys() == set()


def test_every_exception_is_still_needed() -> None:
    for file, words in ALLOWED:
        assert words in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no '{words}'"
