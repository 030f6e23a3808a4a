"""System: what whoever runs the site needs."""

from iop4d.web.views.system import status

BLUEPRINTS = (status.blueprint,)
