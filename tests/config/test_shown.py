"""The site file as it is shown: every key, and no secret, also mistyped."""

from __future__ import annotations

from pathlib import Path

from iop4d.config.load import parse_site
from iop4d.config.shown import shown_site

FILE = """
[site]
url = "https://iop4d.example.org/night"
[astrometry]
index = ["/data/index/gaia-dr3-of-the-whole-sky"]
[web]
port = 8080
[atel]
contact = "SECRETNAME <a@SECRET.org>"
[[archive]]
name = "osn"
kind = "ftp"
host = "ftp.example.org"
user = "SECRETUSER"
password_env = "SECRETVARIABLE"
night_folder = "ftp://u:SECRETPW@h/{night:%Y%m%d}"
[[channel]]
name = "hook"
kind = "webhook"
url = "https://hooks.example.org/T0/SECRETX"
secret_file = "/etc/SECRETFILE"
[[channel]]
name = "mail"
to = ["SECRET@example.org", "b@example.org"]
password_file = "SECRETPASSWORD"
tls = "starttls"
[[rule]]
name = "flare"
condition = "mag < 13"
"""


def shown() -> dict[str, dict[str, str]]:
    return {section.title: {key.name: key.value for key in section.keys}
            for section in shown_site(parse_site(FILE, root=Path("/site")))}


def test_no_secret_is_shown() -> None:
    assert "SECRET" not in str(shown())


def test_every_key_stands_there_with_its_value() -> None:
    found = shown()
    assert found["[site]"]["url"] == '"https://iop4d.example.org/night"'
    assert found["[web]"]["port"] == "8080"
    assert found["[astrometry]"]["index"] == "[/data/index/gaia-dr3-of-the-whole-sky]"
    assert found["[[archive]] osn"]["host"] == '"ftp.example.org"'
    assert found["[[archive]] osn"]["night_folder"] == "not shown"
    assert found["[[archive]] osn"]["path"] == "/site/raw/osn"
    assert found["[[channel]] mail"]["to"] == "2, not shown"
    assert found["[[channel]] mail"]["tls"] == '"starttls"'
    assert found["[[rule]] flare"]["condition"] == '"mag < 13"'


def test_what_differs_from_the_default_is_told() -> None:
    sections = {section.title: section for section in shown_site(
        parse_site(FILE, root=Path("/site")))}
    assert [key.name for key in sections["[web]"].keys if key.is_set] == ["port"]
    assert sections["[daemon]"].changed == 0


def test_a_token_in_the_wrong_place_is_not_shown() -> None:
    site = parse_site("""
[site]
name = "123456789:SECRETBOTSECRETBOT"
[web]
mailbox = "SECRETBOTSECRETBOTSECRETBOTSECRET"
""", root=Path("/site"))
    assert "SECRET" not in str(shown_site(site))
