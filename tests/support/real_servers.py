"""FTP, SSH and web servers that other people wrote, each in a folder and on a port of its own;
that of mail stands in ``real_mail_server``.

``make real-servers`` unpacks them from Debian's packages into ``.real-servers``; those of the
machine serve as well. ``IOP4D_REAL_SERVERS=required`` makes a test fail that misses one.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

USER, PASSWORD = "observer", "geheim#1"
_HASHED = ("$6$iop4dtests$ils9YGmasSAIN178fgZiDVhvIvZoVprVMfn1wgXW5AybKm"
           "iw7BFhRUw9lmWv9WB4aCrSPc84azMnAJF8ih777.")  # by openssl passwd -6
_UNPACKED = Path(__file__).parents[2] / ".real-servers"
_PATIENCE = 15.0  # seconds for a server to answer


@dataclass(frozen=True, kw_only=True)
class RealServer:
    """A server that runs: what it is, where it answers, and what it serves."""

    name: str
    port: int
    root: Path
    user: str
    password: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How a server is to be set up. ``tls``: none, explicit or implicit, with ``cert`` and ``key``.

    ``options``: more lines of its configuration; ``minutes_only``: without MLSD, where it can.
    """

    tls: str = "none"
    cert: Path | None = None
    key: Path | None = None
    options: tuple[str, ...] = ()


def found(name: str) -> Path | None:
    """Where a server's program is; None where there is none."""
    folders = (*(_UNPACKED / "usr" / part for part in ("sbin", "bin")), Path("/usr/sbin"),
               Path("/usr/bin"), Path("/usr/local/sbin"), Path("/usr/local/bin"))
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def unpacked() -> Path:
    """The folder of the servers that were unpacked; it need not be there."""
    return _UNPACKED


def is_required() -> bool:
    """Whether a test that misses a server has failed."""
    return os.environ.get("IOP4D_REAL_SERVERS") == "required"


def program(name: str) -> Path:
    """Where a server's program is; skips the test, or fails it, where there is none."""
    where = found(name)
    if where is None:
        told = f"{name} is not here: `make real-servers` unpacks it"
        if is_required():
            pytest.fail(told)
        pytest.skip(told)
    return where


@contextmanager
def running(name: str, folder: Path, root: Path, wanted: Wanted | None = None, *,
            timezone: str = "UTC") -> Iterator[RealServer]:
    """A server of a name (vsftpd, proftpd, pure-ftpd) that serves ``root`` until the end."""
    where, port = program(name), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    arguments, user = _SET_UPS[name](where, folder, root, port, wanted or Wanted())
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env=environment() | {"TZ": timezone}, start_new_session=True)
        try:
            await_answer(process, port, folder / "server.log")
            yield RealServer(name=name, port=port, root=root, user=user, password=PASSWORD,
                             pid=process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment() -> dict[str, str]:
    """The environment of an unpacked server, with the libraries that were unpacked beside it."""
    libraries = [_UNPACKED / part / "x86_64-linux-gnu" for part in ("usr/lib", "lib")]
    return dict(os.environ) | {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a server answers; raises AssertionError with its log where it does not."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {log.read_text(errors='replace')[-2000:]}")


def _vsftpd(where: Path, folder: Path, root: Path, port: int,
            wanted: Wanted) -> tuple[list[str], str]:
    """Its users come from PAM alone, so frames are for anybody here."""
    empty = folder / "empty"
    empty.mkdir()
    root.chmod(0o555)  # it serves no folder to strangers that they could write
    lines = [
        "listen=YES", "listen_address=127.0.0.1", f"listen_port={port}", "background=NO",
        "run_as_launching_user=YES", "anonymous_enable=YES", f"anon_root={root}",
        f"ftp_username={pwd.getpwuid(os.geteuid()).pw_name}", f"secure_chroot_dir={empty}",
        "anon_world_readable_only=NO", "xferlog_enable=YES", f"xferlog_file={folder / 'xfer.log'}",
        "seccomp_sandbox=NO", "isolate=NO", "isolate_network=NO", *wanted.options]
    if wanted.tls != "none":
        lines += ["ssl_enable=YES", "allow_anon_ssl=YES", "force_anon_logins_ssl=YES",
                  "force_anon_data_ssl=YES", "ssl_tlsv1=YES", f"rsa_cert_file={wanted.cert}",
                  f"rsa_private_key_file={wanted.key}", "ssl_ciphers=HIGH",
                  f"implicit_ssl={'YES' if wanted.tls == 'implicit' else 'NO'}"]
    config = folder / "vsftpd.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(where), str(config)], "anonymous"


def _proftpd(where: Path, folder: Path, root: Path, port: int,
             wanted: Wanted) -> tuple[list[str], str]:
    me = pwd.getpwuid(os.geteuid())
    users = folder / "users"
    users.write_text(f"{USER}:{_HASHED}:{me.pw_uid}:{me.pw_gid}:"
                     f":{root}:/bin/sh\n", encoding="utf-8")
    users.chmod(0o600)
    modules = where.parents[1] / "lib" / "proftpd"
    lines = [
        f"ModulePath {modules}", "ServerType standalone", f"Port {port}", "UseIPv6 off",
        "DefaultAddress 127.0.0.1", "SocketBindTight on", f"User {me.pw_name}",
        f"Group {grp.getgrgid(me.pw_gid).gr_name}",
        f"PidFile {folder / 'pid'}", f"ScoreboardFile {folder / 'scores'}",
        f"DelayTable {folder / 'delay'}", f"SystemLog {folder / 'system.log'}",
        f"AuthUserFile {users}", "AuthOrder mod_auth_file.c", "RequireValidShell off",
        "RootLogin on", f"DefaultRoot {root}", "UseReverseDNS off", "WtmpLog off",
        f"TransferLog {folder / 'xfer.log'}", *wanted.options]
    if wanted.tls != "none":
        lines += ["LoadModule mod_tls.c", "TLSEngine on", "TLSRequired on",
                  f"TLSRSACertificateFile {wanted.cert}", f"TLSRSACertificateKeyFile {wanted.key}",
                  f"TLSLog {folder / 'tls.log'}"]
        if wanted.tls == "implicit":
            lines.append("TLSOptions UseImplicitSSL")
    config = folder / "proftpd.conf"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(where), "--nodaemon", "--config", str(config)], USER


def _pure_ftpd(where: Path, folder: Path, root: Path, port: int,
               wanted: Wanted) -> tuple[list[str], str]:
    """It changes to another account for each session, which only root may do."""
    if os.geteuid() != 0:
        pytest.skip("pure-ftpd needs root")
    users, database = folder / "users", folder / "users.pdb"
    nobody = pwd.getpwnam("nobody")
    tool = str(where.parents[1] / "bin" / "pure-pw")
    for command, said in (
            (["useradd", USER, "-f", str(users), "-u", str(nobody.pw_uid), "-g",
              str(nobody.pw_gid), "-d", str(root)], f"{PASSWORD}\n{PASSWORD}\n"),
            (["mkdb", str(database), "-f", str(users)], "")):
        subprocess.run([tool, *command], input=said.encode(), check=True, capture_output=True,
                       env=environment())
    arguments = [str(where), "--bind", f"127.0.0.1,{port}", "--login", f"puredb:{database}",
                 "--chrooteveryone", "--noanonymous", "--dontresolve", "--minuid", "1",
                 "--pidfile", str(folder / "pid"), *wanted.options]
    if wanted.tls != "none":
        assert wanted.cert is not None
        assert wanted.key is not None
        both = folder / "both.pem"
        both.write_bytes(wanted.key.read_bytes() + wanted.cert.read_bytes())
        arguments += ["--tls", "3", "--certfile", str(both)]
    return arguments, USER


@contextmanager
def running_proxy(name: str, folder: Path, configuration: str) -> Iterator[int]:
    """nginx or caddy with a configuration in which PORT is its own; gives the port."""
    where, port = program(name), free_port()
    config = folder / f"{name}.conf"
    config.write_text(_PROXIES[name].format(
        folder=folder, text=configuration.replace("PORT", str(port))), encoding="utf-8")
    arguments = {"nginx": ["-e", str(folder / "error.log"), "-c", str(config)],
                 "caddy": ["run", "--config", str(config), "--adapter", "caddyfile"]}[name]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(where), *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env=environment() | {"HOME": str(folder)}, start_new_session=True)
        try:
            await_answer(process, port, folder / "server.log")
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


_PROXIES = {"nginx": """daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
master_process off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/a;
    uwsgi_temp_path {folder}/b;
    scgi_temp_path {folder}/c;
{text}
}}
""", "caddy": """{{
    admin off
    storage file_system {folder}/caddy
    auto_https disable_redirects
    skip_install_trust
}}
{text}
"""}


@contextmanager
def running_sshd(folder: Path, root: Path) -> Iterator[tuple[RealServer, Path, Path]]:
    """OpenSSH's server on a port of its own, with a user's key file and a file of known hosts.

    It runs as nobody where we are root: an unpacked server lacks the account that it gives its
    rights up to. Paths are those of this machine.
    """
    where, port = program("sshd"), free_port()
    folder.mkdir(mode=0o755)
    host, mine = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    owner = pwd.getpwnam("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    host.write_private_key(folder / "host")
    mine.write_private_key(folder / "mine")
    mine.write_public_key(folder / "authorized")
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {host.export_public_key().decode()}", encoding="utf-8")
    (folder / "sshd_config").write_text("\n".join([
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", "UsePAM yes",
        f"PidFile {folder / 'pid'}", f"AuthorizedKeysFile {folder / 'authorized'}",
        "StrictModes no", "Subsystem sftp internal-sftp", "ForceCommand internal-sftp", ""]),
        encoding="utf-8")
    (folder / "host").chmod(0o600)
    to = owner if os.geteuid() == 0 else None
    if to is not None:
        os.chown(folder / "host", to.pw_uid, to.pw_gid)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(where), "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env=environment(), start_new_session=True,
            user=to and to.pw_uid, group=to and to.pw_gid, extra_groups=None if to is None else [])
        try:
            await_answer(process, port, folder / "server.log")
            yield RealServer(name="sshd", port=port, root=root, user=owner.pw_name,
                             password="", pid=process.pid), folder / "mine", known
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


_SetUp = Callable[[Path, Path, Path, int, Wanted], tuple[list[str], str]]
_SET_UPS: dict[str, _SetUp] = {"vsftpd": _vsftpd, "proftpd": _proftpd, "pure-ftpd": _pure_ftpd}
