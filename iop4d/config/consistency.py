"""What one section of a site must know of another, and what must be there on the machine."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

from iop4d.config.archive import Archive, FolderArchive
from iop4d.config.camera import contradictions
from iop4d.config.channel import Channel
from iop4d.config.redact import expected, named
from iop4d.config.secret import secret_of, wrong_with_certificates
from iop4d.config.site import ARRAYS, Site
from iop4d.config.store import FilePlace
from iop4d.config.triggers import contradictions_of_triggers
from iop4d.config.where import Where
from iop4d.config.workers import contradictions as contradictions_of_workers
from iop4d.model.errors import ConfigError
from iop4d.model.source import similar


def check_whole(site: Site, where: Where) -> None:
    """What one section must know of another."""
    for section in ARRAYS:
        if section in ("polarimeter", "colour_term", "want"):
            continue  # an instrument has any number of them, each for its nights; sources too
        seen: set[str] = set()
        for number, item in enumerate(getattr(site, section)):
            if item.name in seen:
                raise ConfigError(f"{where(section, 'name', number)}"
                                  f"{expected(item.name)} a name that no other [[{section}]] has")
            seen.add(item.name)
    for number, camera in enumerate(site.camera):
        for name, wanted in contradictions(camera):
            raise ConfigError(f"{where('camera', name, number)}: expected {wanted}")
    _check_workers(site, where)
    _check_node(site, where)
    places: dict[Path, str] = {}
    for number, archive in enumerate(site.archive):
        _check_archive(archive, number, where)
        if (other := places.setdefault(archive.path, archive.name)) != archive.name:
            raise ConfigError(f"{where('archive', 'path', number)} is the folder of the archive "
                              f"'{other}'; expected one of its own")
    for number, want in enumerate(site.want):
        if math.isnan(want.mag_err) and math.isnan(want.p_err):
            raise ConfigError(f"{where('want', '', number)}: expected mag_err, p_err or both: the "
                              "random errors that are wanted")
    _check_channels(site, where)
    if site.photometry.annulus_outer <= site.photometry.annulus_inner:
        raise ConfigError(f"{where('photometry', 'annulus_outer')}; expected more than "
                          f"annulus_inner, {site.photometry.annulus_inner:g}")
    if site.web.max_streams > site.web.threads // 2:
        raise ConfigError(f"{where('web', 'max_streams')} is {site.web.max_streams}; expected "
                          f"at most half of web.threads, {site.web.threads // 2}")


def _check_node(site: Site, where: Where) -> None:
    if site.site.node and isinstance(site.database, FilePlace):
        raise ConfigError(f"{where('site', 'node')} is '{site.site.node}', but the database is "
                          "SQLite's file, which one daemon has alone; expected nothing, or a "
                          "[store] url of a PostgreSQL server, which several daemons share")


def _check_workers(site: Site, where: Where) -> None:
    for name, wanted in contradictions_of_workers(site.workers):
        raise ConfigError(f"{where('workers', name)}: expected {wanted}")
    for name, wanted in contradictions_of_triggers(site.triggers):
        raise ConfigError(f"{where('triggers', name)}: expected {wanted}")


def check_indexes(site: Site, where: Where) -> None:
    """That there are index files: without them no frame gets a magnitude."""
    for folder in site.astrometry.index:
        if not folder.is_dir():
            raise ConfigError(f"{where('astrometry', 'index')} names {folder}, which is no folder; "
                              "'iop4d index' makes one ('iop4d docs indexes')")
        if next(folder.glob("*.fits"), None) is None:
            inner = sorted({path.parent.name for path in folder.glob("*/*.fits")})
            hint = f"; name its folder {', '.join(inner)}" if inner else ""
            raise ConfigError(f"{where('astrometry', 'index')} names {folder}, which holds no "
                              f"index files (*.fits){hint}")


def check_certificates(site: Site, where: Where) -> None:
    """That every ``ca_file`` holds certificates: without them no connection is trusted."""
    for section in ("archive", "channel"):
        for number, item in enumerate(getattr(site, section)):
            path = getattr(item, "ca_file", None)
            if path is not None and (wrong := wrong_with_certificates(path)):
                raise ConfigError(f"{where(section, 'ca_file', number)} names {path}, {wrong}")


def _check_channels(site: Site, where: Where) -> None:
    """That channels are there where they are named, and send no password in clear text."""
    channels = {channel.name for channel in site.channel}
    for number, rule in enumerate(site.rule):
        for name in rule.channels:
            if name not in channels:
                raise ConfigError(f"{where('rule', 'channels', number)} names {named(name)}; "
                                  "expected one of the channels: "
                                  f"{', '.join(channels) or 'there are none'}"
                                  f"{similar(name, channels)}")
    for name in site.summary.channels:
        if name not in channels:
            raise ConfigError(f"{where('summary', 'channels')} names {named(name)}; expected one "
                              f"of the channels: {', '.join(channels) or 'there are none'}"
                              f"{similar(name, channels)}")
    for number, channel in enumerate(site.channel):
        _check_channel(channel, number, where)


def _check_channel(channel: Channel, number: int, where: Where) -> None:
    """What the keys of a channel must know of each other."""
    secret = secret_of(channel)
    for need, what in channel.NEEDS.items():
        is_secret = need == secret.word
        keys = secret.keys if is_secret else (need,)
        if not (secret.is_named if is_secret else getattr(channel, need)):
            raise ConfigError(f"{where('channel', '', number)}: the key '{keys[0]}' is missing, "
                              f"{what}" + (f" (or {' or '.join(keys[1:])})" if keys[1:] else ""))
    if channel.RECIPIENT and any(re.search("//|:", one) for one in channel.recipients):
        raise ConfigError(f"{where('channel', 'to', number)}: expected {channel.RECIPIENT}; "
                          "addresses of services belong in the file of the secret")
    if not channel.are_recipients_right:
        raise ConfigError(f"{where('channel', 'to', number)}: expected {channel.RECIPIENT}")
    if getattr(channel, "tls", "") == "none" and secret.is_named:
        raise ConfigError(f"{where('channel', 'tls', number)} is 'none'; expected starttls or "
                          "tls, because a password must not cross the network in clear text")


def _check_archive(archive: Archive, number: int, where: Where) -> None:
    """What the keys of an archive must know of each other."""
    try:
        re.compile(archive.file_pattern)
    except re.error as error:
        raise ConfigError(f"{where('archive', 'file_pattern', number)}"
                          f"{expected(archive.file_pattern)} a regular expression "
                          f"such as \\.fits$ ({error})") from None
    if isinstance(archive, FolderArchive):
        return
    try:
        night = datetime.combine(date(2023, 3, 13), time())
        folder = archive.night_folder.format(night=night)
        changes = all(folder != archive.night_folder.format(night=night + timedelta(days=days))
                      for days in (1, 366)) and "00:00:00" not in folder
    except (KeyError, IndexError, ValueError, AttributeError):
        changes = False
    if not changes:
        raise ConfigError(f"{where('archive', 'night_folder', number)}"
                          f"{expected(archive.night_folder)} the date of the night in braces, "
                          "such as /{night:%Y%m%d}")
    try:
        if "a/b.fits".encode(archive.encoding) != b"a/b.fits":
            raise LookupError
    except (LookupError, UnicodeError):
        raise ConfigError(f"{where('archive', 'encoding', number)}"
                          f"{expected(archive.encoding)} an encoding, such as utf-8 or "
                          "latin-1") from None
