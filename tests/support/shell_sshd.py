"""OpenSSH's server with a shell, on a port of its own, for programs that start others over SSH."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from tests.support import real_servers


@contextmanager
def shell_sshd(folder: Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs commands as whoever runs the tests, until the end.

    ``home`` gets the ``.ssh/config`` by which a client finds it at 127.0.0.1. As root it runs where
    the account and the folder exist to which a server of Debian gives its rights up.
    """
    where, port = real_servers.program("sshd"), real_servers.free_port()
    me = pwd.getpwuid(os.geteuid())
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    host, mine = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host.write_private_key(folder / "host")
    (folder / "host").chmod(0o600)
    mine.write_private_key(home / ".ssh" / "mine")
    mine.write_public_key(folder / "authorized")
    (home / ".ssh" / "known_hosts").write_text(
        f"[127.0.0.1]:{port} {host.export_public_key().decode()}", encoding="utf-8")
    (home / ".ssh" / "config").write_text(
        f"Host 127.0.0.1\n Port {port}\n User {me.pw_name}\n"
        f" IdentityFile {home / '.ssh' / 'mine'}\n"
        f" UserKnownHostsFile {home / '.ssh' / 'known_hosts'}\n", encoding="utf-8")
    (folder / "sshd_config").write_text("\n".join([
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", "UsePAM no",
        f"PidFile {folder / 'pid'}", f"AuthorizedKeysFile {folder / 'authorized'}",
        "StrictModes no", "PermitRootLogin yes",
        f"SetEnv PYTHONPATH={os.pathsep.join(filter(None, sys.path))}", ""]), encoding="utf-8")
    command = [str(where), "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            _with_account(folder, command) if os.geteuid() == 0 else command, stdout=log,
            stderr=log, stdin=subprocess.DEVNULL, env=real_servers.environment(),
            start_new_session=True)
        try:
            real_servers.await_answer(process, port, folder / "server.log")
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _with_account(folder: Path, command: list[str]) -> list[str]:
    """The command in a mount namespace in which there is an account ``sshd``."""
    if subprocess.run(["unshare", "--mount", "true"], check=False,
                      capture_output=True).returncode:
        pytest.skip("this account may make no mount namespace (unshare --mount)")
    passwd = folder / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text(encoding="utf-8")
                      + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n", encoding="utf-8")
    return ["unshare", "--mount", "sh", "-c",
            f"mount --bind {shlex.quote(str(passwd))} /etc/passwd && mount -t tmpfs none /run "
            '&& mkdir /run/sshd && exec "$@"', "sh", *command]
