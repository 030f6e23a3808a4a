"""The columns of the sources of the catalogue, and of the stars that calibrate them."""

from __future__ import annotations

from iop4d.model.source import SourceKind
from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.frames import number, whole


def _json(name: str, words: str, says: str, unit: str = "", ucd: str = "", *,
          shown: bool = False) -> Column:
    return Column(name=name, words=words, says=says, kind=Kind.LIST, unit=unit, ucd=ucd,
                  shown=shown)


_PLACE = (
    Column(name="id", words="Number", says="Number of the source", kind=Kind.WHOLE, ucd="meta.id",
           is_indexed=True),
    Column(name="name", words="Name", says="Name of the source", kind=Kind.SOURCE,
           ucd="meta.id;meta.main", shown=True),
    _json("other_names", "Other names", "Other names of the source", "", "meta.id", shown=True),
    number("ra_deg", "RA", "Right ascension, ICRS", "deg", "pos.eq.ra;meta.main", digits=7,
           shown=True, turn=360.0),
    number("dec_deg", "Dec", "Declination, ICRS", "deg", "pos.eq.dec;meta.main", digits=7,
           shown=True),
)
_MAGNITUDES = _json("magnitudes", "Magnitudes",
                    "Band to magnitude and its error in the catalogue", "mag", "phot.mag",
                    shown=True)

SOURCES = Listing(
    name="sources", words="Sources", one="source", order="id",
    says="The sources of the catalogue.", source='"source" AS t', columns=(
        *_PLACE,
        Column(name="kind", words="Kind", says="What the source is for", kind=Kind.CHOICE,
               choices=tuple(kind.value for kind in SourceKind), ucd="src.class", shown=True),
        _json("tags", "Tags", "Tags of the source", "", "meta.code.class", shown=True),
        _json("calibrates", "Calibrates", "The targets that this star serves", "", "meta.id.assoc"),
        _MAGNITUDES,
        number("p", "p", "Degree of polarisation in the catalogue, a fraction", "",
               "phys.polarization.linear"),
        number("p_err", "p error", "Its error", "", "stat.error;phys.polarization.linear"),
        number("chi_deg", "χ", "Polarisation angle in the catalogue, east of north", "deg",
               "pos.posAng;phys.polarization", digits=3),
        number("chi_err_deg", "χ error", "Its error", "deg",
               "stat.error;pos.posAng;phys.polarization", digits=3),
        number("redshift", "z", "Redshift", "", "src.redshift", shown=True),
        number("aperture_arcsec", "Aperture", "Radius in which it is measured whatever the seeing",
               "arcsec", "phys.angSize;instr.param"),
        _json("extinction", "Extinction", "Band to the Galaxy's extinction", "mag",
              "phys.absorption.gal"),
        _json("colours", "Colours", "Such as B-V to the colour and its error", "mag", "phot.color"),
        Column(name="note", words="Note", says="What people wrote of it", ucd="meta.note"),
        whole("calibrators", "Calibrators", "How many stars calibrate it", shown=True, sql=(
            '(SELECT count(*) FROM "source" AS c, json_each(c."calibrates") AS n '
            'WHERE n.value = t."name")'))))

CALIBRATORS = Listing(
    name="calibrators", words="Calibrators", one="calibrator", order="id",
    says="The stars of the catalogue that calibrate targets.", source='"source" AS t',
    base='json_array_length(t."calibrates") > 0', columns=(
        *_PLACE,
        _json("calibrates", "Calibrates", "The targets that this star serves", "",
              "meta.id.assoc", shown=True),
        _MAGNITUDES,
        _json("colours", "Colours", "Such as B-V to the colour and its error", "mag",
              "phot.color"),
        Column(name="note", words="Note", says="What people wrote of it", ucd="meta.note")))
