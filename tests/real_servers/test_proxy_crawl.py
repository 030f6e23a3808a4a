"""Every link of every page leads below the prefix, behind a real web server, for who signed in."""

from __future__ import annotations

import html
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest

from iop4d.config import Site
from tests.real_servers.behind_proxy import Answer, Browser, behind, site_with_account

_LINK = re.compile(r'\s(?:href|src|srcset|data-src)="([^"\s]+)"')
_CSS = re.compile(r"url\(['\"]?([^'\")]+)")
_BELOW = "/iop4d/"
_ALIKE = 1  # pages of a kind


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with_account(tmp_path / "site")


def _links(path: str, answer: Answer) -> set[str]:
    """The addresses of this host to which an answer leads."""
    kind = answer.headers.get("Content-Type", "")
    found = [answer.headers["Location"]] if "Location" in answer.headers else []
    if "html" in kind:
        found += [html.unescape(one) for one in _LINK.findall(answer.text)]
    elif "css" in kind:
        found += _CSS.findall(answer.text)
    return {urldefrag(one)[0] for one in found
            if not re.match(r"[a-z]+:", one) or one.startswith("https://127.0.0.1")}


def _crawl(browser: Browser, most: int) -> tuple[dict[str, Answer], set[tuple[str, str]]]:
    """What came for each address, and (page, link) of those that lead out of the prefix."""
    waiting, seen = [_BELOW], {_BELOW}
    outside: set[tuple[str, str]] = set()
    answers: dict[str, Answer] = {}
    counts = Counter[str]()
    while waiting and len(answers) < most:
        path = waiting.pop(0)
        answers[path] = answer = browser.ask("GET", path)
        for link in _links(path, answer):
            where = urlsplit(urljoin(f"https://127.0.0.1:{browser.port}{path}", link))
            if where.port != browser.port or not f"{where.path}/".startswith(_BELOW):
                outside.add((path, link))
                continue
            to = where.path + (f"?{where.query}" if where.query else "")
            alike = re.sub(r"\d+|(?<=/sources/)[^/?]+", "N", to)
            if to not in seen and counts[alike] < _ALIKE and not to.endswith("/events"):
                counts[alike] += 1
                seen.add(to)
                waiting.append(to)
    return answers, outside


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_crawl_of_all_pages_stays_below_the_prefix(kind: str, site: Site,
                                                     tmp_path: Path) -> None:
    with behind(kind, site, tmp_path / "proxy") as browser:
        assert browser.sign_in().status == 303
        answers, outside = _crawl(browser, 400)
        assert outside == set()
        assert len(answers) > 60
        assert {path: answer.status for path, answer in answers.items()
                if answer.status >= 500} == {}
