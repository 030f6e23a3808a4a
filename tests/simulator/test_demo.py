"""What the demo plays, without playing it."""

from __future__ import annotations

from iop4d.config.load import parse_site
from iop4d.simulator.demo import ARCHIVE, FIELDS, POLARIMETERS, SITE, polarimetry_plan
from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.setups import SETUPS, archive_of


def test_every_instrument_has_the_archive_of_its_telescope(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert {setup.name: archive_of(setup.name)[1] for setup in SETUPS} == {
        "RoperT90": "OSN-T090", "AndorT90": "OSN-T090", "AndorT150": "OSN-T150",
        "CAFOS": "CAHA-T220", "DIPOL": "OSN-T090"}
    places = sorted({archive_of(setup.name) for setup in SETUPS})
    archives = "\n".join(ARCHIVE.format(name=name, telescope=telescope)
                         for name, telescope in places)
    site = parse_site(SITE.format(url="http://localhost", index=tmp_path, mail_port=25, port=80,
                                  archives=archives), root=tmp_path)
    assert [archive.telescope for archive in site.archive] == [
        "CAHA-T220", "OSN-T090", "OSN-T150"]


def test_the_demo_s_polarimeters_take_groups_of_a_field_that_does_not_flare() -> None:
    first = NightPlan(night="2026-03-14", fields=FIELDS, seed=5)
    for name, target, _, exptime_s in POLARIMETERS:
        assert target != FIELDS[0]
        plan = polarimetry_plan(first, name, target, exptime_s)
        assert (plan.instrument, plan.mode) == (name, "polarimetry")
        assert plan.night == ("2021-10-22" if name == "RoperT90" else first.night)
        assert len(plan.angles_deg) <= 8
        assert next(iter(Night(plan).frames())).kind == "BIAS"
