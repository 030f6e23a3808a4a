"""Data: frames, results, masters and groups, in tables and one by one."""

from iop4d.web.views.data import frames, groups, images, masters, results, search, tables, trials

BLUEPRINTS = (frames.blueprint, groups.blueprint, images.blueprint, masters.blueprint,
              results.blueprint, search.blueprint, trials.blueprint,
              tables.blueprint)
