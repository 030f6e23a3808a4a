"""Accounts and tokens as people change them, by command or on the page: each change an audit row.

Passwords are kept as salted hashes and tokens as digests; neither stands in the audit.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from peewee import fn

from iop4d.model.errors import Iop4dError
from iop4d.model.states import Role
from iop4d.store import audit, users
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import ApiToken, User, WebSession

SHORTEST, LONGEST = 8, 1000  # characters of a password
LONGEST_NAME = 60
LONGEST_TOKEN = 10 * 366 * 86400.0  # seconds that a token may last, where its time has an end
#: What a token may do, by the word that people use, and the role that its account needs.
SCOPES = {"read": Role.VIEWER, "trigger": Role.OBSERVER, "flag": Role.OBSERVER,
          "edit": Role.EDITOR}
_TRIGGER = "trigger"  # reads, and posts triggers, and nothing else of what an observer may
_PREFIX = "iop4d_"  # by which people and scanners know what it is
_ORDER = list(Role)
_USE_STEP = 600.0  # seconds to which the last use of a token is known


class PeopleError(Iop4dError):
    """A change of an account or a token that is not possible; the message says why.

    ``field``: of a form, at which it is wrong.
    """

    def __init__(self, why: str, field: str = "name") -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account with its tokens; ``sessions``: browsers in which it is signed in."""

    name: str
    role: Role
    made_at: float
    sessions: int = 0
    tokens: tuple[ApiToken, ...] = field(default_factory=tuple)


def accounts(db: Connection, now: float) -> list[Account]:
    """Every account, in order of the alphabet."""
    sessions = dict(db.select(WebSession, WebSession.user, fn.COUNT(WebSession.id)).where(
        (WebSession.ends_at > now) & (WebSession.token != "")).group_by(WebSession.user).tuples())
    tokens: dict[int, list[ApiToken]] = {}
    for token in db.select(ApiToken).order_by(ApiToken.made_at, ApiToken.id):
        tokens.setdefault(token.user_id, []).append(token)
    return [Account(name=row.name, role=Role(row.role), made_at=row.made_at,
                    sessions=sessions.get(row.id, 0), tokens=tuple(tokens.get(row.id, ())))
            for row in db.select(User).order_by(User.name)]


def role_of(db: Connection, name: str) -> Role:
    """The role of an account; raises PeopleError without one."""
    return Role(_user(db, name).role)


def is_last_admin(db: Connection, name: str) -> bool:
    """Whether an account is the only admin."""
    admins = [row.name for row in db.select(User, User.name).where(User.role == Role.ADMIN)]
    return admins == [name]


#: The warning about a change that leaves the site without an admin.
NO_ADMIN = ("No admin is left then: accounts can be changed only by the command 'iop4d users' on "
            "the machine.")


def check_password(password: str) -> None:
    """Refuse a password that is too short or too long."""
    if len(password) < SHORTEST:
        raise PeopleError(f"the password is too short; expected {SHORTEST} characters or more",
                          "password")
    if len(password) > LONGEST:
        raise PeopleError(f"the password is too long; expected {LONGEST} characters or less",
                          "password")


def new_password() -> str:
    """An initial password for a new account."""
    return secrets.token_urlsafe(12)


def add(tx: Transaction, name: str, password: str, role: Role, *, by: str, now: float) -> None:
    """Make an account; ``password`` is a hash. Raises PeopleError if there is one."""
    name = _checked(name)
    if users.password_of(tx, name) is not None:
        raise PeopleError(f"there is an account '{name}' already")
    users.save(tx, name, password, now=now, role=role)
    audit.record(tx, at=now, by=by, act="add-account", subject=f"account {name}",
                 now={"role": role.value})


def set_password(tx: Transaction, name: str, password: str, *, by: str, now: float) -> None:
    """Change the password of an account, which ends its sessions; ``password`` is a hash."""
    _user(tx, name)
    users.save(tx, name, password, now=now)
    audit.record(tx, at=now, by=by, act="password", subject=f"account {name}")


def set_role(tx: Transaction, name: str, role: Role, *, by: str, now: float) -> None:
    """Let an account do what a role may; nothing where it may already."""
    was = role_of(tx, name)
    if was is role:
        return
    users.set_role(tx, name, role)
    audit.record(tx, at=now, by=by, act="role", subject=f"account {name}",
                 was={"role": was.value}, now={"role": role.value})


def remove(tx: Transaction, name: str, *, by: str, now: float) -> None:
    """Remove an account with its sessions and tokens; raises PeopleError without one."""
    role = role_of(tx, name)
    users.remove(tx, name)
    audit.record(tx, at=now, by=by, act="remove-account", subject=f"account {name}",
                 was={"role": role.value})


# Tokens.


def add_token(tx: Transaction, user: str, name: str, scope: str, *, by: str, now: float,
              ends_at: float | None) -> str:
    """Make a token of an account; what the program sends, which is kept nowhere.

    Raises PeopleError for a name that the account has, and for a scope beyond its role.
    """
    owner, name = _user(tx, user), _checked(name, "token")
    role = SCOPES.get(scope)
    if role is None:
        raise PeopleError(f"unknown scope '{scope}'; expected {', '.join(SCOPES)}", "scope")
    if _ORDER.index(role) > _ORDER.index(Role(owner.role)):
        raise PeopleError(f"a token of scope '{scope}' may do more than {user}, whose role is "
                          f"{owner.role}", "scope")
    if ends_at is not None and ends_at <= now:
        raise PeopleError("the token would have expired already", "expires")
    if tx.get(ApiToken, (ApiToken.user == owner.id) & (ApiToken.name == name)) is not None:
        raise PeopleError(f"{user} has a token '{name}' already", "token")
    sent = _PREFIX + secrets.token_urlsafe(32)
    tx.create(ApiToken, user=owner.id, name=name, token=digest(sent), made_at=now, ends_at=ends_at,
              role=Role.VIEWER if scope == _TRIGGER else role, triggers=scope == _TRIGGER)
    audit.record(tx, at=now, by=by, act="add-token", subject=f"token {user}: {name}",
                 now={"scope": scope, "ends_at": ends_at})
    return sent


def revoke_token(tx: Transaction, user: str, name: str, *, by: str, now: float) -> None:
    """End a token at once; raises PeopleError if the account has none of that name."""
    owner = _user(tx, user)
    row = tx.get(ApiToken, (ApiToken.user == owner.id) & (ApiToken.name == name))
    if row is None:
        there = ", ".join(one.name for one in tokens(tx, user)) or "none"
        raise PeopleError(f"{user} has no token '{name}'; there is: {there}", "token")
    tx.delete(ApiToken).where(ApiToken.id == row.id).execute()
    audit.record(tx, at=now, by=by, act="revoke-token", subject=f"token {user}: {name}",
                 was={"scope": scope_of(row), "ends_at": row.ends_at})


def tokens(db: Connection, user: str) -> list[ApiToken]:
    """The tokens of an account, in the order of their making."""
    return list(db.select(ApiToken).join(User).where(User.name == user).order_by(
        ApiToken.made_at, ApiToken.id))


def use_is_old(db: Connection, token: str, now: float) -> bool:
    """Whether the last use of a token, of this digest, is to be written down again."""
    used: float | None = db.select(ApiToken, ApiToken.used_at).where(
        ApiToken.token == token).scalar()
    return used is None or now - used >= _USE_STEP


def note_use(tx: Transaction, token: str, now: float) -> None:
    """Write down that a token, of this digest, was used."""
    tx.update(ApiToken, used_at=now).where(ApiToken.token == token).execute()


def scope_of(token: ApiToken) -> str:
    """What a token may do, in a word."""
    return _TRIGGER if token.triggers else next(
        word for word, role in SCOPES.items() if word != _TRIGGER and role == Role(token.role))


def digest(sent: str) -> str:
    """What the database keeps of a token: who reads the one cannot make the other."""
    return hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()


def _user(db: Connection, name: str) -> User:
    found = db.get(User, User.name == name)
    if found is None:
        raise PeopleError(f"there is no account '{name}'")
    return found


def _checked(name: str, field: str = "name") -> str:
    """A name without blanks at its ends; refuses what cannot be read."""
    name = name.strip()
    if not name:
        raise PeopleError("expected a name", field)
    if len(name) > LONGEST_NAME:
        raise PeopleError(f"the name is too long; expected {LONGEST_NAME} characters or less",
                          field)
    if not name.isprintable():
        raise PeopleError("the name has characters that cannot be printed", field)
    return name
