"""What the site says of itself in a draft: authors, telescopes in words, page and contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True)
class TelescopePhrase:
    """What a text calls a telescope. ``known``: it is more than its bare name."""

    text: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """What the site says of itself. ``url`` is empty where there is no page; ``related``: numbers
    of ATels that the text refers to; ``calibration``: whose magnitudes the comparison stars have.
    """

    authors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    telescopes: Mapping[str, TelescopePhrase] = field(default_factory=dict)
    url: str = ""
    contact: str = ""
    calibration: str = ""
    acknowledgement: str = ""

    def telescope(self, name: str) -> TelescopePhrase:
        """A telescope in words, whatever is known of it."""
        return self.telescopes.get(name) or TelescopePhrase(text=f"telescope {name}", known=False)

    def link(self, source: str) -> str:
        """The page of a source; empty without a page."""
        return f"{self.url.rstrip('/')}/sources/{quote(source)}" if self.url else ""
