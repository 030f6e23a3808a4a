"""``[[channel]]`` of the site file: one section class for each kind of channel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import ClassVar

from iop4d.config.keys import Check, address, host_name, key, one_of, or_nothing, port_from

_PROXY = ("HTTP proxy, such as http://proxy.example.org:3128; empty: as the environment variable "
          "HTTPS_PROXY says.")


def _is_address(value: str) -> bool:
    return re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(value)[1]) is not None


_ADDRESS: Check = ("an address such as ana@example.org", _is_address)
_ADDRESSES: Check = ("addresses such as ana@example.org",
                     lambda value: all(map(_is_address, value)))


@dataclass(frozen=True, kw_only=True)
class _AnyChannel:
    """What the sections of all channels have."""

    SECRET: ClassVar[str] = ""  # the word with which the keys of its secret begin
    #: Keys that it needs beyond those without a default, each with what is missing without it.
    NEEDS: ClassVar[dict[str, str]] = {}
    RECIPIENT: ClassVar[str] = ""  # what a recipient is, where it has no colon and no slashes

    name: str = key("Name of the channel.")
    kind: str = key("email, telegram, webhook, apprise, or a kind of an installed package.",
                    "email")
    to: tuple[str, ...] = key(
        "Recipients: addresses (email), chats (telegram), tags (apprise); a webhook needs none.",
        ())

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets each message."""
        return self.to

    @property
    def are_recipients_right(self) -> bool:
        """Whether all recipients can be such."""
        return True

    @property
    def domain(self) -> str:
        """Domain of the ids of its messages."""
        return "localhost"


@dataclass(frozen=True, kw_only=True)
class EmailChannel(_AnyChannel):
    """Mails, through a mail server."""

    SECRET: ClassVar[str] = "password"  # noqa: S105  # a word, no password
    NEEDS: ClassVar[dict[str, str]] = {"to": "the addresses of its recipients"}
    RECIPIENT: ClassVar[str] = "addresses of mail such as ana@example.org"

    kind: str = key("Mails.", "email", check=one_of("email"))
    bcc: tuple[str, ...] = key(
        "Addresses that get a copy of each mail, hidden from the other recipients.", (),
        check=_ADDRESSES)
    reply_to: str = key("Address for answers; empty: the sender.", "", check=or_nothing(_ADDRESS))
    sender: str = key("Address of the sender.", "iop4d@localhost", check=_ADDRESS)
    host: str = key("Mail server.", "localhost", check=host_name)
    port: int = key("Port of the mail server.", 25, check=port_from(1))
    tls: str = key(
        "none, starttls, or tls (from the first byte on). With a password it must be starttls or "
        "tls.", "none", check=one_of("none", "starttls", "tls"))
    ca_file: Path | None = key("Certificates that are trusted besides those of the system.", None)
    user: str = key("Login name; empty: no login.", "")
    password_file: Path | None = key("File that holds the password.", None)
    password_env: str = key("Environment variable that holds the password.", "")
    password_credential: str = key("Credential of systemd that holds the password.", "")

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets each message."""
        return (*self.to, *self.bcc)

    @property
    def are_recipients_right(self) -> bool:
        """Whether each is an address."""
        return all(map(_is_address, self.recipients))

    @property
    def domain(self) -> str:
        """Domain of the ids of its messages: the sender's."""
        return parseaddr(self.sender)[1].rpartition("@")[2]


@dataclass(frozen=True, kw_only=True)
class TelegramChannel(_AnyChannel):
    """Messages of a Telegram bot."""

    SECRET: ClassVar[str] = "token"  # noqa: S105  # a word, no token
    NEEDS: ClassVar[dict[str, str]] = {"token": "the token of its bot", "to": "its chats"}
    RECIPIENT: ClassVar[str] = "chats"

    kind: str = key("Messages of a Telegram bot.", "telegram", check=one_of("telegram"))
    token_file: Path | None = key("File that holds the bot's token.", None)
    token_env: str = key("Environment variable that holds the token.", "")
    token_credential: str = key("Credential of systemd that holds the token.", "")
    accept_commands: bool = key("Accept commands from the chats of the key 'to'.", False)
    api_url: str = key("Address of the Bot API.", "https://api.telegram.org", check=address)
    proxy: str = key(_PROXY, "", check=or_nothing(address))


@dataclass(frozen=True, kw_only=True)
class WebhookChannel(_AnyChannel):
    """Notices as JSON, posted to an address."""

    SECRET: ClassVar[str] = "secret"  # noqa: S105  # a word, no secret
    NEEDS: ClassVar[dict[str, str]] = {"url": "the address to which notices are posted"}

    kind: str = key("Notices as JSON, posted to an address.", "webhook", check=one_of("webhook"))
    url: str = key("Address to which notices are posted.", "", check=or_nothing(address))
    secret_file: Path | None = key("File that holds the secret, the key that signs.", None)
    secret_env: str = key("Environment variable that holds the secret.", "")
    secret_credential: str = key("Credential of systemd that holds the secret.", "")
    proxy: str = key(_PROXY, "", check=or_nothing(address))


@dataclass(frozen=True, kw_only=True)
class AppriseChannel(_AnyChannel):
    """The services that the library Apprise knows."""

    SECRET: ClassVar[str] = "secret"  # noqa: S105  # a word, no secret
    NEEDS: ClassVar[dict[str, str]] = {"secret": "the addresses of its services",
                                       "to": "the tags of its recipients"}
    RECIPIENT: ClassVar[str] = "tags"

    kind: str = key("Services of the library Apprise.", "apprise", check=one_of("apprise"))
    secret_file: Path | None = key(
        "File that holds the secret, addresses of services as Apprise writes them.", None)
    secret_env: str = key("Environment variable that holds the secret.", "")
    secret_credential: str = key("Credential of systemd that holds the secret.", "")


@dataclass(frozen=True, kw_only=True)
class PluginChannel(_AnyChannel):
    """A kind of an installed package."""

    SECRET: ClassVar[str] = "secret"  # noqa: S105  # a word, no secret

    kind: str = key("The kind, as the package names it.")
    secret_file: Path | None = key("File that holds a secret of the package.", None)
    secret_env: str = key("Environment variable that holds the secret.", "")
    secret_credential: str = key("Credential of systemd that holds the secret.", "")
    options: dict[str, str] = key("Settings of the package.", {})


Channel = EmailChannel | TelegramChannel | WebhookChannel | AppriseChannel | PluginChannel
