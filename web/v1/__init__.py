"""``/api/v1``: everything that the pages show, as JSON for programs, with its description."""

from iop4d.web.v1 import lists, single, triggers
from iop4d.web.v1.blueprint import blueprint

__all__ = ["blueprint", "lists", "single", "triggers"]
