"""The tables. Times named ``*_at`` are Unix seconds; JSON columns hold plain values as text."""

from __future__ import annotations

from typing import Any

import peewee as pw

from iop4d.model.states import GroupState, MasterState, RequestState, Role
from iop4d.store.external_tables import ExternalPoint, ExternalTable
from iop4d.store.table import JSONField, Table
from iop4d.store.trigger_table import Trigger


def _node() -> Any:
    """The daemon whose a row is, of several that share the database; empty: there is one."""
    return pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")])


class Meta(Table):
    """Single values: the catalogue's version, the daemon's heartbeat."""

    key = pw.TextField(primary_key=True)
    value = JSONField()


class Frame(Table):
    """One file of raw data, known by telescope, night, name and version."""

    archive = pw.TextField()
    path = pw.TextField()
    telescope = pw.TextField(default="")
    night = pw.TextField(default="", index=True)
    name = pw.TextField(index=True)
    version = pw.IntegerField(default=1)
    identity = pw.TextField(null=True, index=True)  # telescope/night/name, ~2 for a namesake
    size = pw.BigIntegerField()
    mtime_ns = pw.BigIntegerField()
    sha256 = pw.TextField(null=True, index=True)
    exposure = pw.TextField(null=True, index=True)  # of its pixels and time, in any container
    state = pw.TextField(index=True)  # a FrameState
    reason = pw.TextField(default="")
    trace = pw.TextField(default="")
    kind = pw.TextField(null=True)
    instrument = pw.TextField(null=True)
    band = pw.TextField(null=True)
    object = pw.TextField(default="")
    mode = pw.TextField(default="photometry")
    polariser_deg = pw.FloatField(null=True)
    beams = pw.IntegerField(default=1)
    x0 = pw.IntegerField(default=0)  # of its first pixel on the detector
    y0 = pw.IntegerField(default=0)
    subframe = pw.BooleanField(default=False)
    flipped = pw.BooleanField(default=False)
    beam_element = pw.TextField(default="")  # prism or analyser, where flats differ by it
    detector = JSONField(default=dict)  # what the header says of it, of a Detector
    target = pw.TextField(default="")  # the source it was taken for, once it is measured
    group_id = pw.IntegerField(null=True, index=True)  # of polarimetry
    reference_id = pw.IntegerField(null=True)  # the whole frame by which it was placed
    exptime_s = pw.FloatField(null=True)
    jd_start = pw.FloatField(null=True)
    binning = pw.IntegerField(null=True)
    ny = pw.IntegerField(null=True)
    nx = pw.IntegerField(null=True)
    ra_deg = pw.FloatField(null=True)
    dec_deg = pw.FloatField(null=True)
    reduced_path = pw.TextField(null=True)
    preview_path = pw.TextField(null=True)
    provisional = pw.BooleanField(default=False)
    masters = JSONField(default=list)  # ids and revisions of the masters used
    info = JSONField(default=dict)  # what the reduction found: FWHM, sky, WCS, stages, ...
    wanted = pw.BooleanField(default=False)  # asked for by hand: goes first
    completed_at = pw.FloatField()  # the file stood complete, or was asked for again
    seen_at = pw.FloatField()
    changed_at = pw.FloatField(index=True)
    node = _node()

    class Meta:
        indexes = ((("telescope", "night", "name"), False),
                   (("instrument", "kind", "night", "jd_start"), False),
                   (("night", "state"), False), (("telescope", "seen_at"), False),
                   (("archive", "seen_at"), False))


# Holds all that tells a known file from another: the watch of an archive learns it from here.
Frame.add_index(Frame.index(Frame.path, Frame.id, Frame.archive, Frame.node, Frame.size,
                            Frame.mtime_ns, name="frame_known"))
# Those that were not read yet are the newest.
Frame.add_index(pw.SQL('CREATE INDEX IF NOT EXISTS "frame_began" ON "frame" '
                       '(coalesce("jd_start", 1e9))'))


class Job(Table):
    """One piece of work. ``key``: id of a frame, a master, a series or a group, by its kind."""

    kind = pw.TextField()
    key = pw.IntegerField()
    state = pw.TextField()  # a JobState
    priority = pw.IntegerField(default=0)
    attempts = pw.IntegerField(default=0)  # times it was begun
    crashes = pw.IntegerField(default=0)  # times its worker died or hung at it
    not_before = pw.FloatField(default=0.0)
    again = pw.BooleanField(default=False)  # asked for again while it runs
    reason = pw.TextField(default="")
    changed_at = pw.FloatField()
    node = _node()

    class Meta:
        indexes = ((("kind", "key"), True),)


# Holds what a claim asks for, in its order: no claim sorts or reads what it does not take.
Job.add_index(Job.index(Job.state, Job.node, Job.priority.desc(), Job.key, Job.not_before,
                        name="job_due"))
# Those of files that are still to be looked at: few, where a site has looked at a million.
Job.add_index(pw.SQL('CREATE INDEX IF NOT EXISTS "job_unseen" ON "job" ("node", "key") '
                     "WHERE \"kind\" = 'classify' AND \"state\" IN ('queued', 'running')"))


class Master(Table):
    """A bias, dark or flat of one instrument, layout and night."""

    key = pw.TextField(unique=True)
    kind = pw.TextField()
    telescope = pw.TextField()
    instrument = pw.TextField()
    layout = pw.TextField()
    band = pw.TextField(null=True)
    night = pw.TextField()
    exptime_s = pw.FloatField(default=0.0)
    state = pw.TextField(default=MasterState.WANTED)
    reason = pw.TextField(default="")
    path = pw.TextField(null=True)
    sha256 = pw.TextField(null=True)
    n_frames = pw.IntegerField(default=0)
    level = pw.FloatField(null=True)
    scatter = pw.FloatField(null=True)
    frames = JSONField(default=list)
    left_out = JSONField(default=list)
    masters = JSONField(default=list)  # what it was itself calibrated with
    revision = pw.IntegerField(default=0)
    changed_at = pw.FloatField()
    node = _node()

    class Meta:
        indexes = ((("instrument", "layout", "kind", "state"), False),)


class Measurement(Table):
    """Aperture photometry of one source on one frame; see ``model.result.Measurement``."""

    frame = pw.ForeignKeyField(Frame, on_delete="CASCADE")
    source = pw.TextField(index=True)
    beam = pw.TextField(default="")
    x = pw.FloatField()
    y = pw.FloatField()
    flux = pw.FloatField(null=True)
    flux_err = pw.FloatField(null=True)
    mag_inst = pw.FloatField(null=True)
    mag_inst_err = pw.FloatField(null=True)
    snr = pw.FloatField(null=True)
    sky = pw.FloatField(null=True)
    photon_err = pw.FloatField(null=True)
    confusion_err = pw.FloatField(default=0.0)
    neighbours = pw.FloatField(default=0.0)
    growth = JSONField(default=list)  # of GrowthPoint's fields, in order
    psf_flux = pw.FloatField(null=True)
    psf_flux_err = pw.FloatField(null=True)
    flags = pw.IntegerField(default=0)

    class Meta:
        indexes = ((("frame", "source", "beam"), True),)


class FrameStars(Table):
    """Stars of a frame that are no sources: by which transparency or sub-frames are told."""

    frame = pw.ForeignKeyField(Frame, on_delete="CASCADE", primary_key=True)
    field = JSONField(default=list)  # [ra, dec, flux, flux_err, growth]
    stars = JSONField(default=list)  # [x, y, flux], brightest first


class Group(Table):
    """Frames of one target at the positions of a polariser or a half-wave plate."""

    source = pw.TextField()
    telescope = pw.TextField()
    instrument = pw.TextField()
    night = pw.TextField(index=True)
    band = pw.TextField()
    exptime_s = pw.FloatField()
    binning = pw.IntegerField(default=1)
    state = pw.TextField(default=GroupState.OPEN)
    reason = pw.TextField(default="")
    angles = JSONField(default=list)
    changed_at = pw.FloatField()
    node = _node()

    class Meta:
        indexes = ((("instrument", "source", "night"), False),)


class Result(Table):
    """A calibrated point; changes in place under the same id, with its history kept."""

    key = pw.TextField(unique=True)  # identity of the frame/source/mode
    source = pw.TextField()
    telescope = pw.TextField()
    instrument = pw.TextField()
    night = pw.TextField(index=True)
    mode = pw.TextField()
    band = pw.TextField()
    jd_mid = pw.FloatField()
    bjd_tdb = pw.FloatField(null=True)
    exptime_s = pw.FloatField()
    mag = pw.FloatField(null=True)
    mag_err = pw.FloatField(null=True)  # random: what it shares with no other result
    mag_err_common = pw.FloatField(null=True)  # of the calibrators' catalogue
    mag_limit = pw.FloatField(null=True)
    photometry = pw.TextField(default="aperture")
    aperture_arcsec = pw.FloatField(null=True)
    mag_psf = pw.FloatField(null=True)
    mag_psf_err = pw.FloatField(null=True)
    flux_mjy = pw.FloatField(null=True)
    flux_mjy_err = pw.FloatField(null=True)
    extinction_mag = pw.FloatField(null=True)
    colour = pw.FloatField(null=True)
    colour_term = pw.FloatField(null=True)
    colour_term_err = pw.FloatField(null=True)
    zero_point = pw.FloatField(null=True)
    zero_point_err = pw.FloatField(null=True)
    n_calibrators = pw.IntegerField(default=0)
    p = pw.FloatField(null=True)
    p_err = pw.FloatField(null=True)
    chi_deg = pw.FloatField(null=True)
    chi_err_deg = pw.FloatField(null=True)
    q = pw.FloatField(null=True)
    q_err = pw.FloatField(null=True)
    u = pw.FloatField(null=True)
    u_err = pw.FloatField(null=True)
    qu_cov = pw.FloatField(null=True)  # of q and u, random
    chi_err_common = pw.FloatField(null=True)  # of the zero angle
    q0_err = pw.FloatField(null=True)
    u0_err = pw.FloatField(null=True)
    q_isp = pw.FloatField(null=True)
    q_isp_err = pw.FloatField(null=True)
    u_isp = pw.FloatField(null=True)
    u_isp_err = pw.FloatField(null=True)
    p_debiased = pw.FloatField(null=True)
    p_limit = pw.FloatField(null=True)
    method = pw.TextField(default="")
    methods = JSONField(default=list)
    host_mjy = pw.FloatField(null=True)
    host_mjy_err = pw.FloatField(null=True)
    mag_nucleus = pw.FloatField(null=True)
    mag_nucleus_err = pw.FloatField(null=True)
    q_nucleus = pw.FloatField(null=True)
    q_nucleus_err = pw.FloatField(null=True)
    u_nucleus = pw.FloatField(null=True)
    u_nucleus_err = pw.FloatField(null=True)
    p_nucleus = pw.FloatField(null=True)
    p_nucleus_err = pw.FloatField(null=True)
    group_id = pw.IntegerField(null=True, index=True)
    withdrawn = pw.BooleanField(default=False)  # its frames went to another group
    fwhm_arcsec = pw.FloatField(null=True)
    airmass = pw.FloatField(null=True)
    flags = pw.IntegerField(default=0)
    human_flags = JSONField(default=list)
    provisional = pw.BooleanField(default=False)
    frames = JSONField(default=list)  # raw file names
    calibrators = JSONField(default=list)
    software = pw.TextField(default="")
    revision = pw.IntegerField(default=1)
    created_at = pw.FloatField()
    changed_at = pw.FloatField(index=True)

    class Meta:
        indexes = ((("source", "band", "jd_mid"), False),
                   (("source", "jd_mid", "withdrawn"), False), (("jd_mid",), False),
                   (("night", "source", "withdrawn"), False))


# Few results have a polarisation: the newest of a source is not sought among all.
Result.add_index(Result.index(Result.source, Result.jd_mid, where=Result.p.is_null(False),
                              name="result_polarised"))


class ResultFrame(Table):
    """Which frames a result rests on."""

    result = pw.ForeignKeyField(Result, on_delete="CASCADE")
    frame = pw.ForeignKeyField(Frame, on_delete="CASCADE")

    class Meta:
        primary_key = pw.CompositeKey("result", "frame")
        indexes = ((("frame",), False),)


class ResultHistory(Table):
    """A result as it was before it changed."""

    result = pw.ForeignKeyField(Result, on_delete="CASCADE")
    revision = pw.IntegerField()
    replaced_at = pw.FloatField()
    was = JSONField()


class ResultChange(Table):
    """Which result was written, changed or deleted: a trigger of the database says so, whoever
    writes. ``token`` tells a change from another that had its id and was undone."""

    result = pw.IntegerField()
    source = pw.TextField()
    band = pw.TextField()
    token = pw.IntegerField()


class Unjudged(Table):
    """A result that was written by a node that does not judge the rules: for the one that does."""

    result = pw.IntegerField()


class Series(Table):
    """The results of one source, band and instrument in one night: calibrated together."""

    key = pw.TextField(unique=True)
    source = pw.TextField()
    instrument = pw.TextField()
    telescope = pw.TextField()
    band = pw.TextField()
    night = pw.TextField()
    n_frames = pw.IntegerField(default=0)
    changed_at = pw.FloatField()
    node = _node()


class Source(Table):
    """A source of the catalogue; see ``model.source.Source``."""

    name = pw.TextField(unique=True)
    other_names = JSONField(default=list)
    ra_deg = pw.FloatField()
    dec_deg = pw.FloatField()
    kind = pw.TextField()
    calibrates = JSONField(default=list)
    magnitudes = JSONField(default=dict)  # band to [magnitude, error or null]
    p = pw.FloatField(null=True)
    p_err = pw.FloatField(null=True)
    chi_deg = pw.FloatField(null=True)
    chi_err_deg = pw.FloatField(null=True)
    redshift = pw.FloatField(null=True)
    aperture_arcsec = pw.FloatField(null=True)  # radius, whatever the seeing
    extinction = JSONField(default=dict)  # band to magnitudes, of the Galaxy
    colours = JSONField(default=dict)  # such as B-V to [magnitude, error or null]
    interstellar = JSONField(default=list)  # [q, q_err, u, u_err] of its field, or none
    tags = JSONField(default=list)
    note = pw.TextField(default="")


class Outage(Table):
    """A time in which an archive was in trouble."""

    archive = pw.TextField()
    began_at = pw.FloatField()
    ended_at = pw.FloatField(null=True, index=True)  # null: it still is
    state = pw.TextField()
    reason = pw.TextField(default="")
    node = _node()


class Event(Table):
    """What happened, for the live page; ``id`` rises and is never used twice."""

    id = pw.AutoField()
    at = pw.FloatField()
    kind = pw.TextField()
    content = JSONField(default=dict)


class Request(Table):
    """What a command or the page requests of the daemon."""

    kind = pw.TextField()
    content = JSONField()
    state = pw.TextField(default=RequestState.QUEUED, index=True)
    answer = JSONField(null=True)
    created_at = pw.FloatField()
    node = _node()

    class Meta:
        table_name = "ask"


# Alerts, messages and the people who get them.


class Alert(Table):
    """One episode of a rule on a source and band."""

    rule = pw.TextField()
    source = pw.TextField()
    # The name of the source when it began, if that was renamed since: messages and drafts have it.
    called = pw.TextField(default="")
    band = pw.TextField()
    episode = pw.IntegerField()
    state = pw.TextField()  # pending, firing, acknowledged, snoozed, resolved, withdrawn, inactive
    condition = pw.TextField()
    severity = pw.TextField(default="notice")
    value = pw.FloatField(null=True)  # what met the condition
    fired_jd = pw.FloatField()
    resolved_jd = pw.FloatField(null=True)
    points = JSONField(default=list)  # ids of the results that confirmed it
    fired_at = pw.FloatField()
    resolved_at = pw.FloatField(null=True)
    notified_at = pw.FloatField(null=True)  # when people were notified last
    acknowledged_by = pw.TextField(default="")
    snoozed_until = pw.FloatField(null=True)
    note = pw.TextField(default="")  # why no message was sent, why it was withdrawn

    class Meta:
        indexes = ((("rule", "source", "band", "episode"), True), (("state",), False))


class AlertStep(Table):
    """A change of an alert's state: its history."""

    alert = pw.ForeignKeyField(Alert, on_delete="CASCADE")
    at = pw.FloatField()
    state = pw.TextField()
    by = pw.TextField(default="")  # who, where it was a person
    note = pw.TextField(default="")


class Mute(Table):
    """A rule or source of which people want no notifications for a while. Empty: any."""

    rule = pw.TextField(default="")
    source = pw.TextField(default="")
    until = pw.FloatField()
    by = pw.TextField(default="")
    made_at = pw.FloatField()


class User(Table):
    """Who may sign in on the page. ``password``: a salted hash; ``role``: a Role."""

    name = pw.TextField(unique=True)
    password = pw.TextField()
    # Accounts that are older than roles could do what editors can.
    role = pw.TextField(default=Role.EDITOR)
    made_at = pw.FloatField()


class WebSession(Table):
    """A browser in which somebody signed in. It ends with the account and with its password.

    ``token``: a digest of what the browser's cookie holds; empty after signing out. ``address``:
    from which the right password came, kept until ``ends_at``.
    """

    user = pw.ForeignKeyField(User, on_delete="CASCADE")
    token = pw.TextField(index=True)
    address = pw.TextField()
    ends_at = pw.FloatField()


class ApiToken(Table):
    """What lets a program act for an account; it ends with the account.

    ``token``: a digest of what the program sends. ``role``: the most that it may do, whatever the
    account may; ``triggers``: but for posting triggers, which it may as well.
    """

    user = pw.ForeignKeyField(User, on_delete="CASCADE")
    name = pw.TextField()
    token = pw.TextField(unique=True)
    role = pw.TextField(default=Role.VIEWER)
    triggers = pw.BooleanField(default=False, constraints=[pw.SQL("DEFAULT FALSE")])
    made_at = pw.FloatField()
    ends_at = pw.FloatField(null=True)
    used_at = pw.FloatField(null=True)

    class Meta:
        indexes = ((("user", "name"), True),)


class Audit(Table):
    """What somebody changed by hand: who, when, what, from what to what, and why."""

    at = pw.FloatField(index=True)
    by = pw.TextField(index=True)
    act = pw.TextField(index=True)  # such as flag, catalogue, rule, acknowledge, retry
    subject = pw.TextField(index=True)  # such as result 12, source BL Lac, rule flare
    was = JSONField(null=True)
    now = JSONField(null=True)
    why = pw.TextField(default="")


class ChannelState(Table):
    """What a channel must remember: how far it read, where recipients moved to, who rests."""

    channel = pw.TextField()
    name = pw.TextField()
    value = pw.TextField(default="")

    class Meta:
        indexes = ((("channel", "name"), True),)


class Outbox(Table):
    """A message to one recipient, to be sent, or sent."""

    dedup_key = pw.TextField(unique=True)
    alert = pw.ForeignKeyField(Alert, null=True)
    channel = pw.TextField()
    recipient = pw.TextField()
    message_id = pw.TextField()
    content = JSONField()
    state = pw.TextField(index=True)  # queued, sent, failed, folded (into a digest), dropped
    digest = pw.IntegerField(null=True, index=True)  # the message that tells it too
    severity = pw.TextField(default="notice")
    attempts = pw.IntegerField(default=0)
    not_before = pw.FloatField(default=0.0)
    held_until = pw.FloatField(default=0.0)  # quiet hours
    grouped_by = pw.TextField(default="")  # source whose messages are told together
    unsure = pw.BooleanField(default=False)  # an attempt was begun that may have been accepted
    last_error = pw.TextField(default="")
    created_at = pw.FloatField()
    sent_at = pw.FloatField(null=True)
    refused_at = pw.FloatField(null=True)  # for the first time
    given_up_at = pw.FloatField(null=True)

    class Meta:
        indexes = ((("channel", "state"), False),)  # counted without their contents


class Summary(Table):
    """The summary of a night: one to a night, whatever dies and starts again."""

    night = pw.TextField(unique=True)
    facts = JSONField()
    state = pw.TextField(index=True)  # made (for the page alone), queued, sent, failed
    messages = JSONField(default=list)  # ids of its messages in the outbox
    made_at = pw.FloatField()
    sent_at = pw.FloatField(null=True)


SCHEMA_VERSION = 12

TABLES: tuple[type[Table], ...] = (
    Meta, Frame, Job, Master, Measurement, FrameStars, Group, Result, ResultFrame, ResultHistory,
    ResultChange, Unjudged, Series, Source, Alert, AlertStep, Mute, User, WebSession, ApiToken,
    Audit, ChannelState, Outbox, Summary, Outage, Event, Request, Trigger,
    ExternalTable, ExternalPoint,
)
