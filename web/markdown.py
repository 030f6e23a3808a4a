"""Notes in Markdown as HTML: no HTML of the writer's own, no pictures, no headings."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

#: Links with javascript:, vbscript:, file: and data: are left as text by the library itself.
_RULES_OFF = ("image", "heading", "lheading", "hr", "html_block", "html_inline")


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(list(_RULES_OFF))


@lru_cache(maxsize=256)
def markdown(text: str | None) -> Markup:
    """The HTML of a text."""
    html = str(_parser().render(text or ""))
    return Markup(html.replace("<a href=", '<a rel="noopener nofollow" href='))  # noqa: S704
