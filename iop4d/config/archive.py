"""``[[archive]]`` of the site file: one section class for each kind of archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from iop4d.config.keys import above, at_least, host_name, hours, key, one_of, port_from


@dataclass(frozen=True, kw_only=True)
class _AnyArchive:
    """What the sections of all archives have."""

    SECRET: ClassVar[str] = ""  # the word with which the keys of its secret begin
    is_remote: ClassVar[bool] = False  # whether its frames have to be downloaded

    name: str = key("Name of the archive.")
    kind: str = key("folder (of this machine, or mounted), ftp or sftp.", "folder")
    path: Path = key(
        "Folder of the raw frames, absolute or relative to the site file; of a server, the folder "
        "to which its frames are downloaded, with a folder for each night. Default: raw/ and the "
        "archive's name.", Path())
    telescope: str = key(
        "Telescope of these frames; frames of another one are rejected. Empty: as their headers "
        "say.", "")
    file_pattern: str = key("Regular expression that the names of frames match.",
                            r"(?i)^[^.~].*\.(fits?|fts)(\.gz|\.fz)?$")
    make_read_only: bool = key(
        "Remove the write permissions of raw files once they are complete.", False)
    settle: float = key(
        "Seconds for which size and time of a file must not change before it is downloaded, or "
        "before it is read from a network mount.", 30.0, check=at_least(0))
    observing_hours: str = key(
        "Hours of UTC in which the telescope observes, such as 18:30-05:30; empty: while the sun "
        "is below its horizon.", "", check=hours("18:30-05:30"))


@dataclass(frozen=True, kw_only=True)
class FolderArchive(_AnyArchive):
    """A folder of this machine, or one that is mounted."""

    kind: str = key("A folder.", "folder", check=one_of("folder"))
    polling: bool = key(
        "Find files by scans alone, without events of the system. Network mounts are recognised "
        "and need no such key.", False)


@dataclass(frozen=True, kw_only=True)
class _ServerArchive(_AnyArchive):
    """What the sections of all servers have."""

    SECRET: ClassVar[str] = "password"  # noqa: S105  # a word, no password
    is_remote: ClassVar[bool] = True

    host: str = key("Name or address of the server.", check=host_name)
    port: int = key("Port of the server; 0: the usual one (ftp 21, with implicit TLS 990, sftp "
                    "22).", 0, check=port_from(0))
    user: str = key("Login name.", "anonymous")
    password_file: Path | None = key("File that holds the password.", None)
    password_env: str = key("Environment variable that holds the password.", "")
    password_credential: str = key("Credential of systemd that holds the password.", "")
    night_folder: str = key(
        "Folder of a night on the server, with the date in braces: /{night:%Y%m%d}, or "
        "/data/{night:%y%m%d}_CAFOS.", "/{night:%Y%m%d}")
    name_prefixes: tuple[str, ...] = key(
        "Download only files whose names begin with one of these words, and calibration frames "
        "(bias, dark, flat); empty: all frames.", ())
    encoding: str = key("Encoding of file names on the server.", "utf-8")
    poll_interval: float = key("Seconds between two listings while the telescope observes.", 60.0,
                               check=above(0))
    poll_interval_day: float = key("Seconds between two listings while it does not.", 900.0,
                                   check=above(0))
    lookback_nights: int = key("Earlier nights that are listed too.", 3, check=at_least(0))
    parallel_downloads: int = key("Maximum number of simultaneous downloads.", 2,
                                  check=at_least(1))
    max_kb_per_s: float = key(
        "Maximum kilobytes per second of all downloads together; 0: no limit.", 0.0,
        check=at_least(0))
    timeout: float = key("Seconds within which the server must answer or send more data.", 60.0,
                         check=above(0))
    connect_timeout: float = key("Seconds within which connection and login must be complete.",
                                 20.0, check=above(0))


@dataclass(frozen=True, kw_only=True)
class FtpArchive(_ServerArchive):
    """An FTP server."""

    kind: str = key("An FTP server.", "ftp", check=one_of("ftp"))
    tls: str = key(
        "none, explicit (AUTH TLS) or implicit. With none, a password crosses the network in "
        "clear text.", "none", check=one_of("none", "explicit", "implicit"))
    ca_file: Path | None = key("Certificates that are trusted besides those of the system.", None)
    max_tls_version: str = key("Newest version of TLS to use, 1.2 for some older servers.", "",
                               check=one_of("", "1.2", "1.3"))


@dataclass(frozen=True, kw_only=True)
class SftpArchive(_ServerArchive):
    """An SFTP server."""

    kind: str = key("An SFTP server.", "sftp", check=one_of("sftp"))
    key_file: Path | None = key(
        "Private key for the login; its passphrase, if any, is the password.", None)
    known_hosts: Path | None = key("File with keys of hosts; default: ~/.ssh/known_hosts.", None)
    host_key: str = key("Fingerprint of the host's key, SHA256:...", "")


Archive = FolderArchive | FtpArchive | SftpArchive
ServerArchive = FtpArchive | SftpArchive
