"""The mail of an alert: two parts that say the same, a picture, and headers nobody can break."""

from __future__ import annotations

import copy
import html
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import rendering
from iop4d.alerts.channels.email import write_mail
from iop4d.alerts.compose import MessageError, notice_of, plot_of
from iop4d.model import units
from iop4d.store.schema import Outbox
from tests.alerts.bench import JD, PNG, Night, channel, rule, site_of
from tests.conftest import FakeClock
from tests.support.rows import first

HOSTILE = "BL <script>alert(1)</script>\r\nBcc: eve@example.org\u202e\x00\ud800 & \u2028sons"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The content of a message, as the engine writes it."""
    night = Night(site_of(tmp_path_factory.mktemp("site"), rule(), channel()), FakeClock())
    night.see_all([13.5, 12.9])
    night.see(2, 12.874, err=0.021, flags=256)
    content: dict[str, Any] = first(night.database, Outbox).content
    night.database.close()
    return content


def mail(content: dict[str, Any], picture: bytes | None = PNG) -> EmailMessage:
    notice = notice_of(content, message_id="<1@example.org>", at=1_700_000_000.0,
                     pictures={"light-curve.1@example.org": picture} if picture else {})
    made = write_mail(notice, sender="iop4d <iop4d@example.org>", recipient="ana@example.org")
    return message_from_bytes(made.as_bytes(), policy=policy.default)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_the_headers_are_those_of_a_mail_written_by_a_machine(said: dict[str, Any]) -> None:
    message = mail(said)
    assert re.sub("#[0-9a-f]{6}", "#1", message["Subject"]) == (
        "Firing: BL Lac R = 12.87 ± 0.02; mag < 13.0 [iop4d #1]")
    assert message["From"] == "iop4d <iop4d@example.org>"
    assert message["To"] == "ana@example.org"
    assert message["Message-ID"] == "<1@example.org>"
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert message["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_both_parts_tell_the_numbers_and_where_they_come_from(said: dict[str, Any],
                                                              kind: str) -> None:
    text = part(mail(said), kind)
    for expected in ("12.874 ± 0.021", "12.900 ± 0.020", "2025-11-21 00:02:00", "T090",
                     f"{JD + 1 / 1440:.5f}", "22.310 ± 0.012", "4 calibrators", "clouds",
                     "BLLac_2R.fit", "https://iop4d.example.org/sources/BL%20Lac", "bright"):
        assert expected in text
    for expected in ("mag < 13.0", "mag > 13.2"):
        assert (html.escape(expected) if kind == "html" else expected) in text


def test_the_picture_stands_in_the_html(said: dict[str, Any]) -> None:
    message = mail(said)
    (picture,) = (p for p in message.walk() if p.get_content_type() == "image/png")
    assert picture.get_payload(decode=True) == PNG
    assert picture.get_content_disposition() == "inline"
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in part(message, "html")


def test_without_a_picture_there_is_no_image(said: dict[str, Any]) -> None:
    message = mail(said, picture=None)
    assert "<img" not in part(message, "html")
    assert message.get_content_type() == "multipart/alternative"


def test_without_an_address_of_the_page_there_are_no_links(said: dict[str, Any]) -> None:
    content = copy.deepcopy(said) | {"links": {}}
    for point in content["points"]:
        point["frame_url"] = ""
    message = mail(content)
    assert "http" not in part(message, "plain")
    assert "<a " not in part(message, "html")


@pytest.mark.parametrize(("severity", "expected"), [("atel", True), ("high", False)])
def test_a_rule_that_has_an_atel_drafted_says_where_it_is(tmp_path: Path, severity: str,
                                                          expected: bool) -> None:
    site = site_of(tmp_path, rule() + f'severity = "{severity}"\n', channel())
    night = Night(site, FakeClock())
    night.see_all([12.5, 12.5])
    message = mail(first(night.database, Outbox).content)
    night.database.close()
    for kind in ("plain", "html"):
        assert ("https://iop4d.example.org/drafts" in part(message, kind)) is expected


def test_missing_numbers_are_dashes(said: dict[str, Any]) -> None:
    content = copy.deepcopy(said)
    for point in content["points"]:
        point |= {"mag_err": None, "zero_point": None, "zero_point_err": None,
                  "fwhm_arcsec": None, "airmass": None}
    text = part(mail(content), "plain")
    assert "R = 12.874 mag" in text
    assert "zero point – from" in text
    assert "FWHM" not in text


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_polarisation_below_three_sigma_is_told_as_its_limit(said: dict[str, Any],
                                                               kind: str) -> None:
    content = copy.deepcopy(said)
    content["points"][-1] |= {"p": 0.09, "p_err": 0.045, "p_limit": 0.17, "chi": 20.0}
    text = html.unescape(part(mail(content), kind))
    assert "p < 17.0 %" in text
    assert "9.0" not in text
    content["points"][-1]["p_limit"] = None
    assert "p = 9.0 ± 4.5 %" in html.unescape(part(mail(content), kind))


def test_hostile_names_are_delivered_escaped_and_write_no_header(tmp_path: Path) -> None:
    hostile_rule = rule().replace('"bright"', '"""<b>x</b>\\nBcc: eve@example.org"""')
    night = Night(site_of(tmp_path, hostile_rule, channel()), FakeClock())
    night.see(0, 12.5, telescope="T<i>090", frames=["<img src=x>\r\nX-Evil: 1.fit"])
    night.see(1, 12.5)
    content = first(night.database, Outbox).content
    night.database.close()
    message = mail(content)
    assert "Bcc" not in message
    assert "X-Evil" not in message
    rich = part(message, "html")
    for tag in ("<b>", "<i>", "<img src=x"):
        assert tag not in rich
    assert "&lt;b&gt;x&lt;/b&gt; Bcc: eve@example.org" in rich


def test_a_hostile_subject_stays_on_one_line(said: dict[str, Any]) -> None:
    message = mail(said | {"subject": HOSTILE * 100})
    assert len(message["Subject"]) <= 200
    assert message["Subject"].startswith(
        "BL <script>alert(1)</script> Bcc: eve@example.org & sons")
    assert "Bcc" not in message


def test_a_message_of_another_version_is_an_error_that_says_so(said: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="cannot be written"):
        mail({"subject": "hello"})
    with pytest.raises(MessageError):
        plot_of({"light_curve": [[1.0, 2.0, 3.0]]})


def test_the_plot_shows_the_point_and_the_threshold(said: dict[str, Any]) -> None:
    request = plot_of(said)
    assert request is not None
    assert [round(mag, 3) for _, mag, _ in request.points] == [13.5, 12.9, 12.874]
    assert request.highlight_jd == said["points"][-1]["jd"]
    assert request.threshold == 13.0
    assert plot_of(said | {"light_curve": []}) is None


@pytest.mark.parametrize(("value", "error", "text"), [
    (12.874, 0.021, "12.87 ± 0.02"), (12.8741, 0.0042, "12.874 ± 0.004"), (12.874, None, "12.87"),
    (None, None, "–"), (float("nan"), 0.1, "–"),
])
def test_a_headline_has_as_many_digits_as_its_error(value: float | None, error: float | None,
                                                    text: str) -> None:
    assert rendering.headline(value, error) == text


def test_times_are_written_in_utc() -> None:
    assert units.utc_of_jd(2440587.5) == "1970-01-01 00:00:00"
    assert units.utc_of_jd(2451545.0) == "2000-01-01 12:00:00"
    assert units.utc_of_jd(1e12) == "–"
