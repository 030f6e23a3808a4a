"""The pages behind a proxy that is set up as documented, and a browser before it."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from iop4d.config import Site, Web
from tests.support.certificates import certificate
from tests.support.real_servers import running_proxy
from tests.web import observatory
from tests.web.conftest import PASSWORD, add_account, served

DOCS = Path(__file__).parents[2] / "docs" / "web.md"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came through the proxy."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass(kw_only=True)
class Browser:
    """As a browser asks through a proxy that speaks TLS; remembers its cookie."""

    port: int
    trusted: Path | None
    cookie: str = ""

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        if self.trusted is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=10,
            context=ssl.create_default_context(cafile=str(self.trusted)))

    @property
    def origin(self) -> str:
        """Where its pages come from."""
        return f"http{'s' if self.trusted else ''}://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None,
            **form: str) -> Answer:
        """Send a form, or get a page."""
        connection = self.connect()
        try:
            connection.request(method, path, urlencode(form) if method == "POST" else None, {
                "Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded",
                **({"Origin": self.origin} if method == "POST" else {}), **(headers or {})})
            answer = connection.getresponse()
            if cookie := answer.headers["Set-Cookie"]:
                self.cookie = cookie.partition(";")[0]
            return Answer(status=answer.status, headers=answer.headers,
                          text=answer.read().decode(errors="replace"))
        finally:
            connection.close()

    def sign_in(self, password: str = PASSWORD, headers: dict[str, str] | None = None,
                below: str = "/iop4d") -> Answer:
        """Sign in as Ana."""
        return self.ask("POST", f"{below}/sign-in", headers, name="Ana", password=password,
                        back="/alerts")


def documented(kind: str) -> str:
    """The example of the documentation."""
    found = re.search(rf"```{kind}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def site_with_account(folder: Path) -> Site:
    """A populated site on which Ana may sign in."""
    made = observatory.site(folder)
    observatory.fill(made)
    add_account(made)
    return made


@contextmanager
def behind(kind: str, site: Site, folder: Path) -> Iterator[Browser]:
    """The pages behind a proxy that is set up as documented, but for names, ports and folders."""
    web = Web(port=0, trusted_proxy="127.0.0.1", prefix="/iop4d")
    folder.mkdir()
    certificate(folder)
    with served(replace(site, web=web)) as address:
        assert address.endswith("/iop4d")
        port = address.split(":")[2].partition("/")[0]
        text = documented(kind).replace("127.0.0.1:8765", f"127.0.0.1:{port}")
        if kind == "nginx":
            text = text.replace("listen 443 ssl", "listen 127.0.0.1:PORT ssl")
            text = re.sub(r"/etc/ssl/obs\.example\.org\.(pem|key)", lambda found: str(
                folder / ("cert.pem" if found[1] == "pem" else "key.pem")), text)
        else:
            text = text.replace("obs.example.org {", "https://127.0.0.1:PORT {\n    tls "
                                f"{folder / 'cert.pem'} {folder / 'key.pem'}")
        with running_proxy(kind, folder, text) as own:
            yield Browser(port=own, trusted=folder / "cert.pem")
