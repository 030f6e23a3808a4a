"""One alert that cannot be looked after costs no other: savepoints about what may fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iop4d.store.database import ambient
from iop4d.store.events import emit
from iop4d.store.schema import Alert

log = logging.getLogger(__name__)


@contextmanager
def guarded(clock: Callable[[], float], *, rule: str, source: str = "",
            band: str = "") -> Iterator[None]:
    """What fails within is rolled back and told, by the log and by an event of the rule.

    Inside a transaction. If the database itself failed, the whole transaction is gone, and the
    error goes on to whoever began it.
    """
    database = Alert._meta.database
    try:
        with database.atomic():
            yield
    # A fault in one rule must cost neither the measurement nor the other rules.
    except Exception as error:
        if not database.connection().in_transaction:
            raise
        log.exception("rule '%s' could not be judged for %s", rule,
                      " ".join(filter(None, (source, band))) or "the system")
        emit(ambient(), "alert-error", clock(), rule=rule, source=source, band=band,
             reason=f"{type(error).__name__}: {error}")
