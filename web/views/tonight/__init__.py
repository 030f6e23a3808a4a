"""Tonight: what the telescopes and the sources do, whether anything is wrong; and each night."""

from iop4d.web.views.tonight import live, night, nights

BLUEPRINTS = (live.blueprint, night.blueprint, nights.blueprint)
