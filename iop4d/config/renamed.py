"""Keys and values that earlier versions had; they are refused with the new name, never accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Section to old key to new key.
KEYS: Mapping[str, Mapping[str, str]] = {
    "daemon": {
        "settle_unannounced": "settle_after_scan", "deadline": "job_timeout",
        "disk_min": "min_free_gb", "first": "priority_targets",
        "recycle_after": "max_jobs_per_worker", "worker_memory": "worker_memory_mb",
    },
    "masters": {"max_age": "max_age_days", "debounce": "build_delay", "clip": "clip_sigma"},
    "astrometry": {"stars": "max_stars", "radius": "search_radius"},
    "photometry": {
        "detection": "detection_sigma", "previews": "write_previews", "reduced": "write_reduced",
    },
    "polarimetry": {
        "longest": "max_duration_minutes", "gap": "max_gap_minutes",
        "field_stars": "max_field_stars", "fewest_field_stars": "min_field_stars",
        "transparency": "transparency_scatter",
    },
    "alerts": {
        "max_age": "max_age_hours", "quiet": "quiet_hours", "quiet_zone": "quiet_timezone",
        "quiet_lets": "quiet_min_severity", "late": "digest_after_minutes",
        "most": "max_per_10min", "retry_first": "retry_wait", "retry_longest": "max_retry_wait",
        "give_up": "give_up_days",
    },
    "summary": {"at": "send_at", "catch_up": "max_late_nights"},
    "atel": {"related": "related_atels"},
    "web": {"streams": "max_streams", "retry": "allow_retry"},
    "archive": {
        "files": "file_pattern", "sources": "name_prefixes", "read_only": "make_read_only",
        "tls_max": "max_tls_version", "nights": "night_folder", "poll": "poll_interval",
        "poll_day": "poll_interval_day", "hours": "observing_hours",
        "lookback": "lookback_nights", "parallel": "parallel_downloads",
        "bandwidth": "max_kb_per_s",
    },
    "camera": {
        "scale": "pixel_scale", "kind": "kind_card", "exptime": "exptime_card",
        "time": "time_card", "ra": "ra_card", "dec": "dec_card", "object": "object_card",
        "binning": "binning_card",
    },
    "polarimeter": {"angle": "zero_angle", "angle_err": "zero_angle_err"},
    "rule": {
        "confirm_within": "confirm_within_hours", "lasting": "hold_minutes",
        "cooldown": "cooldown_hours", "window": "window_days", "floor": "min_scatter",
        "simultaneous": "colour_within_hours", "host": "host_galaxy", "reject": "reject_flags",
        "steady": "require_stable_stars", "repeat": "reminder_hours",
        "tell_end": "notify_resolved", "max_age": "max_age_hours",
    },
    "channel": {"api": "api_url", "commands": "accept_commands"},
}

#: (section, key) to old value to new value; of a table or a list, each of its values.
VALUES: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("archive", "kind"): {"directory": "folder"},
    ("camera", "kinds"): {"light": "science"},
    ("polarimetry", "method"): {"left": "ordinary", "right": "extraordinary"},
}


def new_key(section: str, name: str) -> str:
    """The present name of an old key; empty where it never was one."""
    return KEYS.get(section, {}).get(name, "")


def new_value(section: str, name: str, raw: Any) -> tuple[str, str]:
    """An old value in what a key says, and its present form; empty where there is none."""
    table = VALUES.get((section, name), {})
    said = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else [raw]
    return next(((word, table[word]) for word in said
                 if isinstance(word, str) and word in table), ("", ""))
