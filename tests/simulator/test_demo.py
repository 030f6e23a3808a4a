"""What the demo plays, without playing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.config.load import parse_site
from iop4d.simulator.demo import POLARIMETERS, photometry_plan, polarimetry_plan
from iop4d.simulator.demosite import SITE, DemoArchives
from iop4d.simulator.night import Night
from iop4d.simulator.setups import SETUPS, archive_of


def test_every_instrument_has_the_archive_of_its_telescope(tmp_path: Path) -> None:
    assert {setup.name: archive_of(setup.name)[1] for setup in SETUPS} == {
        "RoperT90": "OSN-T090", "AndorT90": "OSN-T090", "AndorT150": "OSN-T150",
        "CAFOS": "CAHA-T220", "DIPOL": "OSN-T090"}
    archives = DemoArchives(tmp_path, (archive_of(setup.name)[0] for setup in SETUPS))
    archives.start()
    try:
        text = SITE.format(url="http://localhost", index=tmp_path, mail_port=25, port=80,
                           bot="http://localhost", source="BL Lac", alert_mag=13.2,
                           clear_mag=13.4, archives=archives.sections())
        site = parse_site(text, root=tmp_path)
    finally:
        archives.stop()
    assert [(a.telescope, a.kind) for a in site.archive] == [
        ("OSN-T090", "folder"), ("OSN-T150", "ftp"), ("CAHA-T220", "sftp")]
    assert site.archive[2].host_key.startswith("SHA256:")
    assert all(path.stat().st_mode & 0o77 == 0 for path in (tmp_path / "secrets").iterdir())


def test_the_demo_s_polarimeters_take_groups_of_a_field_that_does_not_flare() -> None:
    first = photometry_plan("2026-03-14", 5)
    for name, targets, _, exptime_s in POLARIMETERS:
        plan = polarimetry_plan(first, name, targets, exptime_s)
        assert plan.fields[0] in targets
        assert plan.fields[0] != first.fields[0]
        assert (plan.instrument, plan.mode) == (name, "polarimetry")
        assert plan.night == ("2021-10-22" if name == "RoperT90" else first.night)
        assert len(plan.angles_deg) <= 8
        assert next(iter(Night(plan).frames())).kind == "BIAS"


@pytest.mark.parametrize(("night", "flaring"), [
    ("2026-04-15", "OJ287"), ("2026-08-15", "BLLac"), ("2026-11-15", "BLLac")])
def test_what_flares_stands_high_in_the_season(night: str, flaring: str) -> None:
    plan = photometry_plan(night, 1)
    assert plan.fields[0] == flaring
    assert len(set(plan.fields)) == 3
