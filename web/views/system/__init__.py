"""System: what whoever runs the site needs."""

from iop4d.web.views.system import accounts, changes, status

BLUEPRINTS = (accounts.blueprint, changes.blueprint, status.blueprint)
