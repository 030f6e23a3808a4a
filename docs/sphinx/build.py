"""Make the documentation as pages for a browser: ``make docs``.

The pages of docs/ are put beside those that are made from the program (commands, columns,
addresses) in a folder of the build, so that docs/ holds only what people wrote. Warnings are
errors.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
ROOT = DOCS.parent
sys.path[:0] = [str(HERE), str(ROOT)]
from reference import PAGES  # noqa: E402 - from this folder
from sections import SECTIONS, first_page, part  # noqa: E402

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def gather(source: Path) -> None:
    """Put every page into an empty folder: those of docs/, the changelog, and the made ones."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS / "images", source / "images")
    for path in sorted([*DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")]):
        put(path, source / path.relative_to(DOCS))
    put(ROOT / "CHANGELOG.md", source / "changelog.md")
    for path in sorted(DOCS.glob("*.json")):  # given to be downloaded
        shutil.copy2(path, source)
    _write(source / "decisions" / "index.md", _decisions(source / "decisions"))
    for path in sorted((DOCS / "notebooks").glob("*.py")):
        _write(source / "notebooks" / f"{path.stem}.nb.py", path.read_text(encoding="utf-8"))
    _write(source / "index.md", first_page())
    for name in SECTIONS:
        _write(source / f"{name}.md", part(name))
    for name, page in PAGES.items():
        _write(source / "reference" / f"{name}.md", page())


def put(path: Path, to: Path) -> None:
    """Copy a page. Of a link to a file that is no page, such as one of the code, stay the words."""
    def link(match: re.Match[str]) -> str:
        words, target, part = match.groups()
        place = (path.parent / target).resolve()
        if not target or "://" in target:
            return match[0]
        if not (place.is_relative_to(DOCS) and place.is_file()):
            return str(words)
        there = os.path.relpath(place, path.parent if path.is_relative_to(DOCS) else DOCS)
        return f"[{words}]({there}{part or ''})"

    _write(to, _LINK.sub(link, path.read_text(encoding="utf-8")))


def _decisions(folder: Path) -> str:
    names = "\n".join(path.stem for path in sorted(folder.glob("[0-9]*.md")))
    return ("# Decision records\n\nWhat was decided and why, what was tried, what follows.\n\n"
            f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Build; the exit code is that of Sphinx."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "docs", metavar="FOLDER",
                        help="where the pages go [build/docs]")
    parser.add_argument("--no-notebooks", action="store_true", help="show the notebooks, run none")
    args = parser.parse_args()
    source, pages = args.to / "source", args.to / "html"
    gather(source)
    more = ["-D", "nb_execution_mode=off"] if args.no_notebooks else []
    code = build_main(["-b", "html", "-W", "--keep-going", "-q", "-c", str(HERE), *more,
                       "-d", str(args.to / "doctrees"), str(source), str(pages)])
    if code == 0:
        sys.stdout.write(f"The documentation is at {pages / 'index.html'}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
