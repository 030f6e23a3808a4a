"""The Flask site: what the daemon does, light curves, frames, nights, alerts, and an API.

It reads the site's database and never writes; it lives in a process of its own, with or without
a daemon beside it.
"""

from iop4d.web.app import create_app
from iop4d.web.server import serve

__all__ = ["create_app", "serve"]
