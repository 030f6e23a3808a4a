"""The container image, built from the wheel and used: ``make image``.

podman or docker builds the image of Containerfile, and an account of the container makes a site,
runs daemon and page until they are stopped, then the demo (not with ``--short``), whose results it
reads. Where the base image cannot be had, as no registry is reached, one is made of Debian's
packages by mmdebstrap; it is kept for the next time. What is missing for all this is said, and the
exit code is 0; it is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iop4d import __version__
from iop4d.simulator.servers import free_port
from tests.bench.outcomes import ROOT, Outcome, report, run
from tests.bench.wheel import DEMO, build

IMAGE = "localhost/iop4d-check"
_BASE = "localhost/iop4d-debian-python"
_LOW = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
_PATIENCE = 60.0  # seconds: for a daemon to be ready, a registry to answer
_CERTIFICATES = Path("/etc/ssl/certs")  # of this machine, which may know more than the base


class NotHereError(Exception):
    """What is needed is not on this machine; the reason is for people."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What builds and runs containers here. ``limits``: options that it needs to run one."""

    program: tuple[str, ...]
    limits: tuple[str, ...] = ()

    @property
    def is_podman(self) -> bool:
        """Whether it is podman, which has options that docker lacks."""
        return self.program[0] == "podman"

    def run(self, *words: str) -> str:
        """What a command in a container of its own says."""
        return run([*self.program, "run", "--rm", *self.limits, *words])


def engine() -> tuple[str, ...]:
    """What is here of podman and docker, and works."""
    for name in filter(shutil.which, ("podman", "docker")):
        if all(subprocess.run([name, word], check=False, capture_output=True).returncode == 0
               for word in ("info", "ps")):
            runc = shutil.which("runc")
            return (name, "--runtime", runc) if name == "podman" and runc else (name,)
    raise NotHereError("neither podman nor docker works here")


def base_of(containerfile: str) -> str:
    """The base image that Containerfile names."""
    return next(line.partition("=")[2] for line in containerfile.splitlines()
                if line.startswith("ARG BASE="))


def have_base(program: tuple[str, ...], wanted: str, folder: Path) -> str:
    """The name of a base image that is here: the one wanted, or one of Debian's packages."""
    if _succeeds(*program, "image", "inspect", wanted) or _succeeds(*program, "pull", wanted):
        return wanted
    if _succeeds(*program, "image", "inspect", _BASE):
        return _BASE
    if shutil.which("mmdebstrap") is None:
        raise NotHereError(f"{wanted} cannot be pulled, and mmdebstrap is not here, which could "
                           "make a base image of Debian's packages")
    archive = folder / "base.tar"
    run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3-venv,ca-certificates",
         _debian() or "stable", str(archive)])
    run([*program, "import", str(archive), _BASE])
    archive.unlink()
    return _BASE


def _debian() -> str:
    """The release of Debian that this machine is, if it is one."""
    path = Path("/etc/os-release")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition("=")[2] for line in lines
                 if line.startswith("VERSION_CODENAME=")), "")


def _succeeds(*words: str) -> bool:
    try:
        ran = subprocess.run(words, check=False, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def that_runs(program: tuple[str, ...], base: str) -> Engine:
    """The engine with the options with which it runs a container here.

    podman raises limits that only some accounts may raise; low ones anybody may set.
    """
    reason = ""
    for limits in ((), _LOW):
        ran = subprocess.run([*program, "run", "--rm", *limits, base, "true"], check=False,
                             capture_output=True, text=True)
        if ran.returncode == 0:
            return Engine(program=program, limits=limits)
        reason = ran.stderr.strip().splitlines()[-1]
    raise NotHereError(f"{program[0]} cannot run a container here: {reason}")


def build_image(engine: Engine, base: str, wheel: Path, folder: Path) -> None:
    """Build the image of Containerfile from a wheel."""
    (folder / "dist").mkdir()
    shutil.copy(wheel, folder / "dist")
    for name in ("Containerfile", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    more = ["--network", "host"]
    if engine.is_podman:
        more += [*engine.limits, "--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
    run([*engine.program, "build", *more, "--build-arg", f"BASE={base}", "--file",
         str(folder / "Containerfile"), "--tag", IMAGE, str(folder)])


def use(engine: Engine, folder: Path, *, demo: bool) -> str:
    """Use the image as an observatory does; what came of it. Raises CalledProcessError."""
    site = folder / "a site"
    site.mkdir()
    site.chmod(0o777)  # the container's account is none of this machine
    mounted = ("--volume", f"{site}:/site", IMAGE)
    said = engine.run(IMAGE, "--version")
    _check(__version__ in said, "--version", said)
    engine.run(*mounted, "init", "/site")
    engine.run(*mounted, "catalogue", "import", "builtin:blazars")
    with _started(engine, *mounted, "run") as daemon:
        _wait(engine, daemon, "ready")
        said = run([*engine.program, "exec", daemon, "iop4d", "status"])
        _check("running" in said, "status", said)
        port = free_port()
        with _started(engine, "--publish", f"127.0.0.1:{port}:8765", *mounted, "web", "-o",
                      "web.host=0.0.0.0") as page:
            _wait(engine, page, "the site is at")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                _check(answer.status == 200, "web", str(answer.status))
    if not demo:
        return "the daemon and its page"
    engine.run("--workdir", "/site", *mounted, *DEMO)
    table = engine.run(*mounted, "--site", "/site/demo-site", "results")
    count = len(table.splitlines()) - 1
    _check(count > 0, "results", "the demo has no results")
    return f"the daemon, its page, the demo with {count} results"


@contextmanager
def _started(engine: Engine, *words: str) -> Iterator[str]:
    """A container that works beside us; stopped at the end, when it must end well."""
    number = run([*engine.program, "run", "--detach", *engine.limits, *words]).strip()
    try:
        yield number
        run([*engine.program, "stop", "--time", "60", number])
        code = run([*engine.program, "inspect", "--format", "{{.State.ExitCode}}", number])
        _check(code.strip() == "0", words[-1], f"it ended with code {code.strip()}")
    finally:
        run([*engine.program, "rm", "--force", number])


def _wait(engine: Engine, number: str, words: str) -> None:
    ends = time.monotonic() + _PATIENCE
    while True:
        ran = subprocess.run([*engine.program, "logs", number], check=False, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if words in ran.stdout:
            return
        _check(time.monotonic() < ends, "logs", ran.stdout)
        time.sleep(0.2)


def _check(is_so: bool, what: str, said: str) -> None:
    if not is_so:
        raise subprocess.CalledProcessError(1, ["iop4d", what], said)


def try_image(wheel: Path, folder: Path, *, demo: bool) -> Outcome:
    """Build the image and use it."""
    began = time.monotonic()
    try:
        program = engine()
        base = have_base(program, base_of((ROOT / "Containerfile").read_text(encoding="utf-8")),
                         folder)
        works = that_runs(program, base)
        build_image(works, base, wheel, folder)
        said = use(works, folder, demo=demo)
    except NotHereError as missing:
        return Outcome("container", f"{missing}: not run")
    except subprocess.CalledProcessError as error:
        tail = ((error.stderr or "") + (error.stdout or "")).strip().splitlines()[-3:]
        return Outcome("container", f"{' '.join(error.cmd[:4])}: " + " / ".join(tail), failed=True)
    return Outcome("container", f"built by {works.program[0]} on {base}, used: {said}; "
                   f"{time.monotonic() - began:.0f} s")


def main() -> int:
    """Build the wheel and the image, and use it; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="without the demo")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="iop4d-image-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        wheel, outcomes = build(folder / "wheel")
        return report([*outcomes, try_image(wheel, folder, demo=not args.short)])


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
