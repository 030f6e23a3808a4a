"""Pictures of a site's pages for the docs: ``python -m tests.support.tour http://127.0.0.1:8765``.

Of a site that is served, such as the demo's. Chromium takes them.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from tests.web.browser import Browser

_FOLDER = Path(__file__).parents[2] / "docs" / "images"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A page, and how it is looked at. ``ready``: what the page has once it is drawn."""

    name: str
    path: str
    width: int = 1200
    height: int = 860
    dark: bool = False
    ready: str = "true"


def pictures(source: str, frame: int, result: int, night: str) -> tuple[Picture, ...]:
    """The pages of the tour, in its order."""
    drawn = "document.querySelector('#curves')?.dataset.drawn"
    return (
        Picture(name="tonight", path="/"),
        Picture(name="phone", path="/", width=375, height=812, dark=True),
        Picture(name="source", path=f"/sources/{source}", ready=drawn),
        Picture(name="data", path="/data/results"),
        Picture(name="frame", path=f"/frames/{frame}"),
        Picture(name="result", path=f"/results/{result}"),
        Picture(name="night", path=f"/nights/{night}"),
        Picture(name="alerts", path="/alerts"),
        Picture(name="system", path="/system", dark=True),
    )


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("address")
    parser.add_argument("--source", default="BL%20Lac")
    parser.add_argument("--frame", type=int, default=40)
    parser.add_argument("--result", type=int, default=1)
    parser.add_argument("--night", required=True)
    words = parser.parse_args()
    _FOLDER.mkdir(exist_ok=True)
    with Browser() as browser:
        for one in pictures(words.source, words.frame, words.result, words.night):
            browser.look_like(one.width, one.height, dark=one.dark)
            browser.open(words.address.rstrip("/") + one.path)
            browser.wait("location.protocol === 'http:' && document.readyState === 'complete' && "
                         f"document.querySelector('footer') && {one.ready}", seconds=30)
            time.sleep(2.0)  # pictures, tiles, the stream
            browser.screenshot(_FOLDER / f"{one.name}.png")
        browser.leave()


if __name__ == "__main__":
    main()
