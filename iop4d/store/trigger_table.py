"""The table of triggers: notices from elsewhere about sources, one row for each event."""

from __future__ import annotations

import peewee as pw

from iop4d.store.table import Table


class Trigger(Table):
    """A notice that a source flares; ``event`` is the same whichever way it came."""

    event = pw.TextField(unique=True)
    source = pw.TextField(default="", index=True)  # of the catalogue; empty: it has none like it
    named = pw.TextField(default="")  # what the notice calls it
    state = pw.TextField()  # a TriggerState
    reason = pw.TextField(default="")
    origin = pw.TextField()  # topic, account or command by which it came first
    text = pw.TextField(default="")
    significance = pw.FloatField(null=True)  # sigma
    flux = pw.FloatField(null=True)
    flux_unit = pw.TextField(default="")
    ra_deg = pw.FloatField(null=True)
    dec_deg = pw.FloatField(null=True)
    error_deg = pw.FloatField(null=True)
    at = pw.FloatField(null=True)  # of what happened
    issued_at = pw.FloatField()
    received_at = pw.FloatField()
    until = pw.FloatField(index=True)
    changed_at = pw.FloatField()
    content = pw.TextField(default="")  # of the last notice, its beginning
