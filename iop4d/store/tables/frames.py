"""The columns of frames and of what was measured on them."""

from __future__ import annotations

from iop4d.model.frame import FrameKind
from iop4d.model.states import FrameState
from iop4d.store.table import number_in
from iop4d.store.tables.columns import Column, Kind, Listing


def moment(name: str, words: str, says: str, *, ucd: str = "time.processing",
           shown: bool = False) -> Column:
    """A column of Unix seconds."""
    return Column(name=name, words=words, says=f"{says}, Unix seconds", kind=Kind.MOMENT, unit="s",
                  ucd=ucd, digits=3, shown=shown)


def whole(name: str, words: str, says: str, *, unit: str = "", ucd: str = "meta.number",
          shown: bool = False, sql: str = "") -> Column:
    """A column of whole numbers."""
    return Column(name=name, words=words, says=says, kind=Kind.WHOLE, unit=unit, ucd=ucd,
                  shown=shown, sql=sql)


def number(name: str, words: str, says: str, unit: str = "", ucd: str = "", *, digits: int = 5,
           shown: bool = False, sql: str = "", turn: float = 0.0) -> Column:
    """A column of numbers."""
    return Column(name=name, words=words, says=says, kind=Kind.NUMBER, unit=unit, ucd=ucd,
                  digits=digits, shown=shown, sql=sql, turn=turn)


def found(name: str, key: str, words: str, says: str, unit: str = "", ucd: str = "", *,
          shown: bool = False) -> Column:
    """A number that the reduction of a frame found."""
    return number(name, words, says, unit, ucd, digits=3, shown=shown,
                  sql=number_in('t."info"', key))


FRAMES = Listing(
    name="frames", words="Frames", one="frame", main_time="jd_start",
    says="Every raw file that was found, with its fate; the ones that came last first.",
    source='"frame" AS t', order="-id",
    paths=frozenset({"state"}), few=frozenset({"night", "group_id"}),
    columns=(
        Column(name="id", words="Frame", says="Number of the frame", kind=Kind.WHOLE,
               ucd="meta.id;meta.main", is_indexed=True),
        Column(name="name", words="Name", says="Name of the raw file", ucd="meta.id;meta.file",
               pattern=True, shown=True),
        Column(name="telescope", words="Telescope", says="Telescope", ucd="instr.tel", shown=True),
        Column(name="night", words="Night", says="Date of the evening of the night",
               kind=Kind.NIGHT, ucd="time.epoch;obs", shown=True),
        Column(name="state", words="State", says="The fate of the frame", kind=Kind.CHOICE,
               choices=tuple(state.value for state in FrameState), ucd="meta.code.status",
               shown=True),
        Column(name="reason", words="Reason", says="Why it is in this state", ucd="meta.note",
               shown=True),
        Column(name="kind", words="Kind", says="What was exposed", kind=Kind.CHOICE,
               choices=tuple(kind.value for kind in FrameKind if kind is not FrameKind.PATTERN),
               ucd="meta.code.class", shown=True),
        Column(name="object", words="Object", says="What the header names as the object",
               ucd="meta.id;src", shown=True),
        Column(name="target", words="Target", kind=Kind.SOURCE, ucd="meta.id;src",
               says="The source that it shows, once it is measured"),
        Column(name="instrument", words="Instrument", says="Instrument", ucd="meta.id;instr"),
        Column(name="band", words="Band", says="Band", ucd="instr.bandpass", shown=True),
        Column(name="mode", words="Mode", says="photometry or polarimetry", kind=Kind.CHOICE,
               choices=("photometry", "polarimetry"), ucd="meta.code"),
        number("exptime_s", "Exposure", "Exposure time", "s", "time.duration;obs.exposure",
               digits=3, shown=True),
        Column(name="jd_start", words="Began", says="JD(UTC) of the beginning of the exposure",
               kind=Kind.DAY, unit="d", ucd="time.start;obs.exposure", digits=8, shown=True,
               sort_sql='coalesce(t."jd_start", 1e9)', is_indexed=True),
        number("polariser_deg", "Polariser", "Position of the polariser or half-wave plate", "deg",
               "pos.posAng;instr", digits=2),
        whole("binning", "Binning", "Pixels of the detector in one of the frame, along one side"),
        whole("nx", "Width", "Width of the frame", unit="pixel"),
        whole("ny", "Height", "Height of the frame", unit="pixel"),
        number("ra_deg", "RA", "Where the header says it points, ICRS", "deg",
               "pos.eq.ra;instr", digits=6, turn=360.0),
        number("dec_deg", "Dec", "Where the header says it points, ICRS", "deg",
               "pos.eq.dec;instr", digits=6),
        found("fwhm_arcsec", "fwhm_arcsec", "FWHM", "FWHM of the stars", "arcsec",
              "instr.obsty.seeing", shown=True),
        found("sky", "sky", "Sky", "Level of the sky", "adu", "instr.skyLevel"),
        found("airmass", "airmass", "Airmass", "Airmass at mid-exposure", "", "obs.airMass"),
        Column(name="provisional", words="Provisional", kind=Kind.YES_NO, ucd="meta.code.status",
               says="Whether it was reduced with masters of another night"),
        whole("group_id", "Group", "Number of its polarimetry group", ucd="meta.id.assoc"),
        whole("reference_id", "Reference", "Number of the frame by which its place was found",
              ucd="meta.id.assoc"),
        whole("version", "Version", "Version of the file of this name", ucd="meta.version"),
        Column(name="archive", words="Archive", says="The archive that it came from",
               ucd="meta.id"),
        Column(name="node", words="Node", ucd="meta.id",
               says="The daemon whose archive it lies in, where several share one database"),
        Column(name="path", words="Path", says="Where the raw file stands", ucd="meta.id;meta.file",
               pattern=True),
        whole("size", "Size", "Size of the file", unit="byte", ucd="phys.size;meta.file"),
        Column(name="sha256", words="SHA-256", says="Digest of the file", ucd="meta.checksum"),
        moment("completed_at", "Complete", "When the file was complete"),
        moment("seen_at", "Seen", "When it was seen first"),
        Column(name="changed_at", words="Changed", says="When it changed last, Unix seconds",
               kind=Kind.MOMENT, unit="s", ucd="time.processing", digits=3, is_indexed=True),
    ))

MEASUREMENTS = Listing(
    name="measurements", words="Measurements", one="measurement", order="-id",
    says="Aperture photometry of each source on each frame, before calibration.",
    source='"measurement" AS t', few=frozenset({"frame_id"}), paths=frozenset({"source"}),
    columns=(
        Column(name="id", words="Measurement", says="Number of the measurement", kind=Kind.WHOLE,
               ucd="meta.id;meta.main", is_indexed=True),
        Column(name="frame_id", words="Frame", says="Number of the frame", kind=Kind.WHOLE,
               ucd="meta.id.assoc", shown=True),
        Column(name="source", words="Source", says="Name of the source", kind=Kind.SOURCE,
               ucd="meta.id;src", shown=True),
        Column(name="beam", words="Beam", says="Ordinary or extraordinary image, or empty",
               ucd="meta.code", shown=True),
        number("x", "x", "Column of its place, counted from 0", "pixel", "pos.cartesian.x",
               digits=2, shown=True),
        number("y", "y", "Row of its place, counted from 0", "pixel", "pos.cartesian.y",
               digits=2, shown=True),
        number("flux", "Flux", "Flux in the aperture", "adu", "phot.count", digits=2, shown=True),
        number("flux_err", "Flux error", "Its error", "adu", "stat.error;phot.count", digits=2,
               shown=True),
        number("mag_inst", "Instrumental mag", "Instrumental magnitude, of 1 ADU/s", "mag",
               "phot.mag;instr", shown=True),
        number("mag_inst_err", "Its error", "Its error", "mag", "stat.error;phot.mag"),
        number("snr", "S/N", "Signal-to-noise ratio", "", "stat.snr", digits=1, shown=True),
        number("sky", "Sky", "Level of the sky", "adu", "instr.skyLevel", digits=2),
        number("neighbours", "Neighbours", "Part of the flux that neighbours add", "",
               "phot.count;arith.ratio"),
        number("psf_flux", "PSF flux", "Flux by PSF photometry", "adu", "phot.count", digits=2),
        number("psf_flux_err", "Its error", "Its error", "adu", "stat.error;phot.count", digits=2),
        Column(name="flags", words="Flags", says="Quality flags joined by ;", kind=Kind.FLAGS,
               ucd="meta.code.qual", shown=True),
    ))
