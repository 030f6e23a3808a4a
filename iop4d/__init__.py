"""iop4d turns raw frames, as they come, into calibrated magnitudes and polarisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iop4d.library import Client, Observatory, Site, open  # noqa: A004

__version__ = "0.1.0"
__all__ = ["Client", "Observatory", "Site", "__version__", "open"]


def __getattr__(name: str) -> Any:
    """The names of ``iop4d.library``, imported when they are used: ``import iop4d`` is light."""
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module 'iop4d' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module("iop4d.library"), name)
