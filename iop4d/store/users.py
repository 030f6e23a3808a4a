"""Who may sign in on the page: names and salted hashes of passwords, and where they signed in."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.model.states import Role
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import ApiToken, User, WebSession

_SESSIONS = 50  # of one account, the newest


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person with an account, and what they may do by the way they came.

    ``triggers``: whether a token lets them post triggers, too.
    """

    name: str
    role: Role
    triggers: bool = False


def password_of(db: Connection, name: str) -> str | None:
    """The hash of somebody's password; None for a name that has no account."""
    user = db.get(User, User.name == name)
    return None if user is None else str(user.password)


def roles(db: Connection) -> dict[str, Role]:
    """The role of everybody who may sign in, by name in order of the alphabet."""
    return {row.name: Role(row.role) for row in db.select(User).order_by(User.name)}


def save(tx: Transaction, name: str, password: str, *, now: float,
         role: Role | None = None) -> None:
    """Make an account, or change its password, which ends its sessions; ``password`` is a hash.

    ``role``: None leaves that of an account as it is; a new one becomes an editor.
    """
    values = {"password": password} | ({} if role is None else {"role": role})
    if not tx.update(User, **values).where(User.name == name).execute():
        tx.create(User, name=name, made_at=now, **values)
    _end_all(tx, name)


def set_role(tx: Transaction, name: str, role: Role) -> bool:
    """Let an account do what a role may; False if there is none of that name."""
    return bool(tx.update(User, role=role).where(User.name == name).execute())


def remove(tx: Transaction, name: str) -> bool:
    """Remove an account and end its sessions; False if there is none of that name."""
    _end_all(tx, name)
    return bool(tx.delete(User).where(User.name == name).execute())


def open_session(tx: Transaction, name: str, password: str, *, token: str, address: str,
                 ends_at: float, now: float) -> bool:
    """Open a session of an account; False if its hash is no longer ``password``.

    It forgets what is over, and all but the newest sessions of the account.
    """
    user = tx.get(User, (User.name == name) & (User.password == password))
    if user is None:
        return False
    tx.create(WebSession, user=user.id, token=token, address=address, ends_at=ends_at)
    tx.delete(WebSession).where(WebSession.ends_at <= now).execute()
    kept = tx.select(WebSession, WebSession.id).where(WebSession.user == user.id).order_by(
        WebSession.id.desc()).limit(_SESSIONS)
    tx.delete(WebSession).where(
        (WebSession.user == user.id) & WebSession.id.not_in([row.id for row in kept])).execute()
    return True


def person_of_session(db: Connection, token: str, now: float) -> Person | None:
    """Whose session it is; None if it has ended, or never was."""
    row = db.select(User, User.name, User.role).join(WebSession).where(
        (WebSession.token == token) & (WebSession.ends_at > now)).first() if token else None
    return None if row is None else Person(name=row.name, role=Role(row.role))


def person_of_token(db: Connection, token: str, now: float) -> Person | None:
    """For whom a program acts, with the lower one of the token's role and the account's.

    None if the token has ended, or never was.
    """
    row = db.select(ApiToken, ApiToken, User).join(User).where(
        (ApiToken.token == token)
        & (ApiToken.ends_at.is_null() | (ApiToken.ends_at > now))).first() if token else None
    if row is None:
        return None
    order = list(Role)
    role = min(Role(row.role), Role(row.user.role), key=order.index)
    may_trigger = row.triggers and order.index(row.user.role) >= order.index(Role.OBSERVER)
    return Person(name=row.user.name, role=role, triggers=may_trigger)


def end_session(tx: Transaction, token: str) -> None:
    """End a session, for every copy of its cookie."""
    tx.update(WebSession, token="").where(WebSession.token == token).execute()


def is_address_of(db: Connection, name: str, address: str, now: float) -> bool:
    """Whether somebody signed in from an address not long ago."""
    return bool(db.select(WebSession).join(User).where(
        (User.name == name) & (WebSession.address == address)
        & (WebSession.ends_at > now)).exists())


def _end_all(tx: Transaction, name: str) -> None:
    users = tx.select(User, User.id).where(User.name == name)
    tx.delete(WebSession).where(WebSession.user.in_([row.id for row in users])).execute()
