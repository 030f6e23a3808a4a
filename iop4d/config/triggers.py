"""``[triggers]``: notices from elsewhere that raise a source to a priority target."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iop4d.config.keys import Check, above, at_least, between, key, one_of
from iop4d.config.secret import Secret

BROKER = "triggers"  # by which rules, commands and pages know the broker
_TOPICS: Check = ("names of topics such as gcn.classic.text.FERMI_LAT_MONITOR",
                  lambda value: all(re.fullmatch(r"[A-Za-z0-9._-]{1,249}", one) for one in value))
_SERVERS: Check = ("addresses such as localhost:9092, with commas between, or nothing",
                   lambda value: not value or bool(re.fullmatch(
                       r"[\w.-]+(:\d{1,5})?(\s*,\s*[\w.-]+(:\d{1,5})?)*", value)))


@dataclass(frozen=True, kw_only=True)
class Triggers:
    """``[triggers]``: which notices count, for how long, and where they come from."""

    topics: tuple[str, ...] = key(
        "Topics of NASA's GCN, or of another Kafka broker, that the daemon listens to, such as "
        "gcn.classic.text.FERMI_LAT_MONITOR; empty: none. Needs the extra iop4d[gcn].", (),
        check=_TOPICS)
    client_id: str = key("Client ID of your account at gcn.nasa.gov.", "")
    client_secret_file: Path | None = key("File that holds the client secret.", None)
    client_secret_env: str = key("Environment variable that holds the client secret.", "")
    client_secret_credential: str = key("Credential of systemd that holds the client secret.", "")
    domain: str = key("Which GCN: that of observations, or one for tests.", "gcn.nasa.gov",
                      check=one_of("gcn.nasa.gov", "test.gcn.nasa.gov", "dev.gcn.nasa.gov"))
    servers: str = key(
        "Addresses of the brokers, instead of those of GCN, such as localhost:9092. Without a "
        "client_id the connection is not encrypted.", "", check=_SERVERS)
    group: str = key(
        "Group of consumers, by which the broker knows what this site has received; empty: "
        "iop4d- and the client_id.", "")
    for_hours: float = key(
        "Hours for which a notice raises its source, unless it says for how long.", 72.0,
        check=above(0))
    min_significance: float = key(
        "Minimum significance in sigma of a notice that has one; 0: any.", 0.0, check=at_least(0))
    match_arcmin: float = key(
        "Arcminutes within which the position of a notice is that of a target, where its error is "
        "smaller.", 3.0, check=above(0))
    max_error_deg: float = key(
        "Degrees of a notice's error beyond which its position names no target.", 1.0,
        check=between(0, 180))

    @property
    def secret(self) -> Secret:
        """The client secret."""
        return Secret(owner="[triggers]", word="client_secret", file=self.client_secret_file,
                      env=self.client_secret_env, credential=self.client_secret_credential)

    @property
    def consumers(self) -> str:
        """The group of consumers."""
        return self.group or f"iop4d-{self.client_id}".rstrip("-")


def contradictions_of_triggers(triggers: Triggers) -> list[tuple[str, str]]:
    """Keys that do not fit the others, each with what was expected."""
    if triggers.topics and not triggers.servers and not triggers.client_id:
        return [("topics", "client_id and client_secret_file too: GCN lets those in alone that "
                           "have an account at gcn.nasa.gov (or servers, for another broker)")]
    if triggers.client_id and not triggers.secret.is_named:
        return [("client_id", "client_secret_file too, or client_secret_env or "
                              "client_secret_credential")]
    return []
