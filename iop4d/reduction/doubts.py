"""Whether the time of a frame can be true: by the Sun, the horizon, and when its file came."""

from __future__ import annotations

import math

from iop4d.instruments.telescopes import Telescope, sun_altitude_deg
from iop4d.model.frame import FrameFacts
from iop4d.model.units import span_text, unix_of_jd, utc_of_jd

SUN_UP_DEG = -6.0  # altitude of the Sun above which no field is observed: civil twilight
LONGEST_S = 4 * 3600.0  # exposures of CCDs on faint targets end well before
CLOCKS_DIFFER_S = 120.0  # that a camera's clock may be ahead of ours


def time_doubts(facts: FrameFacts, telescope: Telescope, *, airmass: float,
                seen_at: float) -> tuple[str, ...]:
    """Why the time or the exposure time of a science frame cannot be right, in words.

    ``airmass``: of the field's middle, NaN below the horizon; ``seen_at``: Unix time at which the
    file was there, NaN if unknown. Nothing is said of the sky of a telescope whose place is
    unknown.
    """
    utc = utc_of_jd(facts.jd_start)
    said = []
    ahead = unix_of_jd(facts.jd_start) + facts.exptime_s - seen_at
    if ahead > CLOCKS_DIFFER_S:
        said.append(f"its exposure, which began {utc} UTC, ended {span_text(ahead)} after the file "
                    "was here: its time is in the future")
    if facts.night < telescope.since:
        said.append(f"its time, {utc} UTC, is before the first night of {telescope.name}, "
                    f"{telescope.since}")
    if facts.exptime_s > LONGEST_S:
        said.append(f"its exposure time is {facts.exptime_s:g} s, more than "
                    f"{LONGEST_S / 3600.0:g} hours")
    if telescope.is_placed:
        sun = sun_altitude_deg(unix_of_jd(facts.jd_mid), telescope.latitude_deg,
                               telescope.longitude_deg)
        if sun > SUN_UP_DEG:
            said.append(f"the Sun stood {abs(sun):.0f} degrees "
                        f"{'above' if sun > 0 else 'below'} the horizon at its time, {utc} UTC")
        if math.isnan(airmass):
            said.append(f"its field was below the horizon at its time, {utc} UTC")
    return tuple(said)
