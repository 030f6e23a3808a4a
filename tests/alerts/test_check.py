"""What rules may name: one check, whichever way a rule comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.alerts.check import check_rules
from iop4d.model.errors import ConfigError
from tests.alerts.bench import changed, channel, rule, site_of

ARCHIVES = ('[[archive]]\nname = "t090"\ntelescope = "OSN-T090"\n'
            '[[archive]]\nname = "raw"\n')
TAG = '[[tag]]\nname = "tev"\nsources = ["Mrk 421"]\n'


def of(condition: str, source: str) -> str:
    """A rule on the system about one subject."""
    return f'[[rule]]\nname = "r"\nsource = "{source}"\ncondition = "{condition}"\n'


@pytest.mark.parametrize(("wrong", "said"), [
    (rule(source="tag:tve"), "'bright': there is no [[tag]] 'tve'; there are: tev; did you mean "
                             "tev?"),
    (rule() + 'instruments = ["AndorT9"]\n', "there is no instrument 'AndorT9'; there are: "),
    (rule() + 'instruments = ["AndorT9"]\n', "; did you mean AndorT90"),
    (of("silent > 2 h", "OSN-T999"), "'OSN-T999'; there are: OSN-T090, raw; did you mean OSN-T090"),
    (of("silent > 2 h", "OSN-T150"), "there is no telescope with an archive"),
    (of("clouds > 1", "OSN-T091"), "there is no telescope 'OSN-T091'; there are: "),
    (of("unreachable > 30 min", "rawww"), "there is no archive 'rawww'; there are: raw, t090; did "
                                          "you mean raw?"),
    (of("undelivered > 1 h", "taem"), "there is no channel 'taem'; there are: team; did you mean "
                                      "team?"),
    (of("standard_off > 3 sigma", "DIPOLE"), "did you mean DIPOL?"),
    (of("rule_error > 0", "brihgt"), "there is no rule 'brihgt'; there are: r, rules that fail"),
    (of("disk_free < 5 GB", "elsewhere"), "there is no site 'elsewhere'; there are: iop4d"),
    (of("silent > 2 h", "tag:tev"), "there is no telescope with an archive"),
])
def test_names_that_are_not_there_are_refused_with_what_is_like_them(
        tmp_path: Path, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_rules(site_of(tmp_path, wrong, TAG, ARCHIVES, channel()))
    assert said in str(refused.value)


def test_names_that_are_there_are_right(tmp_path: Path) -> None:
    right = [changed("mag < 13.0").replace('"BL Lac"', '"tag:tev"')]
    right += [of(condition, source).replace('"r"', f'"{source}{number}"')
              for number, (condition, source) in enumerate([
                  ("silent > 2 h", "OSN-T090"), ("silent > 2 h", "raw"), ("clouds > 1", "OSN-T150"),
                  ("unreachable > 1 h", "t090"), ("undelivered > 1 h", "team"),
                  ("standard_off > 3 sigma", "DIPOL"), ("rule_error > 0", "rules that fail"),
                  ("rule_error > 0", "bright"), ("disk_free < 5 GB", "iop4d"), ("failed > 1", "*"),
              ])]
    assert len(check_rules(site_of(tmp_path, *right, TAG, ARCHIVES, channel()))) == len(right)
