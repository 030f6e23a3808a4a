"""``[workers]``: who does the work, processes of this machine or workers of Dask on many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from iop4d.config.keys import Check, key, one_of

#: How rules and pages name who does the work where that is not this machine alone.
ENGINE = "engine"
_ADDRESS: Check = (
    "an address such as tls://server.example.org:8786, or nothing",
    lambda value: not value or (re.fullmatch(r"(tls|tcp)://[^\s/:]+:\d{1,5}", value) is not None
                                and 0 < int(value.rpartition(":")[2]) < 1 << 16))
_RANGE: Check = (
    "two numbers, the lowest and the highest, or nothing",
    lambda value: not value or (len(value) == 2 and 0 <= value[0] <= value[1] and value[1] > 0))


@dataclass(frozen=True, kw_only=True)
class Workers:
    """``[workers]``: who does the work."""

    engine: str = key(
        "Who does the work: local: worker processes of this machine; dask: workers of Dask "
        "distributed, on any number of machines.", "local", check=one_of("local", "dask"))
    scheduler: str = key(
        "Address of a Dask scheduler that runs already.", "", check=_ADDRESS)
    cluster: str = key(
        "Cluster that iop4d starts itself: local: on this machine; ssh: on the machines of "
        "`hosts`; slurm: as jobs of SLURM. Empty: none.", "",
        check=("local, ssh, slurm, or nothing",
               lambda value: value in ("", "local", "ssh", "slurm")))
    hosts: tuple[str, ...] = key(
        "Machines of the cluster ssh; the first one runs the scheduler, the others workers.", ())
    adaptive: tuple[int, ...] = key(
        "Lowest and highest number of workers of the clusters local and slurm, which follows the "
        "queue; empty: as many as `daemon.workers` says.", (), check=_RANGE)
    transfer: bool = key(
        "Whether files travel with the jobs to workers that do not see the site's folders under "
        "the same paths. Without it such a worker is refused.", False)
    ca_file: Path | None = key(
        "Certificates (PEM) of the authority that scheduler and workers are trusted by.", None)
    cert_file: Path | None = key("Certificate (PEM) of this daemon, for TLS.", None)
    key_file: Path | None = key("Key (PEM) of that certificate.", None)
    allow_plain: bool = key(
        "Whether the connection to other machines may go without TLS. Whoever reaches the port of "
        "a scheduler can run programs as its user: only in a network of your own.",
        False)

    @property
    def tls_files(self) -> tuple[Path | None, Path | None, Path | None]:
        """The three files of TLS."""
        return self.ca_file, self.cert_file, self.key_file


def contradictions(workers: Workers) -> Iterator[tuple[str, str]]:
    """Keys that contradict others, each with what is expected."""
    if workers.engine == "local":
        return
    if bool(workers.scheduler) == bool(workers.cluster):
        yield "engine", "with 'dask' one of the keys scheduler and cluster, not both"
    if (workers.cluster == "ssh") != bool(workers.hosts):
        yield "hosts", "the machines of the cluster ssh, and of no other"
    if workers.cluster == "ssh" and len(workers.hosts) == 1:
        yield "hosts", "at least two: the first one runs the scheduler, the others workers"
    if workers.adaptive and workers.cluster not in ("local", "slurm"):
        yield "adaptive", "it with the clusters local and slurm alone"
    if any(workers.tls_files) and not all(workers.tls_files):
        yield "ca_file", "ca_file, cert_file and key_file together"
    tls = workers.scheduler.startswith("tls:")
    if tls and not all(workers.tls_files):
        yield "scheduler", "ca_file, cert_file and key_file with tls://"
    if not workers.allow_plain and (_is_plain(workers.scheduler) or (
            workers.cluster == "ssh" and not all(workers.tls_files))):
        yield ("scheduler" if workers.scheduler else "cluster"), (
            "TLS between machines (tls://, ca_file, cert_file, key_file), or allow_plain = true")


def _is_plain(address: str) -> bool:
    """Whether an address is of another machine, without TLS."""
    if not address.startswith("tcp:"):
        return False
    host = address.removeprefix("tcp://").rpartition(":")[0]
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
