"""Who may sign in on the page: names and salted hashes of passwords."""

from __future__ import annotations

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import User


def names(db: Connection) -> list[str]:
    """Everybody who may sign in, in order of the alphabet."""
    return [row.name for row in db.select(User).order_by(User.name)]


def password_of(db: Connection, name: str) -> str | None:
    """The hash of somebody's password; None for a name that has no account."""
    user = db.get(User, User.name == name)
    return None if user is None else str(user.password)


def save(tx: Transaction, name: str, password: str, *, now: float) -> None:
    """Make an account, or change its password; ``password`` is a hash."""
    if not tx.update(User, password=password).where(User.name == name).execute():
        tx.create(User, name=name, password=password, made_at=now)


def remove(tx: Transaction, name: str) -> bool:
    """Remove an account; False if there is none of that name."""
    return bool(tx.delete(User).where(User.name == name).execute())
