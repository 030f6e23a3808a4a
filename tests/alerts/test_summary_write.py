"""What a summary says: subject, text, HTML and mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.channels.email import write_mail
from iop4d.alerts.compose import MessageError, cid_of, notice_of
from iop4d.alerts.relay import read_pictures
from iop4d.alerts.summary import write
from iop4d.alerts.summary.facts import AlertLine, Failure, NightSummary, TroubleLine
from iop4d.model.bands import colour_of
from iop4d.model.messages import NightPlotRequest, PlotPanel, PlotSeries
from iop4d.reduction.plots import look, plot_night
from tests.alerts.bench import PNG
from tests.alerts.nights import NIGHT, at, jd
from tests.alerts.summary_facts import HOSTILE, LONG, PICTURE, facts, nothing, source
from tests.web.browser import CHROMIUM, Browser


def both(of: NightSummary) -> tuple[str, str]:
    """The text, and that of the HTML without its marks."""
    said = write.plain(of)
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", write.html(said), flags=re.DOTALL)
    return write.text(said), " ".join(bare.split())


def test_the_subject_has_the_counts_that_matter() -> None:
    assert write.subject(write.plain(facts())) == (
        f"Night {NIGHT}: 1 alert (BL Lac), archive in trouble, 50 frames, 1 source, 3 not used "
        "[Calar Bajo]")
    assert write.subject(write.plain(nothing())) == (
        f"Night {NIGHT}: nothing was observed [Calar Bajo]")


@pytest.mark.parametrize("words", [
    "12.871 ± 0.021", "12.800 to 12.950", "−0.32", "12.31 ± 0.25 %", "21.0 ± 0.6",
    "provisional", "low snr 2", "2 points without a magnitude; the catalogue has none",
    "none of 3 in the catalogue could be used", "no stars", LONG, "and 1 more",
    "mag < 13.0", "no route", "450 busy", "median 1.8 s", "95 % within 2.5 s", "longest 7.0 s",
    "4 ready, 1 refused", "numpy 2.4", "1 duplicate or superseded file", "BL Lac",
    "science", "CAFOS"])
def test_text_and_html_say_the_same(words: str) -> None:
    text, html = both(facts())
    assert words in text
    assert words in html.replace("&lt;", "<")


def test_a_limit_is_written_as_one() -> None:
    text, html = both(facts())
    assert "p < 2.40 %" in text
    assert "&lt; 2.40 %" in html


def test_an_empty_night_says_so() -> None:
    for said in both(nothing()):
        assert "Nothing was observed." in said
        assert "Alerts" not in said


def test_a_summary_that_could_not_be_made_says_why_and_where_to_look() -> None:
    of = nothing(trouble="RuntimeError: no such number", url="https://iop4d.example.org")
    text, html = both(of)
    assert "RuntimeError: no such number" in text
    assert "RuntimeError: no such number" in html
    assert f"/nights/{NIGHT}" in write.html(write.plain(of))


@pytest.mark.parametrize(("made", "said"), [
    ("2024-03-14T05:10", ""), ("2024-03-14T15:00", "This summary was made at 2024-03-14 15:00 UTC"),
    ("2024-03-14T01:00", "The night is not over")])
def test_a_summary_of_another_time_tells_it(made: str, said: str) -> None:
    text, html = both(nothing(made_at=at(made)))
    assert said in text
    assert said in html
    assert ("This summary was made" in text) == bool(said)


def test_links_lead_to_frames_sources_and_the_page() -> None:
    html = write.html(write.plain(facts()))
    for path in ("/frames/7", "/sources/2200%2B420", f"/summaries/{NIGHT}", "/alerts"):
        assert f'href="https://iop4d.example.org{path}"' in html


def test_without_an_address_there_is_no_link() -> None:
    assert "href=" not in write.html(write.plain(facts(url="")))


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = write.html(write.plain(facts()))
    assert re.findall(r'src="([^"]*)"', html) == [f"cid:{cid_of(PICTURE)}"]
    assert "@import" not in html
    assert "<script" not in html


def test_names_from_headers_stay_text() -> None:
    of = facts(site=HOSTILE, sources=(source(name=HOSTILE, also=HOSTILE),), failures=(
        Failure(telescope=HOSTILE, state="failed", reason=HOSTILE, count=1,
                frames=((1, HOSTILE),)),), archives=(
        TroubleLine(name=HOSTILE, state=HOSTILE, reason=HOSTILE),), versions={HOSTILE: HOSTILE})
    assert "<script" not in write.html(write.plain(of))


def test_of_very_many_reasons_the_mail_lists_fifteen() -> None:
    reasons = tuple(Failure(telescope="t", state="failed", reason=f"reason {n}.", count=2,
                            frames=((n, "a"),)) for n in range(40))
    text, html = both(facts(failures=reasons))
    for said in (text.lower(), html.lower()):
        assert "reason 14." in said
        assert "reason 15." not in said
        assert "and 50 frames for other reasons" in said


def mail(root: Path, **content: Any) -> Any:
    said = write.message_content(write.plain(facts())) | content
    notice = notice_of(said, message_id="<1@x>", at=0.0,
                     pictures=read_pictures(root, said["pictures"]))
    return write_mail(notice, sender="iop4d <i@x>", recipient="ana@x")


def test_the_picture_of_the_source_that_flared_comes_first() -> None:
    """A channel that shows one picture shows the first."""
    quiet = source(name="3C 345", also="", picture="quiet.png", bands=())
    changed = source(name="OJ 287", also="", picture="changed.png")
    flared = source(name="BL Lac", also="", picture="flared.png", bands=())
    said = write.message_content(write.plain(facts(sources=(quiet, changed, flared))))
    assert said["pictures"] == ["flared.png", "changed.png", "quiet.png"]
    gone = AlertLine(id=1, rule="r", source="BL Lac", band="R", condition="mag < 13.0",
                     utc="2024-03-13 22:01:02", state="withdrawn")
    said = write.message_content(write.plain(facts(
        sources=(quiet, changed, flared), alerts=(gone,))))
    assert said["pictures"][0] == "changed.png"


def test_sources_go_by_the_names_that_people_use() -> None:
    line = AlertLine(id=1, rule="r", source="2200+420", called="BL Lac", band="R",
                     condition="mag < 13.0", utc="2024-03-13 22:01:02", state="firing")
    said = write.plain(facts(alerts=(line,)))
    assert "BL Lac (2200+420)\n" in write.text(said)
    assert "2024-03-13 22:01:02  BL Lac R: mag < 13.0" in write.text(said)
    assert f"Night {NIGHT}: 1 alert (BL Lac)" in write.subject(said)
    del said["alerts"][0]["called"]  # as an older version kept it
    assert "2024-03-13 22:01:02  2200+420 R: mag < 13.0" in write.text(said)


def test_the_mail_carries_its_pictures_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / PICTURE).parent.mkdir(parents=True)
    (tmp_path / PICTURE).write_bytes(PNG)
    made = mail(tmp_path)
    text, rich = made.iter_parts()
    html, picture = rich.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in html.get_content()
    assert picture.get_content() == PNG
    assert made["Auto-Submitted"] == "auto-generated"


def test_a_picture_that_is_gone_does_not_keep_the_mail_back(tmp_path: Path) -> None:
    assert "image/png" not in [part.get_content_type() for part in mail(tmp_path).walk()]


def test_a_line_break_in_a_subject_writes_no_header(tmp_path: Path) -> None:
    made = mail(tmp_path, subject="a\r\nBcc: eve@x")
    assert made["Bcc"] is None
    assert made["Subject"] == "a Bcc: eve@x"


def test_contents_of_another_version_are_refused_with_a_reason() -> None:
    with pytest.raises(MessageError, match="cannot be written"):
        notice_of({"kind": "summary"}, message_id="<1@x>", at=0.0)


def request(before: str = "") -> NightPlotRequest:
    start = jd(f"{NIGHT}T22:00")
    points = tuple((start + n / 48, 12.9 + n / 50, 0.02, n != 2) for n in range(5))
    one = ((start, 15.0, float("nan"), True),)
    past = (PlotSeries(band="V", points=((start - 2, 14.6, 0.05, True),), before=True),)
    return NightPlotRequest(title="2200+420 (BL Lac)", night=NIGHT, before=before, panels=(
        PlotPanel(label="magnitude", downwards=True, literature=(("R", 13.5),), series=(
            PlotSeries(band="R", points=points), PlotSeries(band="V", points=one),
            *(past if before else ()))),
        PlotPanel(label="p (%)", series=(PlotSeries(band="R", points=one),))))


@pytest.mark.parametrize("before", ["", "2024-03-11"])
def test_the_plot_is_a_picture_of_936_pixels(before: str) -> None:
    png = plot_night(request(before))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") == 936


def test_instruments_of_a_band_differ_in_shade_and_shape() -> None:
    looks = [look("R", camera) for camera in range(5)]
    assert looks[0] == (colour_of("R"), "o")
    assert len({marker for _, marker in looks}) == 5
    assert len({colour for colour, _ in looks[:3]}) == 3
    points = ((jd(f"{NIGHT}T22:00"), 12.9, 0.02, True),)
    panel = PlotPanel(label="magnitude", downwards=True, series=(
        PlotSeries(band="R", points=points, camera="One"),
        PlotSeries(band="R", points=points, camera="Two")))
    assert plot_night(NightPlotRequest(
        title="BL Lac", night=NIGHT, before="", panels=(panel,))).startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [320, 375, 1200])
def test_nothing_is_wider_than_the_screen(width: int, tmp_path: Path, browser: Browser) -> None:
    plot, page = tmp_path / "plot.png", tmp_path / "mail.html"
    plot.write_bytes(plot_night(request("2024-03-11")))
    page.write_text(write.html(write.plain(facts()), lambda _: plot.as_uri()), encoding="utf-8")
    browser.look_like(width, 800)
    browser.open(page.as_uri())
    browser.wait("document.readyState === 'complete' && document.images[0].naturalWidth")
    assert browser.js("document.documentElement.scrollWidth") <= width
    inside = browser.js("document.images[0].getBoundingClientRect().width")
    assert inside >= min(width, 680) - 60, "the plot has the width of the card"
    assert browser.js("[...document.querySelectorAll('tr.quiet ~ tr td')].every("
                      "cell => getComputedStyle(cell).textAlign === 'right')")
