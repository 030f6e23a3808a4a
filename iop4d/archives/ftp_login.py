"""How an FTP session is opened: TLS and its certificates, the login, and what to say of errors."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aioftp
from aioftp.errors import AIOFTPException, StatusCodeError

from iop4d.archives.session import HostError, LoginError, RemoteError
from iop4d.config import FtpArchive
from iop4d.model.network import why_unreachable

PORT, TLS_PORT = 21, 990
#: The control channel carries bytes: each is one character of this encoding.
BYTES = "latin-1"
UNKNOWN_COMMAND = ("500", "501", "502", "504")


async def log_in(client: aioftp.Client, archive: FtpArchive, context: TlsContext | None,
                 password: str | None) -> None:
    """Connect, encrypt and log in."""
    await client.connect(archive.host, port_of(archive))
    if archive.tls == "explicit":
        await _encrypt(client, archive, context)
    elif context is not None:
        await _protect(client, archive)
    if context is not None:
        context.control = client.stream.writer.get_extra_info("ssl_object")
    await _login(client, archive, password or "anonymous")


def port_of(archive: FtpArchive) -> int:
    """The port of an archive's server."""
    return archive.port or (TLS_PORT if archive.tls == "implicit" else PORT)


class TlsContext(ssl.SSLContext):
    """One whose later connections resume the TLS session of the control connection.

    Servers may demand that (vsftpd and ProFTPD do, unless told otherwise): it shows them that who
    fetches the data is who asked for it. asyncio has no word for it; it wraps by this method.
    """

    control: ssl.SSLObject | None = None

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = False,
                 server_hostname: str | bytes | None = None,
                 session: ssl.SSLSession | None = None) -> ssl.SSLObject:
        """As the base class does it; of the session that the server knows by now, if any."""
        if self.control is not None:
            session = self.control.session  # the newest: of TLS 1.3 tickets come with the answers
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def context_of(archive: FtpArchive) -> TlsContext:
    """What an archive's TLS trusts; raises HostError where ``ca_file`` holds no certificates."""
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if archive.ca_file is not None:
        try:
            context.load_verify_locations(archive.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise HostError(f"the key 'ca_file' of the archive '{archive.name}' names a file "
                            f"without certificates: {archive.ca_file}: {error}") from None
    if archive.max_tls_version:
        context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2,
                                   "1.3": ssl.TLSVersion.TLSv1_3}[archive.max_tls_version]
    return context


async def _encrypt(client: aioftp.Client, archive: FtpArchive,
                   context: ssl.SSLContext | None) -> None:
    try:
        await client.upgrade_to_tls(context)
    except StatusCodeError as error:
        raise HostError(f"{archive.host} offers no TLS ({said(error)}); check the key 'tls' "
                        f"of the archive '{archive.name}'") from None


async def _protect(client: aioftp.Client, archive: FtpArchive) -> None:
    """Have the data encrypted as well; some servers of implicit TLS do so, and refuse the words."""
    for command in ("PBSZ 0", "PROT P"):
        try:
            await client.command(command, "200")
        except StatusCodeError as error:
            if not is_answer(error, UNKNOWN_COMMAND):
                raise HostError(f"{archive.host} does not encrypt files ({said(error)}); check "
                                f"the key 'tls' of the archive '{archive.name}'") from None


async def _login(client: aioftp.Client, archive: FtpArchive, password: str) -> None:
    try:
        user, sent = (text.encode(archive.encoding).decode(BYTES)
                      for text in (archive.user, password))
    except UnicodeEncodeError:
        raise LoginError(f"the user or the password has characters outside the encoding "
                         f"{archive.encoding}; check the key 'encoding' of the archive "
                         f"'{archive.name}'") from None
    try:
        await client.login(user, sent)
    except StatusCodeError as error:
        answer = said(error, secret=sent)
        raise LoginError(
            f"{archive.host} refuses the login of '{archive.user}' ({answer}); check the keys "
            f"'user' and password_file, password_env or password_credential of the archive "
            f"'{archive.name}'") from None


@contextmanager
def errors_named(archive: FtpArchive, password: str | None) -> Iterator[None]:
    """Errors of opening a session, each raised again with the keys of the site file to check."""
    where, keys = f"{archive.host}:{port_of(archive)}", f"of the archive '{archive.name}'"
    try:
        yield
    except RemoteError:
        raise
    except socket.gaierror as error:
        raise HostError(f"cannot resolve host name {archive.host}: {why_unreachable(error)}; check "
                        f"the key 'host' {keys}") from None
    except ConnectionRefusedError:
        raise HostError(f"{where} refused the connection; check the keys 'host' and 'port' {keys}",
                        ) from None
    except ssl.SSLCertVerificationError as error:
        raise HostError(f"the certificate of {where} is not trusted ({error.verify_message}); "
                        f"check the keys 'host' and 'ca_file' {keys}") from None
    except ssl.SSLError as error:
        raise HostError(f"TLS with {where} failed ({error.reason}); check the keys 'tls', "
                        f"'max_tls_version' and 'port' {keys}") from None
    except StatusCodeError as error:
        if not is_answer(error, ("421",)):
            raise HostError(f"{where} refused to begin ({said(error)}); check the keys 'host', "
                            f"'port' and 'tls' {keys}") from None
        raise HostError(f"{where} takes no connection now ({said(error)}): it has too many, or "
                        "is being serviced") from None
    except TimeoutError:
        raise HostError(f"{where} timed out after {archive.connect_timeout:g} s; check the "
                        f"keys 'host', 'port', 'tls' and 'connect_timeout' {keys}") from None
    except (OSError, AIOFTPException, ValueError, EOFError) as error:
        what = f"{type(error).__name__} {error}".strip()
        what = what.replace(password, "***") if password else what
        raise HostError(f"{where} does not behave as an FTP server ({what}); check the keys "
                        f"'host', 'port' and 'tls' {keys}") from None


def said(error: StatusCodeError, *, secret: str = "") -> str:
    """What the server answered. ``secret``: a text, as it was sent, that is hidden in it."""
    text = f"{error.received_codes[-1]} {' '.join(error.info).strip(' -')}"
    return ascii((text.replace(secret, "***") if secret else text)[:200])[1:-1]


def is_answer(error: StatusCodeError, codes: tuple[str, ...]) -> bool:
    """Whether the server answered with one of some codes."""
    return str(error.received_codes[-1]) in codes
