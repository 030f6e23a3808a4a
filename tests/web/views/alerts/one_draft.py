"""A site with one drafted telegram."""

from __future__ import annotations

from pathlib import Path

from iop4d.alerts.atel import drafts
from iop4d.alerts.atel.figure import Pictures
from iop4d.config import Site
from iop4d.store.database import Database
from tests.alerts.atel.telegrams import fill_catalogue, flare
from tests.web import observatory

NAME = "ATel_BLLac_20261122T2130"
PICTURES = Pictures(png=b"\x89PNG\r\n\x1a\n", pdf=b"%PDF-1.4")


def site_with_draft(folder: Path) -> Site:
    """A site in a folder, of a source that flares, with its draft."""
    made = observatory.site(folder)
    database = Database(made.database)
    with database.write() as tx:
        fill_catalogue(tx)
        facts = flare(tx, 8)
    database.close()
    drafts.save(drafts.folder_of(made), facts, drafts.compose(made, facts), PICTURES, made_at=1.0)
    return made
