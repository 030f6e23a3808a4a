"""Texts of telegrams that people edited: what is to be said of their length and their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from iop4d.alerts.atel.text import MOST, MOST_TITLE

LONGEST = 64_000  # characters that are kept of a text
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?")
_SHOWN = 8


def plain(text: str) -> str:
    """A text as it is kept: one kind of line ends, no blanks at the ends of lines."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def doubts(text: str, content: Mapping[str, Any]) -> list[str]:
    """What is to be looked at before an edited text is sent, in sentences.

    ``content``: the draft, with the text that was drafted and what its numbers rest on.
    """
    found = []
    if len(text) > MOST:
        found.append(f"The text has {len(text)} characters; a telegram has at most {MOST}.")
    title = text.partition("\n")[0].removeprefix("Title: ")
    if len(title) > MOST_TITLE:
        found.append(f"The title has {len(title)} characters; it may have {MOST_TITLE}.")
    if foreign := sorted({sign for sign in text if ord(sign) > 126}):
        found.append("The form of the Astronomer's Telegram takes plain ASCII; not that: "
                     f"{' '.join(foreign[:_SHOWN])}")
    drafted = str(content["text"])
    if plain(text) == plain(drafted):
        return found
    gone = [number for number in content["numbers"]
            if number["results"] and str(number["text"]) in drafted
            and str(number["text"]) not in text]
    if gone:
        named = "; ".join(f"{one['text']} ({one['what']})" for one in gone[:_SHOWN])
        found.append(f"Measured numbers of the draft are not in the text any more: {named}"
                     f"{_more(gone)}.")
    there = set(_NUMBER.findall(drafted))
    new = list(dict.fromkeys(one for one in _NUMBER.findall(text) if one not in there))
    if new:
        found.append("Numbers that the draft did not have, whose origin only you know: "
                     f"{', '.join(new[:_SHOWN])}{_more(new)}.")
    return found


def _more(what: list[Any]) -> str:
    return f" and {len(what) - _SHOWN} more" if len(what) > _SHOWN else ""
