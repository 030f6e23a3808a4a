"""The sections of the site file about alerts: rules, tags, channels, and how people are told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

from iop4d.config.keys import Check, above, at_least, key, one_of, port_from

SEVERITIES = ("info", "notice", "high", "critical", "atel")
_RANKS = {"atel": "high"}  # and a draft with it


def rank(severity: str) -> int:
    """How severe it is: the higher, the more."""
    return SEVERITIES.index(_RANKS.get(severity, severity))


_CONDITION: Check = (
    "a quantity, one of < <= > >=, and a number, such as mag < 13.0",
    lambda value: re.fullmatch(r"[^<>]+[<>]=?[^<>]+", value) is not None)
_HOURS: Check = (
    "two times as 22:00-08:00, or nothing", lambda value: not value or bool(
        re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value)))
_ADDRESS: Check = (
    "an address such as https://example.org",
    lambda value: re.fullmatch(r"https?://[^\s/]+(/\S*)?", value) is not None)
_ADDRESS_OR_NOTHING: Check = (f"{_ADDRESS[0]}, or nothing",
                              lambda value: not value or _ADDRESS[1](value))
_TIME: Check = ("a time of UTC such as '07:30', or nothing", lambda value: not value or bool(
    re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value)))
_ATELS: Check = ("numbers of ATels, such as \"14773, 15056\"", lambda value: all(
    re.fullmatch(r"\s*\d{1,6}(\s*,\s*\d{1,6})*\s*", text) for text in value.values()))
_ZONE: Check = ("a time zone such as Europe/Madrid", lambda value: value in available_timezones())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``[[rule]]``: when to tell people."""

    name: str = key("Name of the rule.")
    source: str = key(
        "Source it watches, by any of its names; * for every target; tag:NAME for those of a tag.",
        "*")
    sources: tuple[str, ...] = key("Several sources, each as in source; instead of it.", ())
    band: str = key("Band it watches; * for each band by itself.", "R")
    instruments: tuple[str, ...] = key("Instruments whose points count; empty: all.", ())
    condition: str = key("The condition, such as mag < 13.0; see docs/alerts.md.",
                         check=_CONDITION)
    clear: str = key(
        "Condition at which the alert ends, such as mag > 13.2; "
        "empty: when the condition no longer holds.", "",
        check=("a condition such as mag > 13.2, or nothing",
               lambda value: not value or _CONDITION[1](value)))
    confirm: int = key("Consecutive points that must meet the condition.", 2, check=at_least(1))
    confirm_within: float = key("Hours within which they must lie; 0: any.", 0.0,
                                check=at_least(0))
    lasting: float = key("Minutes for which a condition of the system must hold.", 5.0,
                         check=at_least(0))
    cooldown: float = key(
        "Hours after an alert of this rule and source in which no new one starts.", 12.0,
        check=at_least(0))
    window: float = key(
        "Days before a point with which a change, a rate or a rotation is compared; for a "
        "condition of the system, days that are counted.", 14.0, check=above(0))
    min_points: int = key("Fewest points of that window that tell a change.", 10,
                          check=at_least(2))
    floor: float = key(
        "Scatter that is always allowed for, in the quantity's unit: added in quadrature to that "
        "of the window and the point's own error; below 0: 0.02 mag, 2 % of the flux, 0.5 % of p, "
        "2 deg of chi.", -1.0)
    simultaneous: float = key("Hours that the two bands of a colour may be apart.", 0.5,
                              check=above(0))
    host: str = key("raw, or corrected for the light of the host galaxy.", "raw",
                    check=one_of("raw", "corrected"))
    max_err: float = key("Largest error of a point that counts, in the quantity's unit; 0: any.",
                         0.0, check=at_least(0))
    reject: tuple[str, ...] = key("Flags that bar a point, besides those that always do.", ())
    steady: bool = key(
        "Count only points in whose frames two comparison stars or more are as in the night's "
        "others.", False)
    severity: str = key("info, notice, high, critical, or atel: high, with a draft of a telegram.",
                        "notice", check=one_of(*SEVERITIES))
    repeat: float = key("Hours after which an alert that goes on is told again; 0: never.", 0.0,
                        check=at_least(0))
    tell_end: bool = key("Tell the end too.", False)
    group_wait: float = key(
        "Seconds for which a message waits for others about the same source, of such rules, that "
        "go to the same recipient: they become one; 0: none waits.", 0.0, check=at_least(0))
    max_age: float = key(
        "Hours: points older than that tell nobody; below 0: as in [alerts]; 0: any age.", -1.0)
    muted: bool = key("Judge the rule, and tell nobody.", False)
    channels: tuple[str, ...] = key("Names of the channels that are told.", ())


@dataclass(frozen=True, kw_only=True)
class Tag:
    """``[[tag]]``: a name for several sources, for rules."""

    name: str = key("Name of the tag.")
    sources: tuple[str, ...] = key("The sources, by any of their names.")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """``[[channel]]``: how people are told."""

    name: str = key("Name of the channel.")
    kind: str = key(
        "What it is: email, telegram, webhook, apprise, or what an installed package brings.",
        "email")
    to: tuple[str, ...] = key(
        "Who is told: addresses (email), chats (telegram), tags (apprise); a webhook needs none.",
        ())
    bcc: tuple[str, ...] = key(
        "Addresses that get each mail too, unseen by the others (email).", ())
    reply_to: str = key("Address that answers go to; empty: the sender (email).", "")
    sender: str = key("Address that the mails come from (email).", "iop4d@localhost")
    host: str = key("Mail server (email).", "localhost")
    port: int = key("Its port (email).", 25, check=port_from(1))
    tls: str = key(
        "none, starttls, or tls from the first byte (email). With a password it must be one of the "
        "latter two.", "none", check=one_of("none", "starttls", "tls"))
    user: str = key("Login name; empty: no login (email).", "")
    password_file: Path | None = key("File that holds the password (email).", None)
    password_env: str = key("Environment variable that holds the password (email).", "")
    password_credential: str = key(
        "Credential of the service manager that holds the password (email).", "")
    token_file: Path | None = key("File that holds the bot's token (telegram).", None)
    token_env: str = key("Environment variable that holds the token (telegram).", "")
    token_credential: str = key(
        "Credential of the service manager that holds the token (telegram).", "")
    api: str = key("Address of the Bot API (telegram).", "https://api.telegram.org",
                   check=_ADDRESS)
    commands: bool = key("Obey commands from the chats of 'to' (telegram).", False)
    url: str = key("Where notices are posted to (webhook).", "", check=_ADDRESS_OR_NOTHING)
    secret_file: Path | None = key(
        "File with the secret: the key that signs (webhook), the addresses (apprise).", None)
    secret_env: str = key("Environment variable that holds the secret (webhook, apprise).", "")
    secret_credential: str = key(
        "Credential of the service manager that holds the secret (webhook, apprise).", "")
    proxy: str = key(
        "HTTP proxy, such as http://proxy.example.org:3128 (telegram, webhook); empty: as the "
        "environment says (HTTPS_PROXY).", "", check=_ADDRESS_OR_NOTHING)
    options: dict[str, str] = key("What a kind from an installed package wants to know.", {})


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """``[alerts]``: how messages are sent."""

    max_age: float = key(
        "Hours: points older than that tell nobody, so that an archive can be reprocessed; "
        "0: any age.", 48.0, check=at_least(0))
    quiet: str = key("Hours in which messages are held back, as 22:00-08:00; empty: none.", "",
                     check=_HOURS)
    quiet_zone: str = key("Time zone of those hours.", "UTC", check=_ZONE)
    quiet_lets: str = key("Least severity that is told in quiet hours all the same.", "critical",
                          check=one_of(*SEVERITIES))
    digest_over: int = key(
        "Messages that wait for one recipient at a time, beyond which they become one digest.", 5,
        check=at_least(1))
    late: float = key("Minutes after which waiting messages become one digest.", 30.0,
                      check=above(0))
    most: int = key(
        "Most messages to one recipient in ten minutes, a fifth of them (one at least) kept for "
        "what is critical; what is more becomes a digest.", 10, check=at_least(2))
    retry_first: float = key("Seconds before the first retry of a message.", 30.0, check=above(0))
    retry_longest: float = key("Longest seconds between two retries.", 3600.0, check=above(0))
    give_up: float = key("Days after which an undelivered message is given up.", 5.0,
                         check=above(0))
    timeout: float = key("Seconds that a server may take to answer.", 30.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """``[summary]``: the summary of every night."""

    channels: tuple[str, ...] = key(
        "Names of the channels that get it; none: it is made for the page alone.", ())
    at: str = key(
        "When it is made, a time of UTC such as 07:30; empty: at the end of astronomical "
        "twilight.", "", check=_TIME)
    empty_nights: bool = key("Send it also when nothing was observed.", True)
    plots: bool = key("Put a plot of every source into it.", True)
    catch_up: int = key(
        "Nights that are made late at most, when the daemon was off as they ended.", 3,
        check=at_least(1))


@dataclass(frozen=True, kw_only=True)
class Atel:
    """``[atel]``: who signs drafts of Astronomer's Telegrams, and what they say of the site."""

    authors: tuple[str, ...] = key(
        "Authors in their order, each with the institute in brackets.", ())
    contact: str = key("Name and address of whom to ask.", "")
    subjects: tuple[str, ...] = key("Subjects, as the form names them.",
                                    ("Optical", "AGN", "Blazar"))
    telescopes: dict[str, str] = key(
        "Telescopes by their names, and what a telegram calls them after 'the': aperture, name and "
        "place.", {})
    calibration: dict[str, str] = key(
        "Where the magnitudes of comparison stars are from, by any name of the source, * for all "
        "others.", {})
    related: dict[str, str] = key(
        "Numbers of ATels that belong to a source, by any of its names.", {}, check=_ATELS)
    acknowledgement: str = key("A last sentence, for those who paid.", "")
