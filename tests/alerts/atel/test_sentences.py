"""Every sentence of a draft is true of the points, at any moment of any flare.

Five hundred nights are simulated, each is cut at some moment, and the draft is read back sentence
by sentence: one that no reader below knows fails, and so does one that the points do not bear out.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, median

import pytest

from iop4d.alerts.atel.gather import gather
from iop4d.alerts.atel.letterhead import Letterhead
from iop4d.alerts.atel.text import date_text, write
from iop4d.model.units import robust_sigma
from iop4d.store import catalogue
from iop4d.store.database import Transaction
from iop4d.store.schema import Result
from tests.alerts.atel.telegrams import NAME, TODAY, asked, measure
from tests.support.cases import tried

NIGHTS, PARTS = 500, 4  # each part meets every sentence
HEAD = Letterhead(authors=("A",), contact="A <a@b.org>", calibration="F")
HOUR = 1.0 / 24.0
STEP = 0.5 * HOUR


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A point as it was simulated."""

    jd: float
    mag: float
    err: float  # its own
    night: int  # before today's
    band: str = "R"


@dataclass(kw_only=True)
class Sky:
    """What was seen, and the numbers of the sentences read so far."""

    points: list[Seen]
    level: float = math.nan
    past: float = math.nan
    read: set[str] = field(default_factory=set)

    @property
    def tonight(self) -> list[Seen]:
        return [p for p in self.points if p.night == 0 and p.band == "R"]

    @property
    def before(self) -> list[Seen]:
        return [p for p in self.points if p.night > 0 and p.band == "R"]

    def nightly(self) -> dict[int, list[float]]:
        nights: dict[int, list[float]] = {}
        for p in self.before:
            nights.setdefault(p.night, []).append(p.mag)
        return nights


# The sky.


def shape(dice: random.Random) -> Callable[[float], float]:
    """Magnitudes above the quiet level, by the hours since the night's begin."""
    size, peak = dice.choice([0.1, 0.3, 0.8, 1.5, -0.4]), dice.uniform(0.1, 6.0)
    wide = dice.choice([0.05, 0.2, 1.0, 3.0])
    kinds: list[Callable[[float], float]] = [
        lambda _t: 0.0,
        lambda t: -size * math.exp(-((t - peak) / wide)**2 / 2),
        lambda t: -size * math.exp((t - peak) / wide) if t < peak else
        -size * math.exp(-(t - peak) / (3 * wide)),
        lambda t: -size * t / 6.0,
        lambda t: -size if t > peak else 0.0,
        lambda _t: -size,
        lambda t: -size * math.sin(6.28 * t / (4 * wide)),
    ]
    return dice.choice(kinds)


def simulated(dice: random.Random) -> list[Seen]:
    """Some nights, and one that is cut at some moment; at least one point of it."""
    quiet, err = dice.uniform(12.0, 16.0), dice.choice([0.003, 0.01, 0.02, 0.05])
    jitter = dice.choice([0.0, 0.002, 0.03, 0.15])
    points = []
    for night in range(dice.choice([0, 1, 2, 4, 8]), 0, -1):
        mean = quiet + dice.gauss(0.0, jitter)
        points += [Seen(jd=TODAY - 2 * night + (8.0 + dice.uniform(0.0, 6.0)) * HOUR, err=err,
                        mag=mean + dice.gauss(0.0, err), night=2 * night)
                   for _ in range(dice.choice([1, 2, 4]))]
    above, cadence = shape(dice), dice.choice([0.5, 2.0, 5.0, 12.0, 40.0]) / 60.0
    ends, t = dice.uniform(0.0, min(7.0, 60 * cadence)), 0.0
    while t <= ends:
        bad = dice.choice([0.0] * 60 + [1.0, -1.0])  # now and then a bad point
        points.append(Seen(jd=TODAY + (8.0 + t) * HOUR, err=err, night=0,
                           mag=quiet + above(t) + bad + dice.gauss(0.0, err)))
        t += cadence
    if dice.random() < 0.3:
        points += [Seen(jd=TODAY + (8.0 + k / 5) * HOUR, err=err, night=0, band="B",
                        mag=quiet + 0.6 + above(k / 5) + dice.gauss(0.0, err)) for k in range(6)]
    return points


def store(tx: Transaction, points: list[Seen]) -> None:
    """Write the points in the place of all others: copies of the row of another source."""
    tx.delete(Result).where(Result.source == NAME).execute()
    own = ("band", "night", "jd_mid", "mag", "mag_err")
    rows = [(p.band, f"night {1000 - p.night:04d}", p.jd, p.mag, p.err) for p in points]
    more = [name for name in Result._meta.columns if name not in ("id", "key", "source", *own)]
    tx.rows(f"INSERT INTO result (key, source, {', '.join((*own, *more))}) "
            f"SELECT 'n' || n.key, ?, {', '.join(f'n.value ->> {i}' for i in range(len(own)))}, "
            f"{', '.join(f'r.{name}' for name in more)} FROM json_each(?) n, result r "
            "WHERE r.key = '0'", NAME, json.dumps(rows))


# The readers: each sentence of a draft, and whether it is true.

MAG = r"(\d+\.\d+)"
ERR = r"\+/- (\d+\.\d+)"
DATE = r"(\d{4} [A-Z][a-z]+ \d+)"
CLOCK = r"(\d\d):(\d\d) UT"
JD = r"JD (\d+\.\d+)"
N_EXP = r"(?:mean of )?(?P<n>\d+|one) exposures?,? (?:of )?\d+ s(?: in all)?"
Said = re.Match[str]


def named(pattern: str, name: str) -> str:
    """A pattern whose group has a name."""
    return pattern.replace("(", f"(?P<{name}>", 1)


def mean(points: list[Seen]) -> float:
    return fmean((p.mag for p in points), [1.0 / (p.err**2 + 0.02**2) for p in points])


def runs(points: list[Seen], count: int) -> list[list[Seen]]:
    """Successive points, so many of them."""
    return [points[i:i + count] for i in range(len(points) - count + 1)]


def count_of(text: str) -> int:
    return 1 if text == "one" else int(text)


def check_mean(sky: Sky, mag: float, jd: float, count: int, *, most_days: float = 1.0) -> None:
    """That so many successive points of tonight have this mean at this time."""
    assert any(abs(mean(run) - mag) <= 0.0051 and abs(fmean(p.jd for p in run) - jd) < 3e-4
               and run[-1].jd - run[0].jd <= most_days + 1e-9
               for run in runs(sky.tonight, count)), (mag, jd, count)


def read_level(sky: Sky, said: Said) -> None:
    sky.level = float(said["mag"])
    check_mean(sky, sky.level, float(said["jd"]), count_of(said["n"]))
    far = max((abs(p.mag - sky.level) - 6.0 * p.err for p in sky.tonight), default=0.0)
    if len(sky.tonight) > 3 and "brightest single" not in said.string and \
            "faintest single" not in said.string:
        assert far < 0.1, "points of a night are averaged away"


def read_varied(sky: Sky, said: Said) -> None:
    sky.level = float(said["mag"])
    check_mean(sky, sky.level, float(said["jd"]), count_of(said["n"]), most_days=STEP)
    low, high = float(said["low"]), float(said["high"])
    mags = [p.mag for p in sky.tonight]
    assert min(mags) - 0.006 <= low < high <= max(mags) + 0.006
    assert sky.level == pytest.approx(low if said["which"] == "brightest" else high, abs=0.006)
    # No three points within half an hour are far beyond the extreme that is told.
    threes = [mean(run) for run in runs(sky.tonight, 3) if run[-1].jd - run[0].jd <= STEP]
    beyond = 0.06 + 5.0 * sky.tonight[0].err
    assert low - min(threes, default=low) <= beyond
    assert max(threes, default=high) - high <= beyond


def read_single(sky: Sky, said: Said) -> None:
    extreme = (min if said["which"] == "brightest" else max)(sky.tonight, key=lambda p: p.mag)
    assert float(said["mag"]) == pytest.approx(extreme.mag, abs=0.0051)


def read_past(sky: Sky, said: Said) -> None:
    nights = sky.nightly()
    sky.past = median(median(mags) for mags in nights.values())
    assert int(said["nights"] or 1) == len(nights)
    assert int(said["n"]) == len(sky.before)
    assert float(said["past"]) == pytest.approx(sky.past, abs=0.0051)
    days = sorted({date_text(p.jd) for p in sky.before}, key=lambda d: [
        p.jd for p in sky.before if date_text(p.jd) == d])
    assert [said["first"], said["last"] or said["first"]] == [days[0], days[-1]]
    if said["scatter"]:
        scatter = robust_sigma([median(mags) for mags in nights.values()])
        assert float(said["scatter"]) == pytest.approx(scatter, abs=0.0051)
        assert float(said["scatter"]) > 0.0
    if said["step"]:
        step = sky.level - sky.past
        assert float(said["step"]) == pytest.approx(abs(step), abs=0.0151)
        assert float(said["step"]) > 0.0
        assert (step < 0) == (said["way"] == "brighter") or abs(step) < 0.011
        return
    assert said["agrees"]
    last = sky.tonight[-1]
    assert abs(last.mag - sky.past) < 3.1 * last.err + 0.001
    for count in (1, 2, 3):
        assert abs(mean(sky.tonight[-count:]) - sky.past) < 0.2


def read_end(sky: Sky, said: Said) -> None:
    """The night's last exposures, where they depart from the past and what is reported does not."""
    count = int(said["n"] or 1)
    found = mean(sky.tonight[-count:])
    assert float(said["mag"]) == pytest.approx(found, abs=0.0051)
    assert float(said["off"]) == pytest.approx(abs(found - sky.past), abs=0.0051)
    assert (found < sky.past) == (said["way"] == "brighter")


def read_record(sky: Sky, said: Said) -> None:
    bright = said["which"] == "brightest"
    as_much = [p for p in sky.before
               if (p.mag <= sky.level + 0.005 if bright else p.mag >= sky.level - 0.005)]
    if said["since"]:
        assert date_text(as_much[-1].jd) == said["since"]
        assert float(said["mag"]) == pytest.approx(as_much[-1].mag, abs=0.0051)
    else:
        surely = [p for p in as_much if abs(p.mag - sky.level) > 0.006]
        assert surely == []
        assert said["first"] == date_text(sky.before[0].jd)


def read_preceding(sky: Sky, said: Said) -> None:
    last = [p for p in sky.before if p.night == sky.before[-1].night]
    assert said["date"] == date_text(mean_jd(last))
    assert float(said["mag"]) == pytest.approx(mean(last), abs=0.0051)
    if said["size"]:
        change = sky.level - mean(last)
        assert float(said["size"]) == pytest.approx(abs(change), abs=0.0101)
        assert (change < 0) == (said["way"] == "brightened")


def mean_jd(points: list[Seen]) -> float:
    return fmean(p.jd for p in points)


def read_fastest(sky: Sky, said: Said) -> None:
    size, sign = float(said["size"]), -1 if said["way"] == "brightening" else 1
    mags = [p for p in sky.before if p.jd >= TODAY + 8.0 * HOUR - 5.0] + sky.tonight
    best, seen = 0.0, math.inf
    for p in mags:
        best = max(best, sign * p.mag - seen)
        seen = min(seen, sign * p.mag)
    assert best >= size - 0.01
    assert size >= 0.05


def read_others(sky: Sky, said: Said) -> None:
    others = [p for p in sky.points if p.band == "B" and p.night == 0]
    if said["high"]:
        assert min(p.mag for p in others) - 0.006 <= float(said["mag"]) < float(said["high"])
        assert float(said["high"]) <= max(p.mag for p in others) + 0.006
    else:
        assert float(said["mag"]) == pytest.approx(mean(others), abs=0.0051)
    assert int(said["n"]) == len(others)


def read_system(sky: Sky, said: Said) -> None:
    has_b = any(p.band == "B" for p in sky.points)
    system = "Johnson B (Vega) and Cousins R (Vega)" if has_b else "Cousins R (Vega)"
    assert sorted(said["system"].split(" and ")) == sorted(system.split(" and "))


def nothing(_sky: Sky, _said: Said) -> None:
    """There is no number of the sky in it."""


READERS: list[tuple[str, Callable[[Sky, Said], None]]] = [
    (r"We report optical photometry of BL Lac \(2200\+420, z = 0\.069\) obtained with the "
     r"telescope "
     r"OSN-T090\.", nothing),
    (r"The source is at RA = 22:02:43\.20, Dec = \+42:16:48\.0 \(J2000\)\.", nothing),
    (rf"On {DATE} at {CLOCK} \({named(JD, 'jd')}; "
     rf"{N_EXP}\) we measured R = (?P<mag>\d+\.\d+) {ERR} mag\.",
     read_level),
    (rf"The source varied during the night, which we divide into disjoint stretches: of means "
     rf"over half "
     rf"an hour at most, the (?P<which>brightest|faintest) was R = (?P<mag>\d+\.\d+) {ERR} mag "
     rf"on {DATE} at {CLOCK} "
     rf"\({named(JD, 'jd')}; {N_EXP}\), and they "
     r"ranged between R = (?P<low>\d+\.\d+) and (?P<high>\d+\.\d+) within [1-9][\d.]* (s|min|h)\.",
     read_varied),
    (rf"The (?P<which>brightest|faintest) single measurement was R = (?P<mag>\d+\.\d+) {ERR} mag "
     rf"at "
     rf"{CLOCK}\.", read_single),
    (r"(?:This is (?P<step>\d+\.\d+) mag (?P<way>brighter|fainter)(?: \(\d+\.\d sigma\))? than|"
     r"(?P<agrees>This agrees with)) the median of the preceding (?:night|(?P<nights>\d+) "
     r"nights) with "
     rf"data \(R = (?P<past>\d+\.\d+), n = (?P<n>\d+), (?:on|from) {named(DATE, 'first')}"
     rf"(?: to {named(DATE, 'last')})?\)(?:, with a scatter of (?P<scatter>\d+\.\d+) mag "
     r"from night to night)?\.", read_past),
    (rf"The (?:last exposure|mean of the last (?P<n>\d+) exposures), at {CLOCK}, was R = "
     rf"(?P<mag>\d+\.\d+) {ERR} mag, (?P<off>\d+\.\d+) mag (?P<way>brighter|fainter) than that "
     r"median\.", read_end),
    (r"It is the (?P<which>brightest|faintest) level in our archive(?: since "
     rf"{named(DATE, 'since')} \(R = (?P<mag>\d+\.\d+) {ERR}\)|, which begins on "
     rf"{named(DATE, 'first')})\.", read_record),
    (rf"On the preceding night with data, {named(DATE, 'date')}, we measured R = "
     rf"(?P<mag>\d+\.\d+) {ERR} mag(?:; the source (?P<way>brightened|faded) by "
     rf"(?P<size>\d+\.\d+) {ERR} "
     r"mag in [\d.]+ (?:h|d) \(\d+ sigma\))?\.", read_preceding),
    (rf"The fastest significant change of these nights, between means over half an hour at most, "
     rf"was a "
     rf"(?P<way>brightening|fading) by (?P<size>\d+\.\d+) {ERR} mag within [1-9][\d.]* "
     rf"(?:s|min|h|d), up "
     rf"to {DATE} at {CLOCK} \(\d+ sigma\)\.", read_fastest),
    (rf"On the same night we also measured B = (?P<mag>\d+\.\d+)(?: {ERR}| to (?P<high>\d+\.\d+)) "
     rf"\({CLOCK}, n = (?P<n>\d+)\); these are means of the night(?:, or the range of means over "
     rf"half an "
     r"hour at most where it varied)?\.", read_others),
    (r"The magnitudes are differential, relative to 2 comparison stars of the field \(B, C\), with "
     r"the magnitudes of F\.", nothing),
    (r"The photometric system is (?P<system>[^.]*)\.", read_system),
    (r"They are as observed, corrected neither for Galactic extinction nor for the light of the "
     r"host galaxy\.", nothing),
    (r"The Galactic extinction towards the source is A_R = 0\.72 mag\.", nothing),
    (r"Multi-wavelength observations are encouraged\.", nothing),
    (r"Contact: A <a@b\.org>\.", nothing),
]


def read(body: str, sky: Sky) -> None:
    """Read every sentence, in order; one that no reader knows is an error."""
    rest = body
    while rest := rest.lstrip():
        for pattern, check in READERS:
            if said := re.match(pattern, rest):
                check(sky, said)
                sky.read.add(pattern)
                rest = rest[said.end():]
                break
        else:
            raise AssertionError(f"an unknown sentence: {rest[:200]}")


@pytest.mark.parametrize("part", range(tried(few=1, every=PARTS)))
def test_every_sentence_is_true_at_any_moment_of_a_flare(tx: Transaction, part: int) -> None:
    """Of 125 flares, and of 500 with ``make every-case``."""
    source = catalogue.find(tx, NAME)
    source.extinction["R"] = 0.72
    measure(tx, 0, 9.0, 13.0, source="pattern", mag_err_common=0.02)
    told: set[str] = set()
    for seed in range(part, NIGHTS, PARTS):
        points = sorted(simulated(random.Random(seed)), key=lambda p: p.jd)
        store(tx, points)
        until = max(p.jd for p in points if p.night == 0 and p.band == "R")
        points = [p for p in points if p.jd <= until]
        draft = write(gather(tx, asked(tx, source=source, until_jd=until)), HEAD)
        sky = Sky(points=points)
        try:
            read(draft.body, sky)
        except AssertionError as error:
            raise AssertionError(f"flare {seed}: {error}\n{draft.body}") from error
        told |= sky.read
    assert {pattern for pattern, _ in READERS} == told  # no sentence is never met
