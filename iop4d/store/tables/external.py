"""The columns of points that others measured."""

from __future__ import annotations

from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.frames import number

_OF_TABLE = '(SELECT e."{0}" FROM "externaltable" AS e WHERE e."id" = t."table_id")'

EXTERNAL = Listing(
    name="external", words="Others", one="point", main_time="jd",
    says="Points that others measured, imported to be compared with. They are never calibrated, "
         "averaged or judged by rules.",
    source='"externalpoint" AS t', order="-id", few=frozenset({"source"}), columns=(
        Column(name="id", words="Point", says="Number of the point", kind=Kind.WHOLE,
               ucd="meta.id;meta.main", is_indexed=True),
        Column(name="source", words="Source", says="Name of the source", kind=Kind.SOURCE,
               ucd="meta.id;src", shown=True),
        Column(name="origin", words="Origin", says="Whose points: a telescope, a survey, a paper",
               ucd="meta.bib", shown=True),
        Column(name="band", words="Band", says="Band, as its table has it", ucd="instr.bandpass",
               shown=True),
        Column(name="jd", words="Time", says="JD, as its table has it", kind=Kind.DAY, unit="d",
               ucd="time.epoch;meta.main", digits=8, shown=True, is_indexed=True),
        number("mag", "Mag", "Magnitude", "mag", "phot.mag;em.opt;meta.main", shown=True),
        number("mag_err", "Mag error", "Its error", "mag", "stat.error;phot.mag", shown=True),
        number("mag_limit", "Limit", "The source was fainter than this", "mag",
               "phot.mag;stat.max", shown=True),
        number("p", "p", "Degree of polarisation, a fraction", "", "phys.polarization.linear",
               shown=True),
        number("p_err", "p error", "Its error, a fraction", "",
               "stat.error;phys.polarization.linear", shown=True),
        number("chi_deg", "χ", "Angle of polarisation", "deg", "pos.posAng;phys.polarization",
               digits=2, shown=True, turn=180.0),
        number("chi_err_deg", "χ error", "Its error", "deg",
               "stat.error;pos.posAng;phys.polarization", digits=2, shown=True),
        Column(name="reference", words="Reference", says="How to cite the table",
               ucd="meta.bib", sql=_OF_TABLE.format("reference")),
        Column(name="file", words="File", says="Name of the file that was imported",
               ucd="meta.id;meta.file", sql=_OF_TABLE.format("file"))))
