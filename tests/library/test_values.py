"""Values of every kind that scripts have select alike; and what is had may be shown and kept."""

from __future__ import annotations

import copy
import pickle
import warnings
from datetime import datetime
from typing import Any

import httpx2
import numpy as np
import pytest
from astropy import units as u
from astropy.table import vstack
from astropy.time import Time

from iop4d.library import Client, NotFoundError, Observatory, SelectionError, ServerError, Site
from iop4d.library.html import html_of_row, html_of_rows
from iop4d.library.known import check, with_names
from iop4d.library.reader import Instrument, Known, Page
from iop4d.store.tables.results import RESULTS
from iop4d.store.tables.work import ALERTS
from tests.library.client import client_of


@pytest.fixture(params=["site", "client"])
def either(request: pytest.FixtureRequest) -> Observatory:
    found: Observatory = request.getfixturevalue(request.param)
    return found


def test_a_time_is_compared_in_the_scale_of_the_column(either: Observatory) -> None:
    """They were compared as JD(UTC): 69 s apart, or 2.4 million days."""
    first = either.results[0]
    second = 1.0 * u.s
    at = first.time_barycentric
    assert at is not None
    assert [r["id"] for r in either.results(bjd_tdb=(at - second, at + second))] == [1]
    assert [r["id"] for r in either.results(bjd_tdb=(at.utc - second, at.utc + second))] == [1]
    mid = first.time
    assert [r["id"] for r in either.results(mjd_mid=(mid - second, mid + second))] == [1]
    assert [r["id"] for r in either.results(jd_mid=(mid.tdb - second, mid.tdb + second))] == [1]
    with pytest.raises(SelectionError, match="mag: is in mag, found a time"):
        either.results(mag=(mid, None))


def test_arrays_columns_and_selections_are_lists_of_values(either: Observatory) -> None:
    results = either.results
    several: list[Any] = [np.array(["Target", "BL Lac"]), results.table()["source"],
                          either.sources(name="Target"), (name for name in ("Target",)),
                          {"Target": 1}.keys(), np.array([b"Target"]), b"Target"]
    assert [len(results(source=values)) for values in several] == [3] * len(several)
    assert len(results(id=np.array([1, 2]))) == 2
    with pytest.raises(SelectionError, match="expected at least one value"):
        results(source=np.array([], dtype=str))


def test_times_of_numpy_and_pandas_are_times(either: Observatory) -> None:
    for unit in ("s", "ns"):
        assert len(either.results(since=np.datetime64("2024-01-15T22:00:30", unit))) == 2
    with pytest.raises(SelectionError, match="since: expected one time, found 2"):
        either.results(since=Time(["2024-01-15", "2024-01-16"]))
    with pytest.raises(SelectionError, match="since: expected a value, found NaT"):
        either.results(since=np.datetime64("NaT"))


def test_a_night_is_the_date_of_its_evening(either: Observatory) -> None:
    assert either.night(datetime(2024, 1, 15)) == either.night("2024-01-15")  # noqa: DTZ001
    assert len(either.results(night=datetime(2024, 1, 15))) == 3  # noqa: DTZ001
    wrong: list[Any] = ["15/1/2024", "2024-1-15", datetime(2024, 1, 15, 22)]  # noqa: DTZ001
    for evening in wrong:
        with pytest.raises(SelectionError, match="expected the date of its evening"):
            either.night(evening)
        with pytest.raises(SelectionError, match=r"night: .* is no night"):
            either.frames(night=evening)
    with pytest.raises(SelectionError, match="a time selects by since and until"):
        either.results(night=Time("2024-01-15T22:00"))


def test_what_no_database_holds_is_not_found(either: Observatory) -> None:
    with pytest.raises(NotFoundError, match="there is no frame 1000"):
        either.frame(10**30)


def test_a_client_refuses_a_band_that_there_is_not_as_a_site_does(either: Observatory) -> None:
    with pytest.raises(SelectionError, match="band: 'Q' is unknown; there are R"):
        either.results(band="Q")


@pytest.mark.parametrize(("table", "keywords", "kind", "said"), [
    ("results", {"instrument": "Smal"}, SelectionError,
     "instrument: 'Smal' is unknown; there are .*Small"),
    ("frames", {"instrument": ["Small", "Smal"]}, SelectionError, "'Smal' is unknown"),
    ("masters", {"telescope": "Tset"}, SelectionError,
     "telescope: 'Tset' is unknown; there are .*Test"),
    ("alerts", {"source": "BL Lak"}, NotFoundError, "no source is named 'BL Lak'; did you mean"),
    ("sources", {"name": "BL Lak"}, NotFoundError, "no source is named 'BL Lak'; did you mean"),
])
def test_what_neither_the_site_nor_a_row_has_is_refused_in_every_table(
        either: Observatory, table: str, keywords: dict[str, Any], kind: type[Exception],
        said: str) -> None:
    """A client gave no rows, as did sources, alerts and telescopes of a site."""
    with pytest.raises(kind, match=said):
        getattr(either, table)(**keywords)


def test_instruments_telescopes_and_names_that_there_are_select(either: Observatory) -> None:
    assert len(either.results(instrument="Small", telescope="Test")) == 3
    assert len(either.results(instrument="DIPOL")) == 0  # known, though nothing is here of it
    assert [one["name"] for one in either.sources(name="bllac")] == ["Target"]
    assert len(either.alerts(source="bl lac")) == 0


@pytest.mark.parametrize(("keywords", "kind", "said"), [
    ({"flags_lacks": "trailled"}, SelectionError,
     "flags_lacks: 'trailled' is no flag of the program, and no row has it"),
    ({"flags_has": ["trailed", "satturated"]}, SelectionError, "; did you mean saturated"),
    ({"since": float("nan")}, SelectionError, "since: 'nan' is not a time"),
    ({"jd_mid": ("soon", None)}, SelectionError, "jd_mid: 'soon' is not a time"),
    ({"mag": (float("nan"), 14.0)}, SelectionError, "mag: 'nan' is no number"),
    ({"mag": (np.ma.masked, 14.0)}, SelectionError, "mag: expected a value, found a masked one"),
    ({"id": 1.5}, SelectionError, "id: '1.5' is no whole number"),
    ({"id": range(300)}, SelectionError, "id: expected 200 values at most"),
    ({"good": "maybe"}, SelectionError, "good: expected yes or no"),
    ({"p_is": "maybe"}, SelectionError, "p_is: expected some or none"),
    ({"limit": 3}, TypeError, r"'limit' selects no rows: the first three are \[:3\]"),
    ({"order_by": "mag"}, TypeError, r"sort a table: \.table\(\)\.sort"),
])
def test_what_makes_no_sense_is_refused_when_it_is_given(
        either: Observatory, keywords: dict[str, Any], kind: type[Exception], said: str) -> None:
    """A flag that is none gave no rows, or all; the others were refused late, or misleadingly."""
    with pytest.raises(kind, match=said):
        either.results(**keywords)


def test_more_ways_to_ask_that_make_sense(either: Observatory) -> None:
    results = either.results
    assert [one["id"] for one in results(id=range(1, 3))] == [1, 2]
    assert len(results(id={"a": 1, "b": 3}.values())) == 2
    assert len(results(mag_is=True)) == len(results(p_is=False)) == 3
    assert [one["id"] for one in results(flags_has="trailed")] == [2]  # set by a person
    assert len(results(flags_lacks="clouds")) == 3
    assert results.table(["mag", "mag_err"], "id").colnames == ["mag", "mag_err", "id"]
    assert len(results.timeseries(["mag"])) == 3
    assert results[np.int64(1)]["id"] == 2
    with pytest.raises(TypeError, match=r"selected by keywords, such as .*='BL Lac'"):
        results("BL Lac")
    with pytest.raises(TypeError, match="as an integer"):
        results[1.5]  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="did you mean night_from"):
        either.nights(since="2024-01-01")


def test_what_belongs_to_a_result_is_the_same_from_a_server(site: Site, client: Client) -> None:
    assert set(site.result(1).details) == set(client.result(1).details)
    assert site.result(1).details["calibrators"] == client.result(1).details["calibrators"]


class _Rows:
    """A reader of a large table, in which a search finds its row in the third part alone."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def page(self, listing: Any, fields: Any, columns: Any, size: int, place: Any) -> Page:
        part = 0 if place is None else place
        found = [{"id": 1}] if part == 2 and self.rows else []
        return Page(rows=found, after=None if part == 2 else part + 1)

    def instruments(self) -> list[Instrument]:
        return [Instrument(name="Small", telescope="Test")]

    def sources(self) -> list[Known]:
        return []


@pytest.mark.parametrize("word", ["instrument", "telescope", "band"])
def test_an_instrument_of_old_rows_alone_is_known(word: str) -> None:
    """A search ends after some thousand rows: what only older ones had was refused."""
    there: Any = _Rows(1)
    check(there, RESULTS, ((word, "Old"),))
    there.rows = 0
    with pytest.raises(SelectionError, match=f"{word}: 'Old' is unknown; there are"):
        check(there, RESULTS, ((word, "Old"),))


def test_the_subject_of_an_alert_need_not_be_a_source() -> None:
    there: Any = _Rows(1)

    def unknown(name: str) -> str:
        raise NotFoundError(f"no source is named '{name}'")

    assert with_names(there, ALERTS, (("source", "OSN-T090"), ("state", "firing")), unknown) == (
        ("source", "OSN-T090"), ("state", "firing"))
    there.rows = 0
    with pytest.raises(NotFoundError):
        with_names(there, ALERTS, (("source", "OSN-T090"),), unknown)


def test_a_server_that_does_not_tell_its_instruments_is_asked_all_the_same() -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(404, json={"error": "Not Found"}) \
            if request.url.path.endswith("/instruments") else \
            httpx2.Response(200, json={"rows": [], "next": None})

    client = client_of(reply)
    assert not client.frames(instrument="Small")
    assert client.reader.instruments() == []


def test_tables_are_stacked_without_a_warning(either: Observatory) -> None:
    parts = [either.results(good=True).table(), either.results(good=False).table(),
             either.results(since="2030-01-01").table()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = vstack(parts)
    assert len(whole) == 3
    assert len(whole.meta["about"]) == len(whole.meta["made"]) == 3
    assert str(whole["mag"].unit) == "mag"


def test_a_slice_reads_no_more_than_it_needs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, asked = site.reader.page, []

    def small(listing: Any, fields: Any, columns: Any, _: int, place: Any) -> Any:
        asked.append(place)
        return whole(listing, fields, columns, 2, place)

    monkeypatch.setattr(site.reader, "page", small)
    assert [one["id"] for one in site.frames[1:4:2]] == [8, 6]
    assert len(asked) == 2
    assert [one["id"] for one in site.frames[-2:]] == [2, 1]


def test_a_site_its_selections_and_rows_are_pickled_but_no_token(
        site: Site, client: Client) -> None:
    for thing in (site, site.results(good=True), site.results[0]):
        there = pickle.loads(pickle.dumps(thing))
        assert repr(there) == repr(thing)
    assert len(pickle.loads(pickle.dumps(site.results(good=True)))) == 2
    assert pickle.loads(pickle.dumps(site.results[0])).mag == site.results[0].mag
    for thing in (client, client.results, client.results[0]):
        with pytest.raises(TypeError, match="a Client has a token"):
            pickle.dumps(thing)
        if thing is not client.results:
            assert repr(copy.deepcopy(client.results[0])) == repr(client.results[0])


def test_notebooks_show_selections_and_rows(either: Observatory) -> None:
    shown = either.frames(kind="science")._repr_html_()
    assert "kind=science&gt;: 3</p>" in shown
    assert "light0.fits" in shown
    assert shown.count("<tr>") == 1 + 3
    assert ": 0</p>" in either.results(since="2030-01-01")._repr_html_()
    row = either.result(1)
    assert "<td>mag</td>" in row._repr_html_()
    assert "mag" in row._ipython_key_completions_()


def test_what_is_shown_in_a_notebook_is_escaped() -> None:
    columns = [RESULTS.by_name[name] for name in ("id", "source", "mag", "frames")]
    row = {"id": 1, "source": '<script>"&', "mag": None, "frames": ["<b>" * 60]}
    for shown in (html_of_rows("<x>", 11, [row], columns), html_of_row("<x>", row, columns)):
        assert "<script" not in shown
        assert "<b>" not in shown
        assert "<x>" not in shown
        assert "&lt;script&gt;&quot;&amp;" in shown
    assert ": 11, the first 1 of them" in html_of_rows("", 11, [row], columns)


def test_yes_and_no_of_an_empty_frame_of_pandas_select_rows(site: Site) -> None:
    pytest.importorskip("pandas")
    empty = site.results(since="2030-01-01").pandas("mag", "good")
    assert list(empty[empty["good"]].columns) == ["mag", "good"]
    assert str(site.results.pandas("good")["good"].dtype) == "bool"


def test_a_busy_server_may_name_a_date_and_a_closed_client_says_so() -> None:
    asked: list[httpx2.Request] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(503, headers={"Retry-After": "Sun, 29 Nov 2026 07:00:00 GMT"}) \
            if len(asked) < 2 else httpx2.Response(200, json={"rows": [], "next": None})

    client = client_of(reply)
    assert not client.frames
    assert len(asked) == 2
    client.close()
    with pytest.raises(ServerError, match="was closed: make another Client"):
        client.frames.first()
