"""What a worker knows besides its request: the site's settings and the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.config import Site
from iop4d.model.source import Catalogue


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """Sent to each worker once, and again when something in it changed."""

    site: Site
    catalogue: Catalogue
