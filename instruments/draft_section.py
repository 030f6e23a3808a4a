"""A drafted section: the frames that it is made from, its keys and their reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from iop4d.instruments.base import Header, card


@dataclass(frozen=True, kw_only=True)
class Example:
    """A frame of the camera: its file, its cards and their comments, and what its pixels show.

    None where they were not read: ``clipped_adu``: the level at which many are clipped;
    ``second_image_px``: the offset of a second image of every star; ``stars``: how many there are;
    ``middle``: the pixels in its middle, ADU.
    """

    path: PurePath
    header: Header
    comments: Mapping[str, str] = field(default_factory=dict)
    clipped_adu: float | None = None
    second_image_px: tuple[float, float] | None = None
    stars: int | None = None
    middle: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


_MOST_LINES = 12  # of a section, the one with its name among them
#: What stands in one table where there are more: of the detector before all else.
_FOLDED_FIRST = ("binning_card", "gain_card", "read_noise_card", "saturation_card", "trim_card",
                 "overscan_card")


@dataclass
class Section:
    """Keys with their values and reasons, and what could not be known."""

    keys: dict[str, tuple[object, str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def put(self, name: str, value: object, why: str) -> None:
        """A key, its value and its reason."""
        self.keys[name] = (value, why)

    def text(self) -> str:
        """The section as TOML; of very many keys those that name cards stand in one table."""
        keys = self._folded()
        lines = {name: f"{name} = {_toml(value)}" for name, (value, _) in keys.items()}
        wide = min(max(map(len, lines.values())), 56)
        return "\n".join([
            "[[camera]]", *(f"{lines[name]:<{wide}}  # {why}" if why else lines[name]
                            for name, (_, why) in keys.items()),
            *(f"# not known: {said}" for said in self.unknown)]) + "\n"


    def _folded(self) -> dict[str, tuple[object, str]]:
        """The keys, of which as many as needed stand in the table of cards."""
        too_many = len(self.keys) - (_MOST_LINES - 1)
        names = [name for name in self.keys if name.endswith("_card")]
        names.sort(key=lambda name: name not in _FOLDED_FIRST)
        folded = names[:too_many + 1] if too_many > 0 else []
        table = ({name.removesuffix("_card"): self.keys[name][0] for name in folded},
                 "; ".join(f"{name.removesuffix('_card')}: {self.keys[name][1]}"
                           for name in folded))
        first = next((name for name in self.keys if name in folded), "")
        return {("cards" if name == first else name): (table if name == first else line)
                for name, line in self.keys.items() if name == first or name not in folded}


def _toml(value: object) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {json.dumps(said, ensure_ascii=False)}"
                          for name, said in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, float):
        return f"{value:.10g}" if value != int(value) else f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def values_of(frames: Iterable[Example], name: str) -> list[str]:
    """What a card says in the frames, each once; empty where a frame lacks it."""
    return list(dict.fromkeys(card(frame.header, name) for frame in frames))
