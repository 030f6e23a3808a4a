"""Data: frames, results, masters and groups, in tables and one by one."""

from iop4d.web.views.data import frames, images, results, search, tables

BLUEPRINTS = (frames.blueprint, images.blueprint, results.blueprint, search.blueprint,
              tables.blueprint)
