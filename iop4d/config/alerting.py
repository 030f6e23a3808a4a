"""The sections of the site file about alerts: rules, tags, channels, and how people are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import available_timezones

from iop4d.config.keys import Check, above, at_least, between, hours, key, one_of

SEVERITIES = ("info", "notice", "high", "critical", "atel")
_RANKS = {"atel": "high"}  # and a draft with it


def rank(severity: str) -> int:
    """How severe it is: the higher, the more."""
    return SEVERITIES.index(_RANKS.get(severity, severity))


_CONDITION: Check = (
    "a quantity, one of < <= > >=, and a number, such as mag < 13.0",
    lambda value: re.fullmatch(r"[^<>]+[<>]=?[^<>]+([<>]=?[^<>]+)*"
                               r"|\s*(new|state|no data)\s.*|[\s(]*triggered\b.*",
                               value) is not None)
_TIME: Check = ("a time of UTC such as '07:30', or nothing", lambda value: not value or bool(
    re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value)))
_ATELS: Check = ("numbers of ATels, such as \"14773, 15056\"", lambda value: all(
    re.fullmatch(r"\s*\d{1,6}(\s*,\s*\d{1,6})*\s*", text) for text in value.values()))
_BAND: Check = ("the name of a band, such as R, or *", lambda value: bool(
    re.fullmatch(r"\*|[A-Za-z][A-Za-z0-9_'+-]{0,19}", value)))
_ZONE: Check = ("a time zone such as Europe/Madrid", lambda value: value in available_timezones())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``[[rule]]``: when to tell people."""

    name: str = key("Name of the rule.")
    source: str = key(
        "Source that it watches, by any of its names; *: every target; tag:NAME: those of a tag.",
        "*")
    sources: tuple[str, ...] = key("Several sources, instead of the key 'source'.", ())
    band: str = key("Band that it watches; *: each band by itself.", "R", check=_BAND)
    instruments: tuple[str, ...] = key("Instruments whose points count; empty: all.", ())
    condition: str = key("The condition, such as mag < 13.0; see docs/alerts.md.",
                         check=_CONDITION)
    clear: str = key(
        "Condition that resolves the alert, such as mag > 13.2; "
        "empty: when the condition is no longer met.", "",
        check=("a condition such as mag > 13.2, or nothing",
               lambda value: not value or _CONDITION[1](value)))
    confirm: int = key("Consecutive points that must meet the condition.", 2,
                       check=between(1, 100))
    confirm_within_hours: float = key(
        "Hours within which these points must be; 0: no limit.", 0.0, check=at_least(0))
    hold_minutes: float = key(
        "Minutes for which a condition on the system must be met.", 5.0, check=at_least(0))
    cooldown_hours: float = key(
        "Hours after an alert within which this rule starts no new one for the same source.",
        12.0, check=at_least(0))
    window_days: float = key(
        "Days before a point with which a change, a rate or a rotation is compared; of a "
        "condition on the system, the days that are counted.", 14.0, check=above(0))
    min_points: int = key("Minimum number of points in that window.", 10, check=at_least(2))
    min_scatter: float = key(
        "Scatter that is always allowed for, in the quantity's unit, added in quadrature to the "
        "scatter of the window and the point's error; below 0: 0.02 mag, 2 % of the flux, 0.5 % "
        "of p, 2 deg of chi.", -1.0)
    colour_within_hours: float = key(
        "Maximum hours between the two bands of a colour.", 0.5, check=above(0))
    host_galaxy: str = key(
        "auto: without the light of the host galaxy where it is known; raw: with it; corrected: "
        "only where it is known, without it.", "auto", check=one_of("auto", "raw", "corrected"))
    max_err: float = key("Maximum error of a point that counts, in the quantity's unit; 0: any.",
                         0.0, check=at_least(0))
    reject_flags: tuple[str, ...] = key(
        "Flags of points that do not count, besides those that never do.", ())
    require_stable_stars: bool = key(
        "Count only points in whose frames at least two comparison stars are as bright as in the "
        "other frames of the night.", False)
    stacks: bool = key(
        "Count a night's frames of a faint source put together as a point, besides each frame.",
        False)
    severity: str = key(
        "info, notice, high, critical, or atel: high, with a draft of an Astronomer's Telegram.",
        "notice", check=one_of(*SEVERITIES))
    reminder_hours: float = key(
        "Hours between reminders of an active alert that is not acknowledged; 0: no reminders.",
        0.0, check=at_least(0))
    tell_pending: bool = key(
        "Send an unconfirmed message when a point meets the condition and no other follows within "
        "half an hour, as in the last frame of a night.", False)
    notify_resolved: bool = key("Send a message when the alert is resolved, too.", False)
    group_wait: float = key(
        "Seconds for which a message waits for others about the same source and to the same "
        "recipient, of rules with this key: they are sent as one; 0: does not wait.", 0.0,
        check=between(0, 86400))
    max_age_hours: float = key(
        "Hours: older points send no message; below 0: as in [alerts]; 0: any age.", -1.0)
    muted: bool = key("Evaluate the rule and send no messages.", False)
    enabled: bool = key(
        "Evaluate the rule; false keeps it in the site file without evaluating it.", True)
    channels: tuple[str, ...] = key("Names of the channels that are notified.", ())


@dataclass(frozen=True, kw_only=True)
class Tag:
    """``[[tag]]``: a name for several sources, for rules."""

    name: str = key("Name of the tag.")
    sources: tuple[str, ...] = key("The sources, by any of their names.")


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """``[alerts]``: how messages are sent."""

    max_age_hours: float = key(
        "Hours: older points send no message, so that an archive can be reprocessed; 0: any age.",
        48.0, check=at_least(0))
    quiet_hours: str = key("Hours in which messages are held back, such as 22:00-08:00; empty: "
                           "none.", "", check=hours("22:00-08:00"))
    quiet_timezone: str = key("Time zone of the quiet hours.", "UTC", check=_ZONE)
    quiet_min_severity: str = key("Minimum severity that is sent in quiet hours.", "critical",
                                  check=one_of(*SEVERITIES))
    digest_over: int = key(
        "Messages waiting for one recipient beyond which they are sent as one digest.", 5,
        check=at_least(1))
    digest_after_minutes: float = key(
        "Minutes after which waiting messages are sent as one digest.", 30.0, check=above(0))
    max_per_10min: int = key(
        "Maximum messages to one recipient per 10 minutes; a fifth of them (at least one) is "
        "reserved for critical ones, and further ones are sent as a digest.", 10,
        check=at_least(2))
    retry_wait: float = key("Seconds before the first retry of a message; each further wait is "
                            "twice as long.", 30.0, check=above(0))
    max_retry_wait: float = key("Maximum seconds between two retries.", 3600.0, check=above(0))
    give_up_days: float = key("Days after which an undelivered message is given up.", 5.0,
                              check=above(0))
    timeout: float = key("Seconds within which a server must answer.", 30.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """``[summary]``: the summary of every night."""

    channels: tuple[str, ...] = key(
        "Names of the channels that it is sent to; none: it is only shown on the web pages.", ())
    send_at: str = key(
        "Time of day (UTC) at which it is made, such as 07:30; empty: at the end of astronomical "
        "twilight.", "", check=_TIME)
    empty_nights: bool = key("Send it for nights without observations, too.", True)
    plots: bool = key("Include a plot of every source.", True)
    max_late_nights: int = key(
        "Maximum number of nights whose summary is made late, after the daemon was off.", 3,
        check=at_least(1))


@dataclass(frozen=True, kw_only=True)
class Atel:
    """``[atel]``: authors and facts for drafts of Astronomer's Telegrams."""

    authors: tuple[str, ...] = key(
        "Authors in their order, each with the institute in brackets.", ())
    contact: str = key("Name and address of the contact person.", "")
    subjects: tuple[str, ...] = key("Subjects, as the submission form names them.",
                                    ("Optical", "AGN", "Blazar"))
    telescopes: dict[str, str] = key(
        "Telescopes by their names, and the text for each after 'the': aperture, name and "
        "place.", {})
    calibration: dict[str, str] = key(
        "Reference for the magnitudes of the comparison stars, by any name of the source; *: all "
        "other sources.", {})
    related_atels: dict[str, str] = key(
        "Numbers of earlier ATels about a source, by any of its names.", {}, check=_ATELS)
    acknowledgement: str = key("Last sentence, such as thanks to those who paid.", "")
