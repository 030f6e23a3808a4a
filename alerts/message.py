"""What a message says: plain text and HTML that say the same, with the light curve in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError, select_autoescape

from iop4d.alerts import words
from iop4d.alerts.transport import Notice
from iop4d.model.errors import Iop4dError
from iop4d.model.messages import PlotRequest

#: Kinds of message whose text is in their content.
WRITTEN = ("summary", "test")


class MessageError(Iop4dError):
    """A message cannot be written; the reason says why."""


def compose(content: dict[str, Any], *, message_id: str, at: float,
            pictures: Mapping[str, bytes] | None = None) -> Notice:
    """The notice that says ``content``; ``at`` is its date in Unix seconds.

    Raises MessageError when the content is not what this version writes.
    """
    kind = str(content.get("kind", "alert"))
    shown = dict(pictures or {})
    try:
        content = {"kind": kind, **content, "subject": words.clean(content["subject"])}
        if kind in WRITTEN:
            text, html = str(content["text"]), str(content.get("html", ""))
        else:
            name = "digest" if kind == "digest" else "system" if kind == "system" else "alert"
            text = _templates().get_template(f"{name}.txt").render(content)
            html = _templates().get_template(f"{name}.html").render(
                content, cid=next(iter(shown), ""))
        return Notice(
            id=message_id, kind=kind, subject=content["subject"], text=text, html=html,
            pictures=shown, at=at, severity=str(content.get("severity", "notice")),
            tag=str(content.get("tag", "")), link=_link(content), facts={
                key: value for key, value in content.items() if key not in ("html", "text")})
    except (TemplateError, KeyError, TypeError, ValueError, IndexError) as error:
        raise MessageError(f"the message cannot be written: {error!r}") from error


def _link(content: dict[str, Any]) -> str:
    links = content.get("links") or {}
    return str(content.get("link") or links.get("alerts") or links.get("source") or "")


def cid_of(picture: str) -> str:
    """The id by which a mail's HTML names one of its pictures, a file below the site's folder."""
    return picture.replace("/", ".") + "@iop4d"


def plot_of(content: dict[str, Any]) -> PlotRequest | None:
    """The light curve that goes with a message; None when there is nothing to plot."""
    if not content.get("light_curve"):
        return None
    try:
        points = tuple((float(jd), float(mag), float("nan") if err is None else float(err))
                       for jd, mag, err in content["light_curve"])
        if not points:
            return None
        return PlotRequest(
            title=f"{content['source']} {content['band']}", band=content["band"], points=points,
            highlight_jd=content["points"][-1]["jd"], threshold=content["threshold"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MessageError(f"the message cannot be written: {error!r}") from error


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("iop4d.alerts"), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=select_autoescape(["html"]))
    environment.filters |= {"number": words.number, "headline": words.headline,
                            "moment": words.utc_of_unix}
    environment.globals["plus_minus"] = words.plus_minus
    environment.globals["headline"] = words.headline
    environment.globals["says"] = {"alert": "fires", "again": "still holds", "ended": "has ended",
                                   "withdrawn": "is taken back"}
    environment.globals["marks"] = {"alert": "▲ firing", "again": "▲ still firing",
                                    "ended": "✓ ended", "withdrawn": "✗ withdrawn"}
    return environment
