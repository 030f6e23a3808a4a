"""Secrets come from a file, an environment variable or a credential of systemd; certificates
from a file.

This is the one place that knows which secrets a site has.
"""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iop4d.model.errors import ConfigError

if TYPE_CHECKING:
    from iop4d.config.archive import Archive
    from iop4d.config.channel import Channel
    from iop4d.config.site import Site


@dataclass(frozen=True, kw_only=True)
class Secret:
    """Where the secret of an archive or a channel is to be found; never the secret itself."""

    owner: str  # as messages name it: archive 'OSN'
    word: str  # with which its keys begin: password, token, secret
    file: Path | None = None
    env: str = ""
    credential: str = ""

    @property
    def keys(self) -> tuple[str, str, str]:
        """The keys of the site file, of which one says where the secret is."""
        return f"{self.word}_file", f"{self.word}_env", f"{self.word}_credential"

    @property
    def is_named(self) -> bool:
        """Whether the site file says where it is."""
        return bool(self.file or self.env or self.credential)

    def read(self) -> str | None:
        """The secret without its line end; None where the site file names none.

        Raises ConfigError where the place that is named holds none; the message holds no secret.
        """
        of_file, of_env, of_credential = self.keys
        if self.file is not None:
            return self._of_file(of_file, self.file)
        if self.env:
            if value := os.environ.get(self.env, ""):
                return value
            raise ConfigError(f"{self.owner}: {of_env} names {self.env}, which is not set")
        if not self.credential:
            return None
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder or Path(self.credential).name != self.credential:
            raise ConfigError(f"{self.owner}: no credential '{self.credential}': systemd gives it "
                              "to the service alone (docs/service.md)")
        return self._of_file(of_credential, Path(folder) / self.credential)

    def exposed(self) -> str:
        """That other accounts can read its file, as a sentence; empty where they cannot."""
        try:
            mode = self.file.stat().st_mode if self.file is not None else 0
        except OSError:
            return ""
        if not mode & stat.S_IROTH:
            return ""
        return (f"{self.owner}: any account can read the {self.word} in {self.file}: "
                f"chmod o-r {shlex.quote(str(self.file))}")

    def _of_file(self, key: str, path: Path) -> str:
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:  # whose message shows bytes of the secret
            raise ConfigError(f"{self.owner}: {key} is no UTF-8 text: {path}") from None
        except OSError as error:
            raise ConfigError(f"{self.owner}: {key} cannot be read: {error}") from None
        if not value:
            raise ConfigError(f"{self.owner}: {key} is empty: {path}")
        return value


def secret_of(section: Archive | Channel) -> Secret:
    """The secret of an archive or a channel; of a kind without one, a secret that is not named."""
    owner = f"{'archive' if hasattr(section, 'is_remote') else 'channel'} '{section.name}'"
    if not section.SECRET:
        return Secret(owner=owner, word="secret")
    file, env, credential = (getattr(section, f"{section.SECRET}_{form}")
                             for form in ("file", "env", "credential"))
    return Secret(owner=owner, word=section.SECRET, file=file, env=env, credential=credential)


def secrets_of(site: Site) -> list[Secret]:
    """Every secret that the site file names."""
    found = [site.store.secret, site.triggers.secret,
             *(secret_of(section) for section in (*site.archive, *site.channel))]
    return [secret for secret in found if secret.is_named]


def exposed_secrets(site: Site) -> list[str]:
    """A sentence for each file with a secret that other accounts can read."""
    return list(filter(None, (secret.exposed() for secret in secrets_of(site))))


def wrong_with_certificates(path: Path) -> str:
    """Why a file of certificates cannot serve; empty where it can, or may not be read here."""
    try:
        content = path.read_bytes()
    except PermissionError:
        return ""  # an account that only looks need not read it
    except OSError as error:
        return f"which cannot be read: {error.strerror}"
    return "" if b"CERTIFICATE-----" in content else "which holds no certificates (PEM)"
