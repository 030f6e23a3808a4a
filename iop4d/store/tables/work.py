"""The columns of groups, masters, nights, jobs, alerts and summaries."""

from __future__ import annotations

from iop4d.model.frame import FrameKind
from iop4d.model.states import (
    AlertState,
    FrameState,
    GroupState,
    JobState,
    MasterState,
    MessageKind,
    MessageState,
    SummaryState,
)
from iop4d.store.jobs import JobKind
from iop4d.store.status import TROUBLE
from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.frames import moment, number, whole

_ID = "meta.id;meta.main"
_STATUS = "meta.code.status"


def _id(words: str) -> Column:
    return Column(name="id", words=words, says=f"Number of the {words.lower()}", kind=Kind.WHOLE,
                  ucd=_ID, is_indexed=True, shown=True)


def _text(name: str, words: str, says: str, ucd: str = "", *, shown: bool = True) -> Column:
    return Column(name=name, words=words, says=says, ucd=ucd, shown=shown)


def _choice(name: str, words: str, says: str, choices: tuple[str, ...],
            ucd: str = "meta.code") -> Column:
    return Column(name=name, words=words, says=says, kind=Kind.CHOICE, choices=choices, ucd=ucd,
                  shown=True)


_NIGHT = Column(name="night", words="Night", says="Date of the evening of the night",
                kind=Kind.NIGHT, ucd="time.epoch;obs", shown=True)
_SOURCE = Column(name="source", words="Source", says="Name of the source", kind=Kind.SOURCE,
                 ucd="meta.id;src", shown=True)
_TELESCOPE = _text("telescope", "Telescope", "Telescope", "instr.tel")
_INSTRUMENT = _text("instrument", "Instrument", "Instrument", "meta.id;instr")
_BAND = _text("band", "Band", "Band", "instr.bandpass")
_REASON = _text("reason", "Reason", "Why it is in this state", "meta.note")
_CHANGED = moment("changed_at", "Changed", "When it changed last", shown=True)

GROUPS = Listing(
    name="groups", words="Groups", one="group",
    says="Polarimetry groups: frames of one target at the positions of a polariser or a "
         "half-wave plate.",
    source='"group" AS t', few=frozenset({"night"}),
    columns=(
        _id("Group"), _SOURCE, _TELESCOPE, _INSTRUMENT, _NIGHT, _BAND,
        number("exptime_s", "Exposure", "Exposure time of each frame", "s",
               "time.duration;obs.exposure", digits=3, shown=True),
        whole("binning", "Binning", "Pixels of the detector in one of a frame, along one side"),
        _choice("state", "State", "Whether it has all its frames",
                tuple(state.value for state in GroupState), _STATUS),
        _REASON,
        Column(name="angles", words="Angles", kind=Kind.LIST, ucd="pos.posAng;instr", unit="deg",
               says="Positions of the polariser or half-wave plate", shown=True),
        whole("frames", "Frames", "How many frames it has", shown=True, sql=(
            '(SELECT count(*) FROM "frame" AS f WHERE f."group_id" = t."id")')),
        _CHANGED))

MASTERS = Listing(
    name="masters", words="Masters", one="master",
    says="Bias, dark and flat frames that were combined, one for each instrument, layout and "
         "night.",
    source='"master" AS t', columns=(
        _id("Master"),
        _choice("kind", "Kind", "What it is combined from", tuple(k.value for k in FrameKind)),
        _TELESCOPE, _INSTRUMENT,
        _text("layout", "Layout", "Size, binning and amplifiers of its frames", "meta.code"),
        _BAND, _NIGHT,
        number("exptime_s", "Exposure", "Exposure time of its frames", "s",
               "time.duration;obs.exposure", digits=3),
        _choice("state", "State", "Whether it may be used",
                tuple(state.value for state in MasterState), _STATUS),
        _REASON,
        whole("n_frames", "Frames", "How many frames were combined", shown=True),
        number("level", "Level", "Its level", "adu", "phot.count", digits=3, shown=True),
        number("scatter", "Scatter", "Scatter of its pixels", "adu", "stat.stdev", digits=3,
               shown=True),
        whole("revision", "Revision", "Number of the revision, from 1", ucd="meta.version"),
        _text("path", "Path", "Where its file stands", "meta.id;meta.file", shown=False),
        _text("sha256", "SHA-256", "Digest of its file", "meta.checksum", shown=False),
        _CHANGED))


def _of_night(states: tuple[str, ...] = ()) -> str:
    chosen = f" AND f.\"state\" IN ({', '.join(repr(s) for s in states)})" if states else ""
    return f'(SELECT count(*) FROM "frame" AS f WHERE f."night" = t."night"{chosen})'  # noqa: S608 - names of ours


def _nights_of(table: str) -> str:
    """The nights of a table from the end of its index, each by one step."""
    return (f'SELECT max("night") AS night FROM "{table}" UNION ALL SELECT (SELECT '  # noqa: S608 - names of ours
            'max(n."night") '
            f'FROM "{table}" AS n WHERE n."night" < of_{table}.night) FROM of_{table} '
            f"WHERE of_{table}.night > ''")


NIGHTS = Listing(
    name="nights", words="Nights", one="night", key="night", order="-night", step=200, ordered=400,
    is_computed=True,
    says="Nights with their frames and results. A night runs from noon to noon and is named by "
         "the date of its evening.",
    source=(f"(WITH RECURSIVE of_frame(night) AS ({_nights_of('frame')}), "  # noqa: S608 - names of ours
            f"of_result(night) AS ({_nights_of('result')}) "
            "SELECT night FROM of_frame WHERE night > '' UNION "
            "SELECT night FROM of_result WHERE night > '') AS t"),
    columns=(
        Column(name="night", words="Night", says="Date of the evening of the night",
               kind=Kind.NIGHT, ucd=_ID, shown=True, is_indexed=True),
        whole("frames", "Frames", "How many frames it has", shown=True, sql=_of_night()),
        whole("done", "Done", "How many of them were used", shown=True,
              sql=_of_night((FrameState.DONE.value,))),
        whole("open", "Open", "How many of them wait", shown=True,
              sql=_of_night((FrameState.QUEUED.value, FrameState.WAITING.value))),
        whole("unused", "Not used", "How many of them were not used", shown=True,
              sql=_of_night(tuple(state.value for state in TROUBLE))),
        whole("results", "Results", "How many results it has", shown=True, sql=(
            '(SELECT count(*) FROM "result" AS r WHERE r."night" = t."night" '
            'AND r."withdrawn" = FALSE)')),
        whole("sources", "Sources", "Of how many sources", shown=True, sql=(
            '(SELECT count(DISTINCT r."source") FROM "result" AS r WHERE r."night" = t."night" '
            'AND r."withdrawn" = FALSE)')),
        Column(name="summary", words="Summary", kind=Kind.YES_NO, ucd=_STATUS, shown=True,
               says="Whether it has a summary", sql=(
                   'EXISTS (SELECT 1 FROM "summary" AS s WHERE s."night" = t."night")')),
    ))

JOBS = Listing(
    name="jobs", words="Jobs", one="job",
    says="Pieces of work of the daemon, with their state.",
    source='"job" AS t', columns=(
        _id("Job"),
        _choice("kind", "Kind", "What is to be done", tuple(kind.value for kind in JobKind)),
        whole("key", "Of", "Number of the frame, master, series or group", shown=True,
              ucd="meta.id.assoc"),
        _choice("state", "State", "Where it stands", tuple(state.value for state in JobState),
                _STATUS),
        whole("priority", "Priority", "The larger, the sooner", shown=True),
        whole("attempts", "Attempts", "Times it was begun", shown=True),
        whole("crashes", "Crashes", "Times its worker died or hung at it", shown=True),
        moment("not_before", "Not before", "When it may begin"),
        Column(name="again", words="Again", kind=Kind.YES_NO, ucd=_STATUS,
               says="Whether it was asked for again while it runs"),
        _REASON, _CHANGED))

ALERTS = Listing(
    name="alerts", words="Alerts", one="alert", main_time="fired_jd",
    says="Episodes of the rules of alerts, the latest first.",
    source='"alert" AS t', base=f"t.\"state\" != '{AlertState.INACTIVE.value}'",
    columns=(
        _id("Alert"),
        _text("rule", "Rule", "Name of the rule", "meta.id"),
        Column(name="source", words="Source", says="Name of the source, or what the rule is about",
               kind=Kind.SOURCE, ucd="meta.id;src", shown=True),
        _BAND,
        whole("episode", "Episode", "Number of the episode of this rule, source and band"),
        _choice("state", "State", "Where it stands",
                tuple(s.value for s in AlertState if s is not AlertState.INACTIVE), _STATUS),
        _text("condition", "Condition", "What was met", "meta.note"),
        _text("severity", "Severity", "Severity", "meta.code"),
        number("value", "Value", "What met the condition", "", "obs.param", shown=True),
        Column(name="fired_jd", words="Fired", says="JD(UTC) of the point with which it fired",
               kind=Kind.DAY, unit="d", ucd="time.epoch", digits=8, shown=True),
        Column(name="resolved_jd", words="Resolved", kind=Kind.DAY, unit="d", ucd="time.end",
               digits=8, says="JD(UTC) of the point with which it was resolved", shown=True),
        moment("fired_at", "Fired at", "When it fired"),
        moment("resolved_at", "Resolved at", "When it was resolved"),
        moment("notified_at", "Notified", "When people were notified last"),
        _text("acknowledged_by", "Acknowledged by", "Who acknowledged it", "meta.id"),
        moment("snoozed_until", "Snoozed until", "Until when there are no reminders"),
        _text("note", "Note", "Why no message was sent, or why it was withdrawn", "meta.note",
              shown=False)))

SUMMARIES = Listing(
    name="summaries", words="Summaries", one="summary", key="night", order="-night",
    says="Summaries of nights, the latest first.",
    source='"summary" AS t', columns=(
        Column(name="night", words="Night", says="Date of the evening of the night",
               kind=Kind.NIGHT, ucd=_ID, shown=True, is_indexed=True),
        _choice("state", "State", "Where it stands", tuple(state.value for state in SummaryState),
                _STATUS),
        moment("made_at", "Made", "When it was made", shown=True),
        moment("sent_at", "Sent", "When it was sent", shown=True)))

MESSAGES = Listing(
    name="messages", words="Messages", one="message", step=1000, ordered=2000,
    says="Messages to people and what became of them, the latest first.",
    source='"outbox" AS t', paths=frozenset({"state"}), few=frozenset({"alert_id"}),
    columns=(
        _id("Message"),
        Column(name="subject", words="Subject", says="What it is about", ucd="meta.title",
               sql="json_extract(t.\"content\", '$.subject')", shown=True),
        _choice("state", "State", "What became of it", tuple(s.value for s in MessageState),
                _STATUS),
        _text("channel", "Channel", "The channel by which it goes", "meta.id"),
        _text("recipient", "To", "To whom it goes", "meta.id"),
        _text("severity", "Severity", "Severity", "meta.code"),
        Column(name="kind", words="Kind", says="Why it was made", kind=Kind.CHOICE,
               choices=tuple(kind.value for kind in MessageKind), ucd="meta.code.class",
               sql="json_extract(t.\"content\", '$.kind')"),
        whole("alert_id", "Alert", "Number of the alert that it tells of", ucd="meta.id.assoc",
              shown=True),
        whole("attempts", "Attempts", "Times it was tried to send it", shown=True),
        moment("created_at", "Made", "When it was made", shown=True),
        moment("sent_at", "Sent", "When it was sent", shown=True),
        moment("held_until", "Held until", "Until when it waits, as in quiet hours"),
        _text("last_error", "Last error", "Why the last attempt failed", "meta.note")))
