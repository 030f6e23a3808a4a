"""Every state that a row can be in, one enum for each kind of row; the values are what is stored.

The transitions of alerts stand in ``alerts.episodes``; those of jobs and frames in ``ledger``.
"""

from __future__ import annotations

from enum import StrEnum


class FrameState(StrEnum):
    """The fate of a frame."""

    QUEUED = "queued"  # known, to be worked on
    WAITING = "waiting"  # cannot be reduced yet; the reason says for what it waits
    DONE = "done"  # reduced, or part of the masters
    REJECTED = "rejected"  # not a frame we can use; the reason says why
    FAILED = "failed"  # a step failed; the reason says which and why
    QUARANTINED = "quarantined"  # crashed or hung its worker repeatedly
    DUPLICATE = "duplicate"  # same contents as a frame already known
    SUPERSEDED = "superseded"  # replaced by a newer file of the same name


#: Frames that need a person's attention, or another attempt.
TROUBLED_FRAMES = (FrameState.FAILED, FrameState.QUARANTINED)
#: Files that stand for no frame of their own.
REPLACED_FRAMES = (FrameState.DUPLICATE, FrameState.SUPERSEDED)


class JobState(StrEnum):
    """Where a piece of work stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # for a master or a reference; the reason says for which
    DONE = "done"
    FAILED = "failed"


class MasterState(StrEnum):
    """Whether a master may be used."""

    WANTED = "wanted"  # to be built
    READY = "ready"
    REFUSED = "refused"  # could not be built, or deviates from other nights'
    REJECTED = "rejected"  # by a person


class GroupState(StrEnum):
    """Whether a polarimetry group has all its frames."""

    OPEN = "open"  # more frames may come
    COMPLETE = "complete"  # every position is there
    CLOSED = "closed"  # later frames belong to another group
    SHORT = "short"  # too few positions for a result
    DISSOLVED = "dissolved"  # its frames are part of other groups


class AlertState(StrEnum):
    """Where an alert stands."""

    INACTIVE = "inactive"
    PENDING = "pending"  # condition met, not yet confirmed
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"  # no further reminders
    SNOOZED = "snoozed"  # no reminders for a while
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"  # a point that fired it was flagged as bad


#: Alerts that are active, whether or not people want reminders of them.
ACTIVE_ALERTS = (AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SNOOZED)
#: Rows of alerts whose episode has not begun.
UNBEGUN_ALERTS = (AlertState.PENDING, AlertState.INACTIVE)


class MessageState(StrEnum):
    """Where a message of the outbox stands."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"  # given up; its last error says why
    FOLDED = "folded"  # part of a digest
    DROPPED = "dropped"  # not to be sent any more


class MessageKind(StrEnum):
    """What a message to people is about."""

    ALERT = "alert"  # an alert fired
    PENDING = "pending"  # a point met a condition, and no other followed so far
    REMINDER = "reminder"  # an alert is still active
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    SYSTEM = "system"  # an alert about the system; its state is one of the kinds above
    DIGEST = "digest"  # of several messages
    SUMMARY = "summary"  # of a night
    TEST = "test"


class SummaryState(StrEnum):
    """Where the summary of a night stands."""

    MADE = "made"  # for the page alone
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class TriggerState(StrEnum):
    """What became of a notice from elsewhere."""

    ACCEPTED = "accepted"  # its source is a priority target until its time is over
    UNMATCHED = "not in the catalogue"
    IGNORED = "ignored"  # a test, or below what the site file asks for; the reason says which
    ENDED = "ended"  # by a person, before its time was over
    WITHDRAWN = "withdrawn"  # by those who sent it
    UNREADABLE = "unreadable"  # the reason says what was expected


class Role(StrEnum):
    """What an account may do. Each role may also do what those before it may."""

    VIEWER = "viewer"  # read everything that is no operator's matter
    OBSERVER = "observer"  # flag, acknowledge, snooze, mute
    EDITOR = "editor"  # the catalogue, rules, retries, masters
    ADMIN = "admin"  # accounts, tokens, logs, the site file


class RequestKind(StrEnum):
    """What a command or a page can request of the daemon."""

    REDUCE = "reduce"  # files by hand
    REPROCESS = "reprocess"  # frames again
    MASTERS = "masters"  # reject or restore some
    IGNORE = "ignore"  # leave frames out
    TRIAL = "trial"  # a result with other settings, beside the stored one
    ALERTS = "desk"  # an act on alerts, mutes or rules


class RequestState(StrEnum):
    """Where a request of a command or a page stands."""

    QUEUED = "queued"
    DONE = "done"  # answered, be it with an error


class DaemonState(StrEnum):
    """What the daemon does, by its heartbeat."""

    NEVER = "never"  # it never ran on this site
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SILENT = "silent"  # no heartbeat, though it did not stop
