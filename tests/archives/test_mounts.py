"""Which file system a folder lies on is read from the kernel's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.archives.mounts import is_network, kind_of

TABLE = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /data rw - ext4 /dev/vdb rw
41 40 0:36 / /data/raw\\040frames rw,noatime shared:9 master:1 - nfs4 server:/raw rw,vers=4.2
42 40 0:37 / /data/over rw - ext4 /dev/vdc rw
43 40 0:38 / /data/over rw - fuse.sshfs me@server: rw
nonsense
"""


@pytest.mark.parametrize(("path", "kind"), [
    ("/", "ext4"), ("/nowhere/x", "ext4"), ("/data/raw frames", "nfs4"),
    ("/data/raw frames/2024-03-14", "nfs4"), ("/data/raw frames 2", "ext4"),
    ("/data/over/x", "fuse.sshfs")])
def test_the_deepest_and_last_mount_counts(path: str, kind: str) -> None:
    assert kind_of(Path(path), TABLE) == kind


@pytest.mark.parametrize(("kind", "network"), [
    ("nfs", True), ("nfs4", True), ("cifs", True), ("smb3", True), ("fuse.sshfs", True),
    ("9p", True), ("ceph", True), ("ext4", False), ("tmpfs", False), ("fuseblk", False),
    ("", False)])
def test_what_changes_without_a_word(kind: str, network: bool) -> None:
    assert is_network(kind) is network


def test_this_machine_has_a_root() -> None:
    assert kind_of(Path("/proc")) == "proc"
