"""Tonight: what happens now, and each night."""

from iop4d.web.views.tonight import live, nights

BLUEPRINTS = (live.blueprint, nights.blueprint,)
