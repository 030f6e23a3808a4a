"""The tables of points that others measured: what came from where, and the points of it."""

from __future__ import annotations

import peewee as pw

from iop4d.store.table import Table


class ExternalTable(Table):
    """What was imported for a source from one origin; a newer import of it takes its place."""

    source = pw.TextField()
    origin = pw.TextField()  # whose points: a telescope, a survey, a paper
    reference = pw.TextField(default="")  # how to cite it
    file = pw.TextField()  # its name, without folders
    sha256 = pw.TextField()
    times = pw.TextField()  # what its times are
    count = pw.IntegerField()
    first_jd = pw.FloatField()
    last_jd = pw.FloatField()
    imported_by = pw.TextField()
    imported_at = pw.FloatField()

    class Meta:
        indexes = ((("source", "origin"), True),)


class ExternalPoint(Table):
    """A point of such a table; ``p`` is a fraction, angles are degrees."""

    table = pw.IntegerField(column_name="table_id")
    source = pw.TextField()
    origin = pw.TextField()
    band = pw.TextField()
    jd = pw.FloatField(index=True)
    mag = pw.FloatField(null=True)
    mag_err = pw.FloatField(null=True)
    mag_limit = pw.FloatField(null=True)
    p = pw.FloatField(null=True)
    p_err = pw.FloatField(null=True)
    chi_deg = pw.FloatField(null=True)
    chi_err_deg = pw.FloatField(null=True)

    class Meta:
        indexes = ((("source", "jd"), False), (("table", "jd"), False))
