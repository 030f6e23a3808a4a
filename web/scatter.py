"""Residuals of a calibrator against time, as a picture (SVG) that the page's colours draw."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from iop4d.model.units import utc_of_jd
from iop4d.store.calibrator_history import Use

_WIDE, _HIGH, _LEFT, _RIGHT, _BOTTOM = 720.0, 240.0, 52.0, 12.0, 24.0
_LEAST = 0.02  # mag, half the height


def residuals(uses: Sequence[Use]) -> Markup:
    """Zero point of a star minus that of all, mag, against time; hollow where it was left out."""
    shown = [use for use in uses if use.residual is not None]
    if not shown:
        return Markup("")
    first, last = shown[0].jd, shown[-1].jd
    span = max(last - first, 0.01)
    reach = max(_LEAST, 1.15 * sorted(abs(use.residual or 0.0) for use in shown)[
        int(0.99 * (len(shown) - 1))])

    def x(jd: float) -> float:
        return _LEFT + (_WIDE - _LEFT - _RIGHT) * ((jd - first) / span if last > first else 0.5)

    def y(mag: float) -> float:
        part = min(max(mag / reach, -1.0), 1.0)
        return 6 + (_HIGH - _BOTTOM - 6) * (0.5 - 0.5 * part)

    parts = [Markup('<path class="{}" d="M{:.0f} {:.1f}H{:.0f}"/><text x="{:.0f}" y="{:.1f}" '
                    'text-anchor="end">{:+.3f}</text>').format(
        "zero" if mag == 0 else "grid", _LEFT, y(mag), _WIDE - _RIGHT, _LEFT - 5, y(mag) + 4, mag)
        for mag in (-reach / 1.15, 0.0, reach / 1.15)]
    parts += [Markup('<circle class="band-{}{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{} {} '
                     '{:+.3f}{}</title></circle>').format(
        use.band if use.band in ("U", "B", "V", "R", "I") else "other",
        " out" if use.why_not else "", x(use.jd), y(use.residual or 0.0),
        utc_of_jd(use.jd), use.band, use.residual,
        f": left out, {use.why_not}" if use.why_not else "") for use in shown]
    for jd, anchor in ((first, "start"), (last, "end")) if last > first else ((first, "middle"),):
        parts.append(Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
            x(jd), _HIGH - 6, anchor, utc_of_jd(jd)[:16]))
    return Markup('<svg class="residuals" viewBox="0 0 {:.0f} {:.0f}" role="img" '
                  'aria-label="Residuals against time; the table below has the means of nights">{}'
                  '</svg>').format(_WIDE, _HIGH, Markup("").join(parts))
