"""The columns of triggers: notices from elsewhere about sources."""

from __future__ import annotations

from iop4d.model.states import TriggerState
from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.frames import moment, number


def _text(name: str, words: str, says: str, ucd: str, *, shown: bool = False) -> Column:
    return Column(name=name, words=words, says=says, ucd=ucd, shown=shown)


TRIGGERS = Listing(
    name="triggers", words="Triggers", one="trigger",
    says="Notices from elsewhere that a source flares: each raises its source to a priority "
         "target until its time is over.",
    source='"trigger" AS t', columns=(
        Column(name="id", words="Trigger", says="Number of the trigger", kind=Kind.WHOLE,
               ucd="meta.id;meta.main", is_indexed=True, shown=True),
        Column(name="source", words="Source", kind=Kind.SOURCE, ucd="meta.id;src", shown=True,
               says="Name of the source of the catalogue; empty where it has none"),
        _text("named", "Named", "What the notice calls the source", "meta.id", shown=True),
        Column(name="state", words="State", says="What became of the notice", kind=Kind.CHOICE,
               choices=tuple(state.value for state in TriggerState), ucd="meta.code.status",
               shown=True),
        _text("reason", "Reason", "Why it is in this state", "meta.note", shown=True),
        _text("text", "Text", "What the notice says", "meta.note", shown=True),
        number("significance", "Significance", "Significance that the notice gives, in sigma", "",
               "stat.snr", digits=2, shown=True),
        number("flux", "Flux", "Flux that the notice gives, in its unit", "", "phot.flux",
               digits=9),
        _text("flux_unit", "Unit", "Unit of that flux", "meta.unit"),
        number("ra_deg", "RA", "Right ascension, ICRS", "deg", "pos.eq.ra", turn=360.0),
        number("dec_deg", "Dec", "Declination, ICRS", "deg", "pos.eq.dec"),
        number("error_deg", "Error", "Radius of the position's error", "deg", "stat.error;pos.eq"),
        moment("at", "Event", "When it happened", ucd="time.epoch"),
        moment("issued_at", "Issued", "When the notice was written", shown=True),
        moment("received_at", "Received", "When it came"),
        moment("until", "Until", "Until when its source is a priority target", ucd="time.end",
               shown=True),
        moment("changed_at", "Changed", "When the row changed last"),
        _text("origin", "Origin", "Topic, account or command by which it came first",
              "meta.ref", shown=True),
        _text("event", "Event", "By what two notices are of one event", "meta.id")))
