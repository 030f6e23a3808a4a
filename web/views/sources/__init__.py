"""Sources: the list, and each with all that is known of it."""

from iop4d.web.views.sources import page

BLUEPRINTS = (page.blueprint,)
