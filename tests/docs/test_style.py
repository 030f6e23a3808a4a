"""The style of the documentation on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.browser import CHROMIUM, Browser

STYLE = Path(__file__).resolve().parents[2] / "docs" / "sphinx" / "static" / "iop4d.css"
#: As Sphinx and its theme write code in a text.
PAGE = """<meta name="viewport" content="width=device-width"><style>
span.pre { white-space: nowrap } body { margin: 16px }</style>
<link rel="stylesheet" href="%s"><p>Say <code class="docutils literal notranslate">
<span class="pre">site.results(source=site.sources(kind="target")).table("mag")</span></code>.</p>
<table><tr><td><code class="docutils literal"><span class="pre">max_duration_minutes</span></code>
<td>%s</table>"""


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_long_code_of_a_text_ends_at_the_edge_of_a_phone(tmp_path: Path) -> None:
    """It was cut there."""
    page = tmp_path / "page.html"
    page.write_text(PAGE % (STYLE.as_uri(), "word " * 40), encoding="utf-8")
    with Browser() as browser:
        browser.look_like(390, 800)
        browser.open(page.as_uri())
        browser.wait("document.readyState === 'complete'")
        ends = browser.js("[...document.querySelectorAll('.pre')].map(e => "
                          "e.getBoundingClientRect().right)")
        assert max(ends) <= 390
        assert browser.js("document.querySelector('td .pre').getClientRects().length") == 1
