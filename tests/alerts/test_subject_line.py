"""The first 40 characters of a subject, all that a locked phone shows, tell state and number."""

from __future__ import annotations

import pytest
from markupsafe import escape

from iop4d.alerts import subject_line
from iop4d.alerts.compose import notice_of
from iop4d.alerts.conditions import SYSTEM
from iop4d.model.source import Source, SourceKind
from iop4d.model.states import MessageKind
from iop4d.store import catalogue
from iop4d.store.schema import Outbox
from tests.alerts.bench import Night, Start, changed, channel, rule
from tests.support.rows import last

PHONE = 40  # characters
HOUR = 3600.0
LONG = "PKS 1510-089"  # no catalogue's usual name is longer


def shown(night: Night) -> str:
    return str(last(night.database, Outbox).content["subject"])[:PHONE]


def long_rule(text: str) -> str:
    return text.replace('"BL Lac"', f'"{LONG}"')


def past(night: Night, mag: float) -> None:
    """A quiet night before."""
    for n in range(12):
        night.see(-3 * 1440 + n, mag, source=LONG, night="2025-11-19")


def see(night: Night, *mags: float) -> list[int]:
    return [night.see(n, mag, source=LONG) for n, mag in enumerate(mags)]


def test_an_alert_begins_with_its_state_the_source_and_the_number(start: Start) -> None:
    night = start(long_rule(rule() + "notify_resolved = true\nreminder_hours = 2.0\n"), channel())
    see(night, 12.9, 12.88)
    assert shown(night) == "Firing: PKS 1510-089 R = 12.88 ± 0.02; m"
    night.clock.advance(3 * HOUR)
    night.tend()
    assert shown(night).startswith("Active: PKS 1510-089 R = 12.88 ± 0.02;")
    see(night, 12.9, 12.88, 13.5, 13.6)
    assert shown(night).startswith("Resolved: PKS 1510-089 R = 13.60 ± 0.02;"[:PHONE])


@pytest.mark.parametrize(("condition", "expected"), [
    ("change mag < -0.5", "Firing: PKS 1510-089 R change -1.10 mag;"),
    ("change mag < -5 sigma", "Firing: PKS 1510-089 R change -"),
    ("change flux_mjy > 50 %", "Firing: PKS 1510-089 R flux change 175.4"),  # 10^(0.4 x 1.1),
])
def test_a_change_is_told_before_the_magnitude(start: Start, condition: str, expected: str,
                                               ) -> None:
    night = start(long_rule(changed(condition)), channel())
    past(night, 13.9)
    see(night, 12.8, 12.8)
    assert shown(night).startswith(expected)


def test_an_alert_measured_again_says_which_number_became_which(start: Start) -> None:
    night = start(long_rule(rule()), channel())
    see(night, 12.93, 12.88)
    see(night, 12.93, 13.61)
    assert night.kinds() == ["alert", "withdrawn"]
    assert shown(night) == "Withdrawn: PKS 1510-089 R 12.88 → 13.61;"


def test_an_alert_whose_point_is_flagged_says_the_flag(start: Start) -> None:
    night = start(long_rule(rule()), channel())
    bad = see(night, 12.9, 12.88)[1]
    night.flag(bad, "trail")
    night.tend()
    assert night.kinds() == ["alert", "withdrawn"]
    assert shown(night).startswith("Withdrawn: PKS 1510-089 R 12.88 flagged ")
    said = last(night.database, Outbox).content
    assert "flagged trail" in said["subject"]
    assert said["points"][-1]["flags"] == ["trail"]


def test_the_number_of_a_point_that_is_good_is_not_said_to_be_flagged(start: Start) -> None:
    night = start(long_rule(rule()), channel())
    bad = see(night, 12.9, 12.88)[0]
    night.flag(bad, "trail")
    night.tend()
    said = last(night.database, Outbox).content
    assert said["subject"].startswith(
        "Withdrawn: PKS 1510-089 R 12.88 other point flagged trail; mag < 13.0")


ENDLESS = "SDSS J2345-1234+Very_Long_Designation_of_A_Source_in_a_survey_that_has_no_end_of_them"


def test_a_long_name_leaves_the_number_among_the_first_characters(start: Start) -> None:
    night = start(rule(source=ENDLESS), channel())
    with night.database.write() as tx:
        catalogue.save(tx, [Source(name=ENDLESS, ra_deg=1.0, dec_deg=1.0, kind=SourceKind.TARGET)])
    night.see_all([12.9, 12.88], source=ENDLESS)
    assert "R = 12.88" in shown(night)
    assert shown(night).startswith("Firing: SDSS J2345…")


def test_what_is_long_may_break_in_a_narrow_mail(start: Start) -> None:
    """An old fault: a condition of several parts made the page of a phone 502 px wide."""
    condition = "mag < 13.0 and mag < 13.1 and mag < 13.2 and mag < 13.3"
    night = start(long_rule(changed(condition)), channel())
    night.flag(see(night, 12.9, 12.88)[0], "trail")
    night.tend()
    content = last(night.database, Outbox).content
    html = notice_of(content, message_id="<1@x>", at=0.0).html
    for text in (str(escape(content["condition"])), content["judged"]):
        assert len(text) > 20
        before = html[html.index(f">{text}<") - 60:html.index(f">{text}<")]
        assert "nowrap" not in before.rpartition("<span")[2]


def test_a_withdrawn_change_has_both_changes(start: Start) -> None:
    night = start(long_rule(changed("change mag < -0.5")), channel())
    past(night, 13.9)
    see(night, 12.8, 12.8)
    see(night, 12.8, 13.88)
    assert night.kinds() == ["alert", "withdrawn"]
    said = last(night.database, Outbox).content["subject"]
    assert said.startswith("Withdrawn: PKS 1510-089 R change -1.10 → -0.02 mag; R = 13.88 ± 0.02;")


def test_a_withdrawn_condition_without_a_number_says_none(start: Start) -> None:
    night = start(long_rule(changed("mag < 13.0 and mag > 10.0")), channel())
    see(night, 12.9, 12.88)
    see(night, 12.9, 13.88)
    assert night.kinds() == ["alert", "withdrawn"]
    said = last(night.database, Outbox).content
    assert said["subject"].startswith(
        "Withdrawn: PKS 1510-089 R condition no longer met; R = 13.88")
    assert said["judged"] == "R condition no longer met"
    assert said["note"] == "measured again: the condition is no longer met"


def test_a_withdrawn_new_source_says_why_without_a_number(start: Start) -> None:
    night = start(long_rule(changed("new source")), channel())
    bad = see(night, 12.9, 12.88)[1]
    night.flag(bad, "trail")
    night.tend()
    assert shown(night).startswith("Withdrawn: PKS 1510-089 R flagged trail")


@pytest.mark.parametrize("quantity", subject_line.SYSTEM_PHRASES)
@pytest.mark.parametrize("kind", [MessageKind.ALERT, MessageKind.REMINDER, MessageKind.RESOLVED])
def test_an_alert_of_the_system_is_said_within_the_line(quantity: str, kind: MessageKind) -> None:
    unit = SYSTEM[quantity][1]
    what = subject_line.of_system(quantity, "OSN-T090", f"12.3 {unit}".strip(), "?", kind)
    said = subject_line.head(kind, what)
    assert len(said) <= PHONE + 6  # "Resolved: " of a long subject may lose the end of a word
    assert said.startswith(subject_line.STATES[kind] + ": ")
    if "{value}" in subject_line.SYSTEM_PHRASES[quantity][kind is MessageKind.RESOLVED]:
        assert said.index("12.3") + 4 <= PHONE


def test_a_quantity_without_a_phrase_is_said_in_full() -> None:
    assert subject_line.of_system("new", "T090", "3 h", "T090: something new",
                                  MessageKind.ALERT) == "T090: something new: 3 h"


def test_site_and_tag_stand_last_and_are_left_out_of_a_digest() -> None:
    said = subject_line.subject("Firing: A R = 1", "mag < 2", site="OSN [blazars]", tag="#a1")
    assert said == "Firing: A R = 1; mag < 2 [OSN [blazars] #a1]"
    assert subject_line.body_of("Firing: A R = 1; mag < 2 [OSN #a1]") == "Firing: A R = 1; mag < 2"
    assert subject_line.body_of("without any") == "without any"
