"""The wheel and the sdist as others install them: ``make release-check``.

Both are built, and looked at for what must be in them. The wheel is installed into a clean
environment of each Python from 3.11 on that is there, in a folder with blanks and letters that are
no ASCII, and used there by an ordinary account: help, documentation, a site, the demo with results.
``--lowest`` does the same with the oldest versions that pyproject.toml allows. uv installs.
The container image is tried by ``make image``. A table at the end says what was run; the exit code
is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from iop4d import __version__
from tests.bench.outcomes import ROOT, UNPRIVILEGED, Outcome, report, run

PYTHONS = ("3.11", "3.12", "3.13")
#: The demo as an installation is tried with it.
DEMO = ("demo", "--speed", "60", "--for", "75s", "--port", "0")
#: What a user needs of an installation, and what must be in its files.
IN_WHEEL = ("iop4d/docs/getting-started.md", "iop4d/web/static/vendor/htmx/LICENSE",
            "iop4d/web/templates/result.html", "iop4d/systemd/iop4d.service.in",
            "iop4d/simulator/data", "iop4d/py.typed")
IN_SDIST = ("docs/science.md", "docs/sphinx/conf.py", "tests/conftest.py", "CHANGELOG.md",
            "constraints.txt", "examples", "Makefile", "CITATION.cff", "Containerfile", ".ci/run")


def missing(names: list[str], wanted: tuple[str, ...]) -> list[str]:
    """Which of the wanted files or folders are not among names."""
    return [one for one in wanted if not any(
        name == one or name.startswith(f"{one}/") for name in names)]


def build(to: Path) -> tuple[Path, list[Outcome]]:
    """The wheel, and whether it and the sdist are complete."""
    run([sys.executable, "-m", "build", "--outdir", str(to), str(ROOT)])
    (wheel,), (sdist,) = to.glob("*.whl"), to.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        absent = missing(archive.namelist(), IN_WHEEL)
    with tarfile.open(sdist) as archive_:
        names = [name.partition("/")[2] for name in archive_.getnames()]
        absent += missing(names, IN_SDIST)
    megabytes = [path.stat().st_size / 1e6 for path in (wheel, sdist)]
    return wheel, [Outcome("wheel and sdist of " + __version__, "missing: " + ", ".join(absent)
                           if absent else f"{megabytes[0]:.1f} and {megabytes[1]:.1f} MB, complete",
                           failed=bool(absent))]


def try_python(version: str, wheel: Path, folder: Path, *, lowest: bool = False) -> Outcome:
    """Install the wheel with a Python, and use it as an ordinary account."""
    what = f"Python {version}" + (", oldest versions" if lowest else "")
    python, others = find_python(version)
    if not python:
        return Outcome(what, "not there, not run")
    home = folder / f"Ordner mit Blanks é ñ {version}{' low' if lowest else ''}"
    home.mkdir(parents=True)
    try:
        run([sys.executable, "-m", "uv", "venv", "--quiet", "--python", python,
              str(home / "venv")])
        _install(home / "venv", wheel, lowest=lowest)
        return Outcome(what, _use(home, as_user=others))
    except subprocess.TimeoutExpired as error:
        return Outcome(what, f"{error.cmd[0]} took longer than {error.timeout:.0f} s", failed=True)
    except subprocess.CalledProcessError as error:
        tail = (error.stderr or error.stdout or "").strip().splitlines()[-3:]
        return Outcome(what, f"{Path(error.cmd[0]).name} {' '.join(error.cmd[1:4])}: "
                       + " / ".join(tail), failed=True)


def find_python(version: str) -> tuple[str, bool]:
    """A Python of that version, and whether an ordinary account may run it; empty for none."""
    named = [shutil.which(f"python{version}"), f"/usr/bin/python{version}", *map(str, sorted(
        Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}")))]
    works = [path for path in named if path and _answers(path, version)]
    for path in works:
        if os.geteuid() != 0 or _answers(path, version, user=UNPRIVILEGED):
            return path, True
    return (works[0], False) if works else ("", False)


def _answers(path: str, version: str, user: int | None = None) -> bool:
    says = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-c", says], check=False, capture_output=True, text=True,
                              user=user, cwd="/")
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def _install(venv: Path, wheel: Path, *, lowest: bool) -> None:
    which = ["--resolution", "lowest-direct"] if lowest else [
        "--constraint", str(ROOT / "constraints.txt")]
    run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python",
          str(venv / "bin" / "python"), *which, f"{wheel}[demo]"])


def _use(home: Path, *, as_user: bool) -> str:
    """Use an installation; what its demo measured. Raises CalledProcessError."""
    site = home / "a site"
    if as_user and os.geteuid() == 0:
        for path in (home, *home.parents[:1]):
            path.chmod(0o755)
        os.chown(home, UNPRIVILEGED, UNPRIVILEGED)
    iop4d = str(home / "venv" / "bin" / "iop4d")
    said = run([iop4d, "--version"], as_user=as_user, at=home)
    if __version__ not in said:
        raise subprocess.CalledProcessError(1, [iop4d, "--version"], said)
    for words in (("--help",), ("docs", "getting-started"), ("init", str(site)),
                  ("--site", str(site), "catalogue", "import", "builtin:blazars"),
                  ("--site", str(site), "status", "--json"), DEMO):
        run([iop4d, *words], as_user=as_user, at=home, fails=words[0] == "--site")
    table = run([iop4d, "--site", str(home / "demo-site"), "results"], as_user=as_user, at=home)
    count = len(table.splitlines()) - 1
    if count < 1:
        raise subprocess.CalledProcessError(1, [iop4d, "results"], "the demo has no results")
    size = sum(path.stat().st_size for path in (home / "venv").rglob("*") if path.is_file())
    who = "an ordinary account" if as_user else "this account (others may not run that Python)"
    return f"installed ({size / 1e6:.0f} MB), used by {who}, {count} results"


def main() -> int:
    """Run what is asked for; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="one Python, that of this call")
    parser.add_argument("--lowest", action="store_true", help="the oldest versions, too")
    args = parser.parse_args()
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory(prefix="iop4d-release-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        wheel, outcomes = build(folder / "dist")
        for version in (here,) if args.short else PYTHONS:
            outcomes.append(try_python(version, wheel, folder))
        if args.lowest:
            outcomes.append(try_python(here, wheel, folder, lowest=True))
    return report(outcomes)


if __name__ == "__main__":
    sys.exit(main())
