"""All tables, and the version of their shape."""

from __future__ import annotations

from iop4d.store.alertschema import (
    Alert,
    AlertStep,
    ChannelState,
    Mute,
    Outbox,
    Summary,
    User,
)
from iop4d.store.schema import (
    Ask,
    Event,
    Frame,
    FrameStars,
    Group,
    Job,
    Master,
    Measurement,
    Meta,
    Outage,
    Result,
    ResultFrame,
    ResultHistory,
    Series,
    Source,
)
from iop4d.store.table import Table

SCHEMA_VERSION = 3

TABLES: tuple[type[Table], ...] = (
    Meta, Frame, Job, Master, Measurement, FrameStars, Group, Result, ResultFrame, ResultHistory,
    Series, Source, Alert, AlertStep, Mute, User, ChannelState, Outbox, Summary, Outage, Event, Ask,
)
