"""What is read from a server, and what is said where it does not answer as it should."""

from __future__ import annotations

import json

import httpx2
import numpy as np
import pytest

from iop4d.config import Site as SiteFile
from iop4d.library import Client, NotFoundError, SelectionError, ServerError, Site
from iop4d.library.reader import Page
from iop4d.web.app import create_app
from tests.library.client import client_of


def test_a_server_gives_the_same_table_as_the_site(site: Site, client: Client) -> None:
    mine, theirs = site.results.table(), client.results.table()
    assert mine.colnames == theirs.colnames
    for name in mine.colnames:
        one, other = np.ma.filled(mine[name], -1), np.ma.filled(theirs[name], -1)
        if one.dtype.kind == "f":
            assert np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True), name
        else:
            assert list(one) == list(other), name
    assert client.results.count() == 3


def test_cursors_are_followed_to_the_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = client.reader.page

    def small(*asked: object) -> Page:
        listing, fields, columns, _, place = asked
        return whole(listing, fields, columns, 2, place)  # type: ignore[arg-type]

    monkeypatch.setattr(client.reader, "page", small)
    assert [row["id"] for row in client.frames] == list(range(9, 0, -1))
    assert len(client.results.table()) == 3


def test_without_a_token_the_words_say_what_to_do(made_site: SiteFile) -> None:
    app = create_app(made_site)
    for token in (None, "iop4d_wrong"):
        outsider = Client("http://localhost", token, transport=httpx2.WSGITransport(app=app))
        with pytest.raises(ServerError, match="needs a token that is valid") as found:
            outsider.results.count()
        assert found.value.status == 401


def test_what_the_server_refuses_is_a_wrong_selection(client: Client) -> None:
    with pytest.raises(SelectionError, match="'soon' is not a time"):
        client.results(since="soon").table()
    with pytest.raises(NotFoundError):
        client.result(99)


@pytest.mark.parametrize(("answer", "said", "status"), [
    (httpx2.Response(403, json={"error": "Not for this account."}), "does not let this account",
     403),
    (httpx2.Response(302, headers={"Location": "https://there/"}), "sends to https://there/", 302),
    (httpx2.Response(500, text="oh"), "answers with the status 500", 500),
    (httpx2.Response(503, headers={"Retry-After": "2"}), "has too much to do now", 503),
    (httpx2.Response(200, text="<html>"), "answers with something else", 200),
    (httpx2.Response(200, json={"hello": 1}), "is that the address of 'iop4d web'", 200),
    (httpx2.ConnectError("Connection refused"), "cannot be reached: Connection refused", 0),
    (httpx2.ReadTimeout("timed out"), "cannot be reached: timed out", 0),
])
def test_every_way_to_fail_has_words(answer: httpx2.Response | Exception, said: str,
                                     status: int) -> None:
    def reply(_: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ServerError, match=said) as found:
        list(client_of(reply).frames)
    assert found.value.status == status
    assert "there" in str(found.value)


def test_a_server_that_has_much_to_do_is_asked_again() -> None:
    asked = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) < 3:
            return httpx2.Response(503, headers={"Retry-After": "1"})
        return httpx2.Response(200, content=json.dumps(
            {"rows": [], "count": 0, "next": None}))

    assert not client_of(reply).frames
    assert len(asked) == 3
    assert asked[0].url.params["sort"] == "-id"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ServerError, match="begins with http"):
        Client("there")


def test_an_image_that_a_server_does_not_give_comes_with_the_reason(
        client: Client, made_site: SiteFile) -> None:
    """It said that there was none."""
    frame = client.frames(name="light0.fits").first()
    path = made_site.root / "raw" / "light0.fits"
    path.rename(path.with_name("moved.fits"))
    try:
        with pytest.raises(NotFoundError, match=r"no raw image of the frame \d+: it is done "
                                                r"\(This file cannot be downloaded"):
            frame.image("raw")
    finally:
        path.with_name("moved.fits").rename(path)
