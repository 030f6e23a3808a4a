"""What a site file names must be there: refused by every command, with the line and what there is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from iop4d.cli import cli
from iop4d.model.errors import ConfigError

CAMERA = """[[camera]]
name = "Own"
telescope = "T"
pixel_scale = 1.0
identify = { INSTRUME = "X" }
"""


@pytest.mark.parametrize(("text", "line", "said"), [
    ('[polarimetry]\nmethod = { DIPOOL = "fit" }', 2,
     "polarimetry.method names 'DIPOOL'; expected one of AndorT150, AndorT90,"),
    ('[polarimetry]\nmethod = { "DIPOL/BL Lac" = "fit", Foo = "fit" }', 2, "names 'Foo'"),
    ('[[polarimeter]]\ninstrument = "DIPOOL"\nq0 = 1.0', 2, "polarimeter.instrument names"),
    ('[[colour_term]]\ninstrument = "Foo"\nband = "R"\ncolour = "B-V"\nterm = 0.1', 2,
     "colour_term.instrument names 'Foo'"),
    ('[[channel]]\nname = "a"\nto = ["a@b.org"]\n[[channel]]\nname = "m"\nkind = "mail"\n'
     'to = ["a@b.org"]', 6, "channel.kind names 'mail'; expected one of"),
    (CAMERA.replace("Own", "DIPOL"), 2, "camera.name is 'DIPOL'; expected a name that no other"),
    (CAMERA + "latitude = 37.0", 6, "camera.latitude: expected the key longitude with it"),
    (CAMERA + "longitude = 37.0", 6, "camera.longitude: expected the key latitude with it"),
    (CAMERA + 'masters = ["bias"]', 6, "camera.masters: expected kind_card or kind_names"),
    ('[[archive]]\nname = "a"\npath = "$HOME/raw"', 3, "expected a path without variables"),
])
@pytest.mark.parametrize("command", ["archives", "channels", "results"])
def test_what_is_not_there_is_refused(tmp_path: Path, command: str, text: str, line: int,
                                      said: str) -> None:
    (tmp_path / "iop4d.toml").write_text(text, encoding="utf-8")
    ended = CliRunner().invoke(cli, ["--site", str(tmp_path), command])
    assert isinstance(ended.exception, ConfigError)
    assert f"iop4d.toml, line {line}: " in str(ended.exception)
    assert said in str(ended.exception)


def test_what_is_there_is_taken(tmp_path: Path) -> None:
    text = CAMERA + 'masters = []\nlatitude = 1.0\nlongitude = 2.0\n[polarimetry]\n' \
        'method = { DIPOL = "fit", "Own/BL Lac" = "plain" }\n'
    (tmp_path / "iop4d.toml").write_text(text, encoding="utf-8")
    assert CliRunner().invoke(cli, ["--site", str(tmp_path), "archives"]).exit_code == 0
