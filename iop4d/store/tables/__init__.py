"""The tables that people and programs list: their columns, filters, orders and pages."""

from __future__ import annotations

from iop4d.store.tables.catalogue import CALIBRATORS, SOURCES
from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.external import EXTERNAL
from iop4d.store.tables.frames import FRAMES, MEASUREMENTS
from iop4d.store.tables.results import RESULTS
from iop4d.store.tables.triggers import TRIGGERS
from iop4d.store.tables.work import (
    ALERTS,
    GROUPS,
    JOBS,
    MASTERS,
    MESSAGES,
    NIGHTS,
    SUMMARIES,
)

#: Every table by its name.
LISTINGS: dict[str, Listing] = {listing.name: listing for listing in (
    RESULTS, FRAMES, GROUPS, MASTERS, NIGHTS, JOBS, ALERTS, MEASUREMENTS, SOURCES, CALIBRATORS,
    SUMMARIES, MESSAGES, TRIGGERS, EXTERNAL)}

__all__ = ["LISTINGS", "Column", "Kind", "Listing"]
