"""A site file is read whole or refused with its line."""

from __future__ import annotations

from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest

from iop4d.config import load_site, renamed
from iop4d.config.load import parse_site
from iop4d.config.secret import exposed_secrets, secrets_of
from iop4d.config.site import ARRAYS, TABLES, keys_of
from iop4d.model.errors import ConfigError

ROOT = Path("/site")


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_site(text, root=ROOT, overrides=overrides)
    return str(error.value)


def test_the_template_says_the_defaults() -> None:
    text = (resources.files("iop4d.config") / "template.toml").read_text(encoding="utf-8")
    written, empty = parse_site(text, root=ROOT), parse_site("", root=ROOT)
    assert written.archive[0].path == ROOT / "raw"
    assert (written.photometry, written.masters, written.daemon, written.web) == (
        empty.photometry, empty.masters, empty.daemon, empty.web)


DASK = "[workers]\nengine = 'dask'\n"
FTP = "[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\n"


@pytest.mark.parametrize(("text", "words"), [
    ("[daemon]\nworkers = 1\nsetle = 2", ["line 3", "daemon.setle", "no such key", "settle"]),
    ("[demon]\n", ["line 1", "demon", "no such section"]),
    ("[web]\n[[want]]\nband = 'R'\n", ["line 2", "[want]", "mag_err, p_err or both"]),
    ("[[want]]\nmag_err = 0.0\n", ["line 2", "want.mag_err", "a number above 0"]),
    ('[daemon]\nworkers = "two"', ["line 2", "daemon.workers", "'two'", "a whole number"]),
    (f"{DASK}", ["workers.engine", "scheduler and cluster"]),
    (f"{DASK}scheduler = 'here'", ["line 3", "tls://server.example.org:8786"]),
    (f"{DASK}scheduler = 'tcp://127.0.0.1:1'\ncluster = 'local'", ["scheduler and cluster"]),
    (f"{DASK}scheduler = 'tcp://10.0.0.1:8786'", ["line 3", "TLS", "allow_plain"]),
    (f"{DASK}scheduler = 'tls://10.0.0.1:8786'", ["line 3", "ca_file, cert_file and key_file"]),
    (f"{DASK}cluster = 'local'\nca_file = 'a'", ["line 4", "together"]),
    (f"{DASK}cluster = 'ssh'", ["workers.hosts", "machines of the cluster ssh"]),
    (f"{DASK}cluster = 'ssh'\nhosts = ['a']", ["line 4", "at least two"]),
    (f"{DASK}cluster = 'ssh'\nhosts = ['a', 'b']", ["line 3", "TLS"]),
    (f"{DASK}cluster = 'local'\nadaptive = [3, 1]", ["line 4", "the lowest and the highest"]),
    (f"{DASK}scheduler = 'tcp://localhost:99999'", ["line 3", "an address such as"]),
    (f"{DASK}scheduler = 'tcp://localhost:1'\nadaptive = [0, 1]", ["line 4", "local and slurm"]),
    ("[daemon]\nworkers = true", ["line 2", "a whole number"]),
    ("[daemon]\nworkers = -1", ["line 2", "0 to 256"]),
    ("[daemon]\nworkers = 999", ["line 2", "0 to 256"]),
    ("[astrometry]\nindex = ['$HOME/index']", ["line 2", "without variables", "~"]),
    ("[photometry]\nwrite_previews = 1", ["line 2", "true or false"]),
    ("[astrometry]\nindex = '/data'", ["line 2", "a list"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\npath = 'y'", ["line 4", "name", "missing"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'", ["line 1", "host", "missing"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\nnight_folder = '/all'",
     ["line 5", "date"]),
    ("[[archive]]\nname = 'a'\nkind = 'ftp'\nhost = 'h'\nencoding = 'x'", ["line 5", "latin-1"]),
    (f"{FTP}encoding = 'utf-16'", ["line 5", "latin-1"]),
    (f"{FTP}encoding = 'rot13'", ["line 5", "latin-1"]),
    (f"{FTP}night_folder = '/{{night}}'", ["line 5", "date"]),
    (f"{FTP}night_folder = '/{{night:%m%d}}'", ["line 5", "date"]),
    (f"{FTP}port = 99999", ["line 5", "0 to 65535"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\nfile_pattern = '*.fit'",
     ["line 4", "regular expression"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'b'\npath = 'x'",
     ["line 6", "folder of the archive 'a'"]),
    ("[[archive]]\nname = 'a'\nobserving_hours = '25:00-03:00'", ["line 3", "18:30-05:30"]),
    ("[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'a'\npath = 'y'",
     ["line 5", "no other"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag < 13'\nchannels = ['mail']", ["line 4", "mail"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag of 13'", ["line 3", "mag < 13.0"]),
    ("[[rule]]\nname = 'r'\ncondition = 'mag < 13'\nclear = '13'", ["line 4", "mag > 13.2"]),
    ("[archive]\nname = 'a'", ["line 1", "double brackets"]),
    ("[[site]]\nname = 'a'", ["line 1", "a table"]),
    ("[web]\nthreads = 10\nmax_streams = 9", ["line 3", "half"]),
    ("[photometry]\nannulus_outer = 1.0", ["line 2", "annulus_inner"]),
    ("[site\n", ["not valid TOML"]),
    ("[site]\n<<<<<<< HEAD\nname = \"a\"\n=======\nname = \"b\"\n>>>>>>> other\n",
     ["line 2", "a mark of a merge that is not resolved"]),
])
def test_a_wrong_key_or_value_is_told_with_its_line(text: str, words: list[str]) -> None:
    message = refusal(text)
    for word in words:
        assert word in message


@pytest.mark.parametrize("form", ["file", "env", "credential"])
def test_a_password_is_not_sent_in_clear_text_however_it_is_given(form: str) -> None:
    channel = f"[[channel]]\nname = 'm'\nto = ['a@b.c']\npassword_{form} = 'SMTP'\n"
    for without in (channel, channel + "tls = 'none'"):
        assert "in clear text" in refusal(without)
    assert parse_site(channel + "tls = 'tls'", root=ROOT).channel


def test_a_password_itself_is_no_key() -> None:
    assert "no such key" in refusal("[[channel]]\nname = 'm'\nto = ['a@b.c']\npassword = 'x'")


KINDS = {(section, kind): cls for section, kinds in ARRAYS.items() for kind, cls in kinds.items()}
NEEDED = {
    "ftp": "host = 'h'", "sftp": "host = 'h'", "email": "to = ['a@b.c']\ntls = 'tls'",
    "telegram": "to = ['1']\ntoken_env = 'T'", "webhook": "url = 'https://a.b'",
    "apprise": "to = ['x']\nsecret_env = 'S'",
}
VALUES = {"bool": "true", "int": "1", "float": "1.0", "str": "'x'", "Path": "'x'",
          "Path | None": "'x'", "tuple[str, ...]": "['x']", "dict[str, str]": "{ a = 'x' }"}


@pytest.mark.parametrize("section", ["archive", "channel"])
def test_a_key_of_another_kind_is_refused_with_the_kinds_that_have_it(section: str) -> None:
    kinds = ARRAYS[section]
    types = {f.name: str(f.type) for cls in kinds.values() for f in fields(cls)}
    refused = 0
    for place, cls in kinds.items():
        kind = place.replace("*", "pigeon")
        head = f"[[{section}]]\nname = 'a'\nkind = '{kind}'\n{NEEDED.get(kind, '')}\n"
        for key in set(types) - set(keys_of(cls)):
            message = refusal(f"{head}{key} = {VALUES[types[key]]}")
            having = [k for k, other in kinds.items() if key in keys_of(other)]
            assert f"{section}.{key}: a {section} of the kind '{kind}'" in message
            assert "has no such key" in message
            assert all(("installed packages" if k == "*" else k) in message for k in having)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(("section", "old", "new"), [
    (section, old, new) for section, table in renamed.KEYS.items() for old, new in table.items()])
def test_an_old_key_is_refused_with_its_new_name(section: str, old: str, new: str) -> None:
    classes = ARRAYS[section].values() if section in ARRAYS else [TABLES[section]]
    keys = {key for cls in classes for key in keys_of(cls)}
    assert new in keys
    assert old not in keys
    header = f"[[{section}]]\nname = 'a'" if section in ARRAYS else f"[{section}]"
    message = refusal(f"{header.replace('name', 'instrument')}\n{old} = 1"
                      if section == "polarimeter" else f"{header}\n{old} = 1")
    assert f"{section}.{old}: the key '{old}' is now called '{new}'" in message


@pytest.mark.parametrize(("section", "key", "old", "new"), [
    (*place, old, new) for place, table in renamed.VALUES.items() for old, new in table.items()])
def test_an_old_value_is_refused_with_its_new_form(section: str, key: str, old: str,
                                                   new: str) -> None:
    header = f"[[{section}]]\nname = 'a'" if section in ARRAYS else f"[{section}]"
    value = f"'{old}'" if key == "kind" else f"{{ X = '{old}' }}"
    assert f"the value '{old}' is now called '{new}'" in refusal(f"{header}\n{key} = {value}")


def test_every_secret_of_a_site_is_enumerated() -> None:
    text = "".join(
        f"[[{section}]]\nname = 'of {kind}'\nkind = '{kind.replace('*', 'pigeon')}'\n"
        f"{NEEDED.get(kind, '')}\n{cls.SECRET}_credential = '{kind}'\n"
        for (section, kind), cls in KINDS.items() if getattr(cls, "SECRET", ""))
    found = {secret.credential: secret.owner for secret in secrets_of(parse_site(text, root=ROOT))}
    assert found == {
        kind: f"{section} 'of {kind}'" for (section, kind), cls in KINDS.items()
        if getattr(cls, "SECRET", "")}
    assert len(found) == 7


def test_every_key_that_names_a_secret_belongs_to_the_secret_of_its_section() -> None:
    for (_, kind), cls in KINDS.items():
        named = {key for key in keys_of(cls) if key.endswith(("_env", "_credential"))}
        word = getattr(cls, "SECRET", "")
        assert named == ({f"{word}_env", f"{word}_credential"} if word else set()), kind


def test_overrides_take_toml_values_and_plain_text() -> None:
    site = parse_site("[daemon]\nworkers = 4", root=ROOT, overrides=[
        "daemon.workers=1", 'astrometry.index=["/data/index", "mine"]', "site.name=Our site"])
    assert site.daemon.workers == 1
    assert site.astrometry.index == (Path("/data/index"), ROOT / "mine")
    assert site.site.name == "Our site"


def test_overrides_reach_one_item_of_a_list_by_its_name() -> None:
    text = "[[archive]]\nname = 'a'\npath = 'x'\n[[archive]]\nname = 'b'\npath = 'y'"
    site = parse_site(text, root=ROOT, overrides=["archive.b.path=/new"])
    assert [archive.path for archive in site.archive] == [ROOT / "x", Path("/new")]
    assert "a, b" in refusal(text, "archive.c.path=/new")


@pytest.mark.parametrize("override", ["daemon", "daemon=1", "x.y=1", "daemon.workers='no'"])
def test_a_wrong_override_is_told(override: str) -> None:
    assert "-o" in refusal("", override)


def test_a_folder_without_a_site_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="iop4d init"):
        load_site(tmp_path)


def test_an_unreadable_site_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_bytes(b"\n\n# Stra\xdfe\n")
    with pytest.raises(ConfigError, match=r"line 3, cannot be read: it is not UTF-8 text; save"):
        load_site(tmp_path)


@pytest.mark.parametrize(("key", "wrong"), [("latitude", 370), ("longitude", 400),
                                            ("height", 24000)])
def test_a_place_that_is_not_on_earth_is_refused(tmp_path: Path, key: str, wrong: float) -> None:
    section = ('[[camera]]\nname = "A"\ntelescope = "T"\nidentify = { INSTRUME = "A" }\n'
               f"pixel_scale = 1.0\n{key} = {wrong}\n")
    with pytest.raises(ConfigError, match=f"{key}.*{wrong}"):
        parse_site(section, root=tmp_path)


def test_folders_without_index_files_are_refused_with_their_path(tmp_path: Path) -> None:
    (tmp_path / "inner" / "5200").mkdir(parents=True)
    (tmp_path / "inner" / "5200" / "index-5200-00.fits").touch()
    for folder, said in (("nope", "/nope, which is no folder; 'iop4d index'"),
                         ("inner", "/inner, which holds no index files (*.fits); name its folder "
                                   "5200")):
        (tmp_path / "iop4d.toml").write_text(f'[astrometry]\n\nindex = ["{folder}"]\n')
        with pytest.raises(ConfigError, match=r"line 3: astrometry\.index names ") as refused:
            load_site(tmp_path)
        assert f"{tmp_path}{said}" in str(refused.value)
        assert load_site(tmp_path, has_indexes=False).astrometry.index == (tmp_path / folder,)
    (tmp_path / "iop4d.toml").write_text('[astrometry]\nindex = ["inner/5200"]\n')
    load_site(tmp_path)


def test_files_of_certificates_are_refused_with_their_path_and_line(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("x")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    mail = '[[channel]]\nname = "m"\nto = ["a@b"]\ntls = "tls"\n\nca_file = "{}"\n'
    ftp = ('[[archive]]\nname = "F"\nkind = "ftp"\nhost = "h"\npath = "raw"\n'
           'night_folder = "/{{night:%Y%m%d}}"\nca_file = "{}"\n')
    for text, key, line in ((mail, "channel", 6), (ftp, "archive", 7)):
        for name, said in (("gone.pem", "cannot be read: No such file"),
                           ("empty.pem", "holds no certificates")):
            (tmp_path / "iop4d.toml").write_text(text.format(name))
            with pytest.raises(ConfigError, match=rf"line {line}: {key}\.ca_file names ") as no:
                load_site(tmp_path)
            assert f"{tmp_path / name}, which {said}" in str(no.value)
        (tmp_path / "iop4d.toml").write_text(text.format("ca.pem"))
        load_site(tmp_path)


def test_a_secret_that_any_account_can_read_is_said_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "iop4d.toml").write_text(
        '[[channel]]\nname = "m"\nto = ["a@b"]\ntls = "tls"\nuser = "u"\npassword_file = "smtp"\n')
    site = load_site(tmp_path)
    assert exposed_secrets(site) == []  # not there
    (tmp_path / "smtp").write_text("secret")
    for mode, is_said in ((0o644, True), (0o604, True), (0o640, False), (0o600, False)):
        (tmp_path / "smtp").chmod(mode)
        assert exposed_secrets(site) == [
            f"channel 'm': any account can read the password in {tmp_path / 'smtp'}: "
            f"chmod o-r {tmp_path / 'smtp'}"] * is_said


@pytest.mark.parametrize(("code", "right"), [("ABC", True), ("", True), ("A B", False),
                                             ("TOOLONG", False)])
def test_the_code_at_the_aavso_is_checked(tmp_path: Path, code: str, right: bool) -> None:
    text = f'[site]\naavso_observer = "{code}"\n'
    if right:
        assert parse_site(text, root=tmp_path).site.aavso_observer == code
    else:
        with pytest.raises(ConfigError, match="2 to 5 letters or digits"):
            parse_site(text, root=tmp_path)


@pytest.mark.parametrize(("keys", "said"), [
    ('to = ["ana"]', "line 4: channel.to: expected addresses of mail such as ana@example.org"),
    ('to = ["ana@example.org", "bob example.org"]', "expected addresses of mail such as"),
    ('to = ["a@b.c"]\nbcc = ["team"]', "line 5: channel.bcc: expected addresses such"),
    ('to = ["a@b.c"]\nsender = "iop4d"', "line 5: channel.sender: expected an address"),
    ('to = ["a@b.c"]\nreply_to = "me"', "line 5: channel.reply_to: expected an address"),
])
def test_a_mail_to_what_is_no_address_is_refused(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_site(f'[[channel]]\nname = "m"\nkind = "email"\n{keys}\n', root=tmp_path)
    assert said in str(error.value)


def test_addresses_with_names_and_of_this_machine_are_right(tmp_path: Path) -> None:
    site = parse_site('[[channel]]\nname = "m"\nto = ["Ana García <ana@example.org>", '
                      '"root@localhost"]\nsender = "iop4d <iop4d@host>"\n', root=tmp_path)
    assert len(site.channel[0].recipients) == 2
