"""The notebooks are plain scripts that begin with words; whether they run is said by what runs them
(``make notebooks``, ``make docs``)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.bench import notebooks

PATHS = sorted(notebooks.FOLDER.glob("*.py"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_a_script_with_a_title_and_words_between_its_cells(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ast.parse(text)
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    assert cells[0].startswith(" [markdown]\n# # ")
    words = [cell for cell in cells if cell.startswith(" [markdown]")]
    assert len(words) >= 3
    assert "Path(tempfile.mkdtemp())" in text, "it leaves nothing in the folder of who runs it"


def test_what_fails_or_takes_too_long_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.py").write_text("print('hello')", encoding="utf-8")
    (tmp_path / "bad.py").write_text("raise ValueError('no light')", encoding="utf-8")
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["notebooks"])
    with pytest.raises(SystemExit) as end:
        notebooks.main()
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert re.search(r"good\s+ran", said)
    assert re.search(r"bad\s+FAILED", said)
    assert "no light" in said
    assert len(PATHS) == 10
