"""Sources: the list, and each with all that is known of it."""

from iop4d.web.views.sources import (
    calibrators,
    catalogue,
    chart,
    curves,
    exposure,
    flags,
    others,
    page,
    public,
)
from iop4d.web.views.sources import list as source_list

BLUEPRINTS = (source_list.blueprint, catalogue.blueprint, calibrators.blueprint, chart.blueprint,
              curves.blueprint, exposure.blueprint, flags.blueprint,
              others.blueprint, page.blueprint, public.blueprint)
