"""What a summary says, as plain values that are kept with it as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

Numbers = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class KindLine:
    """How many frames of one kind there are, and what became of them."""

    kind: str
    frames: int = 0
    reduced: int = 0
    failed: int = 0
    open: int = 0


@dataclass(frozen=True, kw_only=True)
class TelescopeNight:
    """The frames of one telescope. ``copies``: files that are duplicates of others."""

    name: str
    instruments: tuple[str, ...]
    kinds: tuple[KindLine, ...]
    copies: int = 0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Frames that were not used for one reason. ``frames``: id and name of the first of them."""

    telescope: str
    state: str
    reason: str
    count: int
    frames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class BandNight:
    """A source's magnitudes in one band by one instrument. ``n`` are the sound points, ``left_out``
    the others.

    ``mag`` is their weighted mean, ``mag_err`` its error, random and common; ``scatter`` their
    standard deviation, ``change`` the difference from the night ``before``, whose error has of the
    common ones what the nights do not share.
    """

    band: str
    n: int
    left_out: int
    mag: float | None
    mag_err: float | None
    scatter: float | None
    brightest: float | None
    faintest: float | None
    provisional: bool
    before: str = ""
    change: float | None = None
    change_err: float | None = None
    telescope: str = ""
    instrument: str = ""


@dataclass(frozen=True, kw_only=True)
class PolarisationNight:
    """A source's polarisation in one band by one instrument: p as a fraction, chi in degrees east
    of north.

    The mean is that of q and u, p without the bias of noise; the errors are the mean's, random and
    common. ``limit``: the upper limit, where the mean is no detection.
    """

    band: str
    n: int
    left_out: int
    p: float | None
    p_err: float | None
    chi_deg: float | None
    chi_err_deg: float | None
    limit: float | None
    provisional: bool
    telescope: str = ""
    instrument: str = ""


@dataclass(frozen=True, kw_only=True)
class CameraNight:
    """One source, night, band, telescope and instrument.

    ``magnitudes``, ``polarisation``: the values of :class:`~iop4d.science.nightly
    .MagnitudeStatistics` and ``StokesStatistics`` by their names, None for NaN; None where no
    sound point has an error.
    """

    night: str
    band: str
    telescope: str
    instrument: str
    magnitudes: Numbers | None
    polarisation: Numbers | None


@dataclass(frozen=True, kw_only=True)
class SourceNight:
    """What was measured of a source. ``picture``: file of its plot, beside the site file;
    ``cameras``: each band and instrument by itself."""

    name: str
    also: str
    kind: str
    bands: tuple[BandNight, ...]
    polarisation: tuple[PolarisationNight, ...]
    cameras: tuple[CameraNight, ...] = ()
    flags: tuple[tuple[str, int], ...] = ()
    stacks: tuple[str, ...] = ()  # in words
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class Uncalibrated:
    """A source and band whose points have no magnitude for want of calibrators."""

    source: str
    band: str
    points: int
    in_catalogue: int  # calibrators that the catalogue has of it in this band


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """An alert. ``called``: what people call its source; ``night``: of its points, where that is
    another than the summary's; ``reported_in``: the other night whose summary reports it, in a view
    of the night alone."""

    id: int
    rule: str
    source: str
    band: str
    condition: str
    utc: str
    state: str
    night: str = ""
    reported_in: str = ""
    called: str = ""


@dataclass(frozen=True, kw_only=True)
class TroubleLine:
    """The trouble of an archive or a channel; or why a group has no polarisation."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class StandardLine:
    """A polarisation standard against the literature: fractions, degrees; None: not known."""

    source: str
    band: str
    instrument: str
    p_off: float | None
    p_err: float | None
    chi_off: float | None
    chi_err: float | None
    sigmas: float


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds from a frame's arrival to its results."""

    frames: int
    median: float
    most: float  # 95 % of the frames took no longer
    longest: float


@dataclass(frozen=True, kw_only=True)
class NightSummary:
    """A night in numbers. ``since``, ``until``: Unix seconds between which events are its own.

    ``alerts``: those that it reports, see :func:`~iop4d.alerts.summary.gather.alerts_of`;
    ``active``: how many are active when it is made; ``pending``: what a point of the night met and
    no other confirmed; ``waiting``: once a week, rules that cannot be judged, and why.
    ``trouble``: why the summary is not whole.
    """

    night: str
    site: str
    url: str
    since: float
    until: float
    made_at: float
    telescopes: tuple[TelescopeNight, ...] = ()
    failures: tuple[Failure, ...] = ()
    sources: tuple[SourceNight, ...] = ()
    uncalibrated: tuple[Uncalibrated, ...] = ()
    alerts: tuple[AlertLine, ...] = ()
    active: int = 0
    pending: tuple[AlertLine, ...] = ()
    waiting: tuple[TroubleLine, ...] = ()
    groups: tuple[TroubleLine, ...] = ()
    standards: tuple[StandardLine, ...] = ()
    archives: tuple[TroubleLine, ...] = ()
    channels: tuple[TroubleLine, ...] = ()
    latency: Latency | None = None
    masters: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    @property
    def frames(self) -> int:
        """Frames of all telescopes and kinds."""
        return sum(line.frames for telescope in self.telescopes for line in telescope.kinds)

    @property
    def failed(self) -> int:
        """Frames that were not used."""
        return sum(line.failed for telescope in self.telescopes for line in telescope.kinds)

    @property
    def is_late(self) -> bool:
        """Whether it reports alerts of other nights, which no other summary does."""
        return any(alert.night for alert in self.alerts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was observed."""
        return not self.frames and not self.sources
