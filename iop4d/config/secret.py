"""Secrets come from a file, an environment variable or a credential of the service manager."""

from __future__ import annotations

import os
from pathlib import Path

from iop4d.model.errors import ConfigError


def read_secret(what: str, *, file: Path | None = None, env: str = "",
                credential: str = "", key: str = "password") -> str | None:
    """The secret, without its line end; None where none is named.

    ``what`` stands in messages: "the archive OSN", and so does ``key``, the word with which the
    keys of the site file begin. Raises ConfigError where the place that
    is named does not hold one; the message never holds a secret.
    """
    if file is not None:
        return _of_file(what, f"{key}_file", file)
    if env:
        if value := os.environ.get(env, ""):
            return value
        raise ConfigError(f"{what}: {key}_env names {env}, which is not set")
    if credential:
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not folder or Path(credential).name != credential:
            raise ConfigError(f"{what}: no credential '{credential}': the service manager gives "
                              "none (LoadCredential= of the unit)")
        return _of_file(what, f"{key}_credential", Path(folder) / credential)
    return None


def _of_file(what: str, key: str, path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what}: {key} cannot be read: {error}") from None
    if not value:
        raise ConfigError(f"{what}: {key} is empty: {path}")
    return value
