"""The tables of alerts, messages and the people who get them; see ``schema`` for the others."""

from __future__ import annotations

import peewee as pw

from iop4d.store.table import JSONField, Table


class Alert(Table):
    """One episode of a rule on a source and band."""

    rule = pw.CharField()
    source = pw.CharField()
    band = pw.CharField()
    episode = pw.IntegerField()
    state = pw.CharField()  # pending, firing, acknowledged, snoozed, resolved, withdrawn, inactive
    condition = pw.CharField()
    severity = pw.CharField(default="notice")
    value = pw.FloatField(null=True)  # what met the condition
    fired_jd = pw.FloatField()
    resolved_jd = pw.FloatField(null=True)
    points = JSONField(default=list)  # ids of the results that confirmed it
    fired_at = pw.FloatField()
    resolved_at = pw.FloatField(null=True)
    told_at = pw.FloatField(null=True)  # when people were told last
    acknowledged_by = pw.CharField(default="")
    snoozed_until = pw.FloatField(null=True)
    note = pw.TextField(default="")  # why nobody was told, why it was withdrawn

    class Meta:
        indexes = ((("rule", "source", "band", "episode"), True), (("state",), False))


class AlertStep(Table):
    """A change of an alert's state: its history."""

    alert = pw.ForeignKeyField(Alert, on_delete="CASCADE")
    at = pw.FloatField()
    state = pw.CharField()
    by = pw.CharField(default="")  # who, where it was a person
    note = pw.TextField(default="")


class Mute(Table):
    """Whom people do not want to hear of for a while. An empty rule or source: any."""

    rule = pw.CharField(default="")
    source = pw.CharField(default="")
    until = pw.FloatField()
    by = pw.CharField(default="")
    made_at = pw.FloatField()


class User(Table):
    """Who may sign in on the page. ``password``: a salted hash."""

    name = pw.CharField(unique=True)
    password = pw.CharField()
    made_at = pw.FloatField()


class ChannelState(Table):
    """What a channel must remember: how far it read, where recipients moved to, who rests."""

    channel = pw.CharField()
    name = pw.CharField()
    value = pw.TextField(default="")

    class Meta:
        indexes = ((("channel", "name"), True),)


class Outbox(Table):
    """A message to one recipient, to be sent, or sent."""

    dedup_key = pw.CharField(unique=True)
    alert = pw.ForeignKeyField(Alert, null=True)
    channel = pw.CharField()
    recipient = pw.CharField()
    message_id = pw.CharField()
    content = JSONField()
    state = pw.CharField(index=True)  # queued, sent, failed, folded (into a digest), dropped
    digest = pw.IntegerField(null=True, index=True)  # the message that tells it too
    severity = pw.CharField(default="notice")
    attempts = pw.IntegerField(default=0)
    not_before = pw.FloatField(default=0.0)
    held_until = pw.FloatField(default=0.0)  # quiet hours
    grouped_by = pw.CharField(default="")  # source whose messages are told together
    unsure = pw.BooleanField(default=False)  # an attempt was begun that may have been accepted
    last_error = pw.TextField(default="")
    created_at = pw.FloatField()
    sent_at = pw.FloatField(null=True)
    refused_at = pw.FloatField(null=True)  # for the first time
    given_up_at = pw.FloatField(null=True)


class Summary(Table):
    """The summary of a night: one to a night, whatever dies and starts again."""

    night = pw.CharField(unique=True)
    facts = JSONField()
    state = pw.CharField()  # made (for the page alone), queued, sent, failed
    letters = JSONField(default=list)  # ids of its messages in the outbox
    made_at = pw.FloatField()
    sent_at = pw.FloatField(null=True)
