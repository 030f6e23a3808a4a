"""Foreign text, such as the name of a file, for a terminal or a log."""

from __future__ import annotations

import re

#: Control characters, which a terminal obeys, what turns the direction of writing, and undecodable
#: bytes, which cannot be written.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str, *, keep: str = "") -> str:
    """A text in which each character only shows; others are escapes, such as ``\\x1b``.

    ``keep``: characters that stay, such as the newline.
    """
    return _OBEYED.sub(lambda found: found[0] if found[0] in keep else found[0].encode(
        "unicode_escape", "surrogatepass").decode("ascii"), text)
