"""The library: ``site = iop4d.open("/data/iop4d")``; what is public stands in ``__all__``.

Everything is only read. The same names are read from a server by :class:`Client`.
"""

from iop4d.library.errors import (
    NotFoundError,
    NotHereError,
    NotInstalledError,
    SelectionError,
    ServerError,
)
from iop4d.library.frames import Frame, Group, Master, Measurement
from iop4d.library.image import Image
from iop4d.library.nights import Alert, Night
from iop4d.library.observatory import Observatory
from iop4d.library.reduction import Reduction
from iop4d.library.results import Result, Results
from iop4d.library.row import Row
from iop4d.library.selection import Selection
from iop4d.library.server import Client
from iop4d.library.site import Site
from iop4d.library.site import open_site as open  # noqa: A004 - iop4d.open, as io.open
from iop4d.library.sources import Source
from iop4d.library.trial import Trial
from iop4d.model.errors import Iop4dError

__all__ = [
    "Alert", "Client", "Frame", "Group", "Image", "Iop4dError", "Master", "Measurement", "Night",
    "NotFoundError", "NotHereError", "NotInstalledError", "Observatory", "Reduction", "Result",
    "Results", "Row", "Selection", "SelectionError", "ServerError", "Site", "Source", "Trial",
    "open",
]
