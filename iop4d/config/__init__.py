"""The site file: parsed once into frozen dataclasses. ``load_site`` is the way in."""

from iop4d.config.alerting import Alerts, Atel, Rule, Summary, Tag
from iop4d.config.archive import (
    Archive,
    FolderArchive,
    FtpArchive,
    ServerArchive,
    SftpArchive,
)
from iop4d.config.camera import Camera
from iop4d.config.channel import (
    AppriseChannel,
    Channel,
    EmailChannel,
    PluginChannel,
    TelegramChannel,
    WebhookChannel,
)
from iop4d.config.load import load_site
from iop4d.config.site import (
    Astrometry,
    Daemon,
    Masters,
    Photometry,
    Site,
    SiteInfo,
    Web,
    WrongRule,
)
from iop4d.config.want import Want
from iop4d.config.workers import Workers

__all__ = [
    "Alerts",
    "AppriseChannel",
    "Archive",
    "Astrometry",
    "Atel",
    "Camera",
    "Channel",
    "Daemon",
    "EmailChannel",
    "FolderArchive",
    "FtpArchive",
    "Masters",
    "Photometry",
    "PluginChannel",
    "Rule",
    "ServerArchive",
    "SftpArchive",
    "Site",
    "SiteInfo",
    "Summary",
    "Tag",
    "TelegramChannel",
    "Want",
    "Web",
    "WebhookChannel",
    "Workers",
    "WrongRule",
    "load_site",
]
