"""Logging in to an SFTP server: by which keys and words, whose host key, and why it failed.

The host must show a key that the site file names: as ``host_key``, or in ``known_hosts``; no other
is ever taken. Login is by ``key_file``, by password, or both: the key first; the password opens
the key as well, where it is locked. Where neither is named, the agent and the default keys of the
user are tried, as ``ssh`` does. No configuration of ``ssh`` itself is read.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from iop4d.archives.names import printable
from iop4d.archives.session import HostError, LoginError, RemoteError
from iop4d.config import SftpArchive
from iop4d.config.secret import secret_of
from iop4d.model.errors import ConfigError
from iop4d.model.network import why_unreachable

PORT = 22
_ITS_SIDE = "; a key may have expired in its authorized_keys (expiry-time), or be for other hosts"


@dataclass(frozen=True, kw_only=True)
class Login:
    """How to log in: ``keys`` of the site file in words, ``options`` of asyncssh, and the
    ``secret`` among them, which stands in no message."""

    keys: str
    options: dict[str, Any] = field(repr=False)
    secret: str | None = field(repr=False)

    def hide(self, text: str) -> str:
        """A server's words, without the secret where they repeat it."""
        return printable(text.replace(self.secret, "(secret)") if self.secret else text)


def read_login(archive: SftpArchive) -> Login:
    """Key and password, as far as the site file names them."""
    who = f"the archive {archive.name}"
    try:
        secret = secret_of(archive).read()
    except ConfigError as error:
        raise LoginError(str(error)) from None
    named = [key for key in ("key_file", "password_file", "password_env", "password_credential")
             if getattr(archive, key)]
    if not named:
        return Login(options={}, secret=None, keys="user, and key_file or password_file, of which "
                      "none is set; the SSH agent and the user's own keys were tried")
    options: dict[str, Any] = {"agent_path": None, "client_keys": None}
    if archive.key_file is not None:
        try:
            options["client_keys"] = [asyncssh.read_private_key(archive.key_file, secret)]
        except OSError as error:
            raise LoginError(f"{who}: key_file cannot be read: {error}") from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise LoginError(f"{who}: key_file holds no private key, or one that the password does "
                             f"not open: {archive.key_file}: {error}") from None
    if secret is not None:
        options["password"] = secret
    return Login(options=options, secret=secret, keys=f"user and {' and '.join(named)}")


def _known_hosts(archive: SftpArchive) -> Path:
    return archive.known_hosts or Path("~/.ssh/known_hosts").expanduser()


def read_known_hosts(archive: SftpArchive) -> asyncssh.SSHKnownHosts:
    """The hosts that are known; none where the site file pins a key, and where there is no file."""
    path = _known_hosts(archive)
    try:
        if archive.host_key or (archive.known_hosts is None and not path.is_file()):
            return asyncssh.SSHKnownHosts()
        return asyncssh.read_known_hosts(str(path))
    except (OSError, ValueError) as error:
        raise HostError(f"the archive {archive.name}: known_hosts cannot be read: {error}"
                        ) from None


class HostKey(asyncssh.SSHClient):
    """Judges the key that the host shows, and remembers it for the message.

    asyncssh asks it only about keys that known_hosts does not hold.
    """

    def __init__(self, archive: SftpArchive, known: asyncssh.SSHKnownHosts) -> None:
        self._archive = archive
        self.trusted = known
        self._shown: asyncssh.SSHKey | None = None
        port = archive.port or PORT
        keys, authorities, *_ = known.match(archive.host, "", port if port != PORT else None)
        self._is_known = bool(keys)
        # The algorithms of keys that are known first: a host that has several keys shows that one.
        # The others after them: else a host whose key is of another kind now would show none.
        names = [name for key in keys for name in key.sig_algorithms]
        names += get_default_public_key_algs()
        if authorities:
            names = get_default_certificate_algs() + names
        self.algorithms = [name.decode("ascii") for name in dict.fromkeys(names)]

    def validate_host_public_key(self, host: str, addr: str, port: int,
                                 key: asyncssh.SSHKey) -> bool:
        """Whether it is the key that the site file pins."""
        self._shown = key
        # Hosts may be known by their address, too.
        known, *_ = self.trusted.match(host, addr, port if port != PORT else None)
        self._is_known = self._is_known or bool(known)
        pinned = self._archive.host_key.strip().rstrip("=")
        return pinned != "" and key.get_fingerprint() == pinned

    def why(self) -> str:
        """Why the host was not taken, and what to do."""
        path = _known_hosts(self._archive)
        if self._shown is None:
            return (f"its key is revoked, or certified by an unknown authority; check known_hosts "
                    f"({path})")
        shown = f"{self._shown.get_fingerprint()} ({self._shown.get_algorithm()})"
        if self._archive.host_key:
            return (f"it shows the key {shown}, which is not that of host_key, "
                    f"{self._archive.host_key}: possible man-in-the-middle attack; update "
                    "host_key only if the archive's administrators confirm the new key")
        if self._is_known:
            return (f"its key has changed: it shows {shown}, known_hosts ({path}) holds another: "
                    "possible man-in-the-middle attack; update host_key or known_hosts only if the "
                    "archive's administrators confirm the new key")
        return (f"its key is unknown: it shows {shown}; if the archive's administrators "
                f"confirm it, set the key 'host_key' to it, or add the host to known_hosts "
                f"({path})")


def no_connection(archive: SftpArchive, error: Exception, host_key: HostKey,
                   login: Login) -> RemoteError:
    """What went wrong, in words that tell which key of the site file to look at."""
    who = f"the archive {archive.name}"
    where = f"{who}: host {archive.host}, port {archive.port or PORT}"
    said = login.hide(str(error))
    kind: type[RemoteError] = HostError
    match error:
        case TimeoutError():
            text = (f"{where}: timed out after {archive.connect_timeout:g} s; check the keys "
                    "'host', 'port' and 'connect_timeout'")
        case socket.gaierror() | UnicodeError():
            why = why_unreachable(error) or said
            text = f"{who}: cannot resolve host name {archive.host}: {why}; check the key 'host'"
        case ConnectionRefusedError():
            text = f"{where}: connection refused; check the keys 'host' and 'port'"
        case asyncssh.HostKeyNotVerifiable():
            text = f"{where}: {host_key.why()}"
        case asyncssh.PermissionDenied() | asyncssh.IllegalUserName():
            kind = LoginError
            text = (f"{who}: the server refuses the login of '{archive.user}'; check the keys "
                    f"{login.keys}" + (_ITS_SIDE if archive.key_file else ""))
        case asyncssh.ConnectionLost() if "timeout" in said:
            text = (f"{where}: the login timed out after {archive.connect_timeout:g} s; check "
                    "the key 'connect_timeout'")
        case asyncssh.KeyExchangeFailed():
            text = f"{where}: no encryption method in common: {said}"
        case asyncssh.DisconnectError() if "authentication" in said.lower():
            kind = LoginError
            text = (f"{who}: the server refuses the login of '{archive.user}' ({said}); check the "
                    f"keys {login.keys}")
        case asyncssh.ChannelOpenError() | asyncssh.SFTPError():
            text = (f"{where}: the login of '{archive.user}' succeeded, but the server offers no "
                    f"SFTP: {said}")
        case _:
            text = f"{where}: no connection: {said}; check the keys 'host' and 'port'"
    return kind(text)
