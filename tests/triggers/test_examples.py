"""What docs/triggers.md shows is a site file, and its JSON is a notice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from iop4d.alerts.check import check_rules
from iop4d.config.load import parse_site
from iop4d.triggers.notices import read_notice
from tests.alerts.bench import channel

PAGE = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_site_file(example: str, tmp_path: Path) -> None:
    assert check_rules(parse_site(example + channel(), root=tmp_path)) is not None


def test_the_notice_that_is_posted_is_one() -> None:
    (body,) = re.findall(r"-d '(\{.*?\})'", PAGE)
    assert read_notice(body.encode()).names == ("BL Lac",)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
