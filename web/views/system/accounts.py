"""Accounts and tokens: one's own, and for admins those of all."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.security import generate_password_hash
from werkzeug.wrappers import Response

from iop4d.model.errors import Iop4dError
from iop4d.model.states import Role
from iop4d.model.units import seconds_of
from iop4d.store import people
from iop4d.store.database import Connection
from iop4d.store.people import PeopleError
from iop4d.web.auth import api_token, check_own_password, renew_session, who
from iop4d.web.context import changing, reading, render
from iop4d.web.policy import Access, may

blueprint = Blueprint("accounts", __name__)

EXPIRIES = {"30d": "30 days", "90d": "90 days", "52w": "a year", "": "never"}


@blueprint.before_request
def refuse_programs() -> None:
    """A token reads and changes data; accounts and tokens are for who signed in with a password."""
    if api_token():
        abort(403, "A token cannot see or change accounts and tokens.")


# One's own.


@blueprint.get("/account")
@reading
def own(db: Connection) -> Any:
    """One's own account: role, password, tokens."""
    return _own(db)


def _own(db: Connection, **more: Any) -> str:
    return render(db, "account.html", role=people.role_of(db, who()),
                  tokens=people.tokens(db, who()), scope_of=people.scope_of, scopes=_scopes(db),
                  expiries=EXPIRIES, **{"form": {}, "wrong": "", "field": "", "sent": ""} | more)


def _scopes(db: Connection) -> list[str]:
    order = list(Role)
    mine = order.index(people.role_of(db, who()))
    return [word for word, role in people.SCOPES.items() if order.index(role) <= mine]


@blueprint.post("/account/password")
@reading
def password(db: Connection) -> Any:
    """Change one's own password, which ends every other session."""
    now, wanted = time.time(), request.form.get("new", "")
    try:
        check_own_password(request.form.get("current", ""))
        people.check_password(wanted)
        if wanted != request.form.get("again", ""):
            raise PeopleError("the two new passwords differ", "again")
    except PeopleError as error:
        field = "new" if error.field == "password" else error.field
        return _own(db, wrong=_sentence(error), field=field), 400
    hashed = generate_password_hash(wanted)
    with changing() as tx:
        people.set_password(tx, who(), hashed, by=who(), now=now)
    renew_session(who(), hashed)
    flash("Your password is changed; every other session has ended.", "good")
    return redirect(url_for("accounts.own"), code=303)


@blueprint.post("/account/tokens")
@reading
def add_token(db: Connection) -> Any:
    """Make a token of one's own; it is shown once."""
    form, now = request.form, time.time()
    try:
        ends_at = _ends_at(form.get("expires", ""), now)
        with changing() as tx:
            sent = people.add_token(tx, who(), form.get("token", ""), form.get("scope", ""),
                                    by=who(), now=now, ends_at=ends_at)
    except PeopleError as error:
        return _own(db, form=form, wrong=_sentence(error), field=error.field), 400
    return _own(db, sent=sent)


def _ends_at(expires: str, now: float) -> float | None:
    try:
        return now + seconds_of(expires, longest_s=people.LONGEST_TOKEN) if expires else None
    except Iop4dError as error:
        raise PeopleError(str(error), "expires") from error


@blueprint.post("/account/tokens/revoke")
def revoke_token() -> Response:
    """End a token: one's own, or for admins anybody's."""
    user = request.form.get("user", who())
    if user != who() and not may(Access.ADMINISTER):
        abort(403, "Only admins may revoke tokens of others.")
    _do(lambda tx, now: people.revoke_token(tx, user, request.form.get("token", ""), by=who(),
                                            now=now))
    flash("The token is revoked.", "good")
    return redirect(url_for("accounts.own" if user == who() and "admin" not in request.form
                            else "accounts.accounts"), code=303)


# Of all.


@blueprint.get("/system/accounts")
@reading
def accounts(db: Connection) -> str:
    """Every account with its role and its tokens."""
    return _accounts(db)


def _accounts(db: Connection, **more: Any) -> str:
    return render(db, "accounts.html", accounts=people.accounts(db, time.time()),
                  roles=[role.value for role in Role], scope_of=people.scope_of,
                  no_admin=people.NO_ADMIN,
                  **{"form": {}, "wrong": "", "field": "", "initial": None, "of": ""} | more)


@blueprint.post("/system/accounts")
@reading
def add(db: Connection) -> Any:
    """Make an account; a password that is not given is made, and shown once."""
    form = request.form
    name, given = form.get("name", "").strip(), form.get("password", "")
    initial = given or people.new_password()
    try:
        people.check_password(initial)
        role = _role(form.get("role", ""))
        hashed = generate_password_hash(initial)
        with changing() as tx:
            people.add(tx, name, hashed, role, by=who(), now=time.time())
    except PeopleError as error:
        return _accounts(db, form=form, wrong=_sentence(error), field=error.field), 400
    return _accounts(db, initial=(name, "" if given else initial))


@blueprint.post("/system/accounts/<any(role, password, remove):what>")
@reading
def change(db: Connection, what: str) -> Any:
    """Change the role or the password of an account, or remove it."""
    form, now = request.form, time.time()
    name, initial = form.get("name", ""), people.new_password()
    try:
        role = _role(form.get("role", "")) if what == "role" else Role.ADMIN
        hashed = generate_password_hash(initial) if what == "password" else ""
        with changing() as tx:
            locks_out = what == "remove" or (what == "role" and role is not Role.ADMIN)
            if locks_out and people.is_last_admin(tx, name) and "sure" not in form:
                raise PeopleError(f"nothing was changed: {name} is the only admin. "
                                  f"{people.NO_ADMIN} Tick the box if that is meant", "sure")
            if what == "role":
                people.set_role(tx, name, role, by=who(), now=now)
            elif what == "password":
                people.set_password(tx, name, hashed, by=who(), now=now)
            else:
                people.remove(tx, name, by=who(), now=now)
    except PeopleError as error:
        return _accounts(db, wrong=_sentence(error), field=error.field, of=name), 400
    if what == "password":
        if name == who():
            renew_session(name, hashed)
        return _accounts(db, initial=(name, initial))
    flash(f"The role of {name} is {role}." if what == "role" else
          f"{name} may no longer sign in.", "good")
    return redirect(url_for("accounts.accounts" if may(Access.ADMINISTER) and name != who()
                            else "accounts.own"), code=303)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise PeopleError(f"unknown role '{text}'; expected {', '.join(Role)}", "role") from None


def _do(what: Any) -> None:
    try:
        with changing() as tx:
            what(tx, time.time())
    except PeopleError as error:
        abort(404, _sentence(error))


def _sentence(error: PeopleError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
