"""Names that a server gives to its files, and the names under which they are kept here.

A server is not to be trusted with a place on this machine: its names may hold separators, control
characters or undecodable bytes, or mean the folder above. A harmless name stays as it is.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

#: Bytes of the longest name kept here: file systems take 255, and a part adds some of its own.
LONGEST = 200
_HARMLESS = frozenset("._+-=@,:()[]#%~ ")  # besides letters, digits and their marks
_NOT_FIRST = frozenset(".-~ ")  # hidden, an option, a home, not to be seen
_MARK = "~"  # parts a changed name from the hash of the original
_DIGITS = 16  # hexadecimal ones of that hash
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,8})?\.(?:gz|fz|bz2|xz|zst|Z)$|\.[A-Za-z0-9]{1,8}$")
_CHANGED = re.compile(rf"{_MARK}[0-9a-f]{{{_DIGITS}}}(\.|$)")


def safe_name(remote: str) -> str | None:
    """The name under which a remote file is kept here; None where there is nothing to name.

    A harmless name stays. Any other has its harmful characters replaced and the hash of the
    original put before its suffix, so that no two names become one; a name that looks as if this
    had been done to it is changed as well. Names of nothing but dots, blanks and separators are
    no names.
    """
    if not remote.strip("./\\ \t\r\n\0"):
        return None
    if is_safe(remote) and not _CHANGED.search(remote):
        return remote
    clean = "".join(char if _is_harmless(char) else "_" for char in remote).strip(" ")
    found = _SUFFIX.search(clean)
    suffix = found[0] if found else ""
    digest = hashlib.sha256(remote.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    end = f"{_MARK}{digest}{suffix}"
    stem = clean.removesuffix(suffix)
    if not stem or stem[0] in _NOT_FIRST or unicodedata.combining(stem[0]):
        stem = f"_{stem}"
    return _cut(stem, LONGEST - len(end)) + end


def is_safe(name: str) -> bool:
    """Whether a name can be a file or folder here, and harms neither shell nor reader."""
    return (name != "" and name[0] not in _NOT_FIRST and name[-1] != " "
            and not unicodedata.combining(name[0]) and all(map(_is_harmless, name))
            and len(name.encode()) <= LONGEST)


def local_path(root: Path, night: str, *names: str) -> Path:
    """The place of a night's file below ``root``: never outside.

    ``names``: of folders below the night's and of the file, as ``safe_name`` gave them. Raises
    ValueError where one of them or the night is not safe.
    """
    for part in (night, *names):
        if not is_safe(part):
            raise ValueError(f"not the name of a file or folder here: {printable(part)}")
    return root.joinpath(night, *names)


def printable(remote: str) -> str:
    """A remote name for messages: what is no printable character is written as an escape."""
    return "".join(char if char.isprintable() else char.encode(
        "unicode_escape", "surrogatepass").decode("ascii") for char in remote[:500])


def _is_harmless(char: str) -> bool:
    """Letters, digits, marks on letters, and some signs; surrogates and controls are none."""
    return char in _HARMLESS or unicodedata.category(char)[0] in "LNM"


def _cut(text: str, most: int) -> str:
    """As much of a text as fits into so many bytes of UTF-8."""
    return text.encode()[:most].decode(errors="ignore")
