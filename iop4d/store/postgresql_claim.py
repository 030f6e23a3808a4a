"""One daemon on a schema of PostgreSQL, or one of each node: the locks of a session of its own."""

from __future__ import annotations

import secrets
import time
from typing import Any

import peewee as pw

from iop4d.model.errors import Iop4dError

try:
    import psycopg
except ImportError:  # pragma: no cover - it is an extra
    psycopg = None  # type: ignore[assignment]

#: Advisory locks: the first number is ours, the second is a hash of the schema.
_DAEMON = 0x10B4E
_NODE = 0x10B4F
_LEADER = 0x10B50
_LOOKS, _PAUSE = 6, 0.5  # times, and seconds between them
POOLED = ("a pooler between iop4d and the database server shares the server's sessions: set its "
          "pool_mode = session, or name the server's own port in [store] url")


class Claim:
    """That of a daemon on a schema. ``db``: connections to it; ``url``: what messages call it;
    ``node``: see :class:`kind.Kind`."""

    def __init__(self, db: pw.Database, url: str, node: str) -> None:
        self._db = db
        self._url = url
        self._node = node
        self._connection: Any = None
        self._leads = False

    def take(self) -> None:
        """Be the one daemon that works on this schema, or on its node's part of it, for as long as
        a connection lasts that nothing else uses. One that has just died is waited for."""
        if self._lasts():
            return
        with pw.__exception_wrapper__:
            self._connection = self._db._connect()
            try:
                self._check_pooler()
                self._take_locks()
            except BaseException:
                self.release()  # a connection that holds no lock is no claim
                raise

    def lead(self) -> bool:
        """Be the one of the nodes' daemons that does what is done once, if no other one is."""
        if not self._node:
            return True
        self.take()
        if not self._leads:
            with pw.__exception_wrapper__:
                self._leads = self._try_lock(_LEADER)
        return self._leads

    def release(self) -> None:
        """Let another daemon work on it."""
        self._leads = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _lasts(self) -> bool:
        """Whether the connection still does: a server that was restarted ended it."""
        if self._connection is None:
            return False
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            self.release()
            return False
        return True

    def _check_pooler(self) -> None:
        """Raises Iop4dError where a pooler gives one session of the server to several connections,
        a transaction each: the locks of a session would be anybody's."""
        mark, ask = secrets.token_hex(8), "SELECT current_setting('iop4d.claim', true)"
        self._connection.execute("SELECT set_config('iop4d.claim', %s, false)", (mark,))
        with self._db.atomic():  # which has a session for itself meanwhile
            (others,) = self._db.execute_sql(ask).fetchone()
            (own,) = self._connection.execute(ask).fetchone()
        if others == mark or own != mark:
            raise Iop4dError(f"{POOLED} ({self._url})")

    def _take_locks(self) -> None:
        """Raises Iop4dError with what holds them."""
        for _ in range(_LOOKS):
            if not (refused := self._refused()):
                return
            time.sleep(_PAUSE)
        raise Iop4dError(refused)

    def _refused(self) -> str:
        """Why the locks of a daemon cannot be had; empty: they are held now.

        A daemon that is alone has the schema's; those of nodes share that, and each has one more.
        """
        if not self._try_lock(_DAEMON, shared=bool(self._node)):
            if self._node:
                return (f"a daemon without [site] node works on this database, {self._url}: stop "
                        "it, or give it a node too")
            return (f"another daemon works on this database, {self._url}: stop it, give this site "
                    "a database or schema of its own, or give each a [site] node")
        if self._node and not self._try_lock(_NODE, of=self._node):
            return (f"another daemon of the node '{self._node}' works on this database, "
                    f"{self._url}: each needs a [site] node of its own")
        return ""

    def _try_lock(self, number: int, *, of: str = "", shared: bool = False) -> bool:
        """Take a lock of the schema, if it is free, for as long as the claim lasts."""
        taken = self._connection.execute(
            f"SELECT pg_try_advisory_lock{'_shared' * shared}"
            "(%s, hashtext(current_schema() || %s))", (number, f" {of}" if of else "")).fetchone()
        return bool(taken[0])
