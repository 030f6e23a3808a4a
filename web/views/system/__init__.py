"""System: what whoever runs the machine looks at."""

from iop4d.web.views.system import accounts, changes, log, metrics, status

BLUEPRINTS = (accounts.blueprint, changes.blueprint, log.blueprint,
              metrics.blueprint, status.blueprint)
