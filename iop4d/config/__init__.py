"""The site file: parsed once into frozen dataclasses. ``load_site`` is the way in."""

from iop4d.config.alerting import Alerts, Atel, Channel, Rule, Summary, Tag
from iop4d.config.load import load_site
from iop4d.config.site import (
    Archive,
    Astrometry,
    Camera,
    Daemon,
    Masters,
    Photometry,
    Site,
    SiteInfo,
    Web,
)

__all__ = [
    "Alerts",
    "Archive",
    "Astrometry",
    "Atel",
    "Camera",
    "Channel",
    "Daemon",
    "Masters",
    "Photometry",
    "Rule",
    "Site",
    "SiteInfo",
    "Summary",
    "Tag",
    "Web",
    "load_site",
]
