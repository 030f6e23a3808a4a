"""Reads a notice whatever its form: JSON, a VOEvent, or a text of GCN Classic."""

from __future__ import annotations

from iop4d.model.notice import Notice, NoticeError
from iop4d.triggers.classic import read_text, read_voevent
from iop4d.triggers.gcn_json import read_json

LARGEST = 16 << 20  # bytes; those with a map of the sky hold some of them


def read_notice(body: bytes) -> Notice:
    """What a notice says; raises NoticeError, and nothing else, for what is none."""
    if len(body) > LARGEST:
        raise NoticeError(f"it has {len(body)} bytes; expected {LARGEST} at most")
    text = body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text:
        raise NoticeError("it is empty")
    if text[0] in "{[":
        return read_json(text)
    return read_voevent(text) if text[0] == "<" else read_text(text)
