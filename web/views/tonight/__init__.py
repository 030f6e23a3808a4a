"""Tonight: what the telescopes and the sources do, whether anything is wrong; and each night."""

from iop4d.web.views.tonight import live, nights

BLUEPRINTS = (live.blueprint, nights.blueprint)
