"""A frame of 61 Mpx through a ``[[camera]]``, stage by stage: ``make bench ARGS="--large"``.

The middle holds a simulated field; the rest sky and stars that nobody knows. One process does what
a worker does: it builds the masters, reduces a first frame and others. Core-seconds (getrusage) and
the largest resident memory of each step are those of that process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from iop4d.simulator.night import Night, NightPlan
from iop4d.simulator.sky import field_of
from tests.support.lab import Lab, reduced_of

SHAPE = (6388, 9576)
_STARS = 8000  # that nobody knows, fainter than those of the field
_CAMERA = """
[[camera]]
name = "Large"
telescope = "Large"
identify = { INSTRUME = "Large" }
pixel_scale = 0.774
gain = 4.5
read_noise = 8.0
kind_card = "IMAGETYP"
kinds = { BIAS = "bias", FLAT = "flat", LIGHT = "science" }
"""


def write_frames(folder: Path, shape: tuple[int, int], science: int) -> None:
    """Three biases, three flats and some science frames."""
    plan = NightPlan(seed=3, fields=("BLLac",), frames=science, n_bias=0, n_flat=0)
    rng = np.random.default_rng(1)
    for number in range(3):
        _write(folder / f"bias-{number}.fits", rng.normal(330.0, 2.0, shape), "BIAS", number)
        _write(folder / f"flat-{number}.fits", rng.normal(30000.0, 90.0, shape), "FLAT", number)
    for number, frame in enumerate(Night(plan).frames()):
        middle = np.asarray(frame.data, dtype=np.float32)
        level, noise = float(np.median(middle)), 12.0
        image = rng.normal(level, noise, shape).astype(np.float32)
        _add_stars(image, np.random.default_rng(2), rng)
        y, x = ((all_ - part) // 2 for all_, part in zip(shape, middle.shape, strict=True))
        image[y:y + middle.shape[0], x:x + middle.shape[1]] = middle
        _write(folder / f"science-{number}.fits", image, "LIGHT", number, frame.header)


def _add_stars(image: NDArray[np.float32], places: np.random.Generator,
               noise: np.random.Generator) -> None:
    ny, nx = image.shape
    count = int(_STARS * image.size / (SHAPE[0] * SHAPE[1]))
    j, i = np.mgrid[-8:9, -8:9]
    for y, x, flux in zip(places.uniform(9, ny - 10, count), places.uniform(9, nx - 10, count),
                          10 ** places.uniform(2.9, 3.6, count), strict=True):
        row, column = int(y), int(x)
        light = flux / 9.4 * np.exp(-((j - y + row) ** 2 + (i - x + column) ** 2) / 3.0)
        image[row - 8:row + 9, column - 8:column + 9] += noise.poisson(light)


def _write(path: Path, image: NDArray[np.floating], kind: str, number: int,
           header: fits.Header | None = None) -> None:
    cards = fits.Header()
    cards["INSTRUME"], cards["IMAGETYP"] = "Large", kind
    cards["DATE-OBS"] = f"2022-09-08T21:{10 + number:02d}:00"
    cards["EXPTIME"], cards["FILTER"] = 60.0 if header is not None else 0.0, "R"
    if kind == "FLAT":
        cards["EXPTIME"] = 5.0
    cards["OBJECT"] = "BLLac" if header is not None else ""
    fits.PrimaryHDU(np.clip(image, 0, 65535).astype(np.uint16), cards).writeto(path)


def _worker(folder: Path) -> None:
    plan = NightPlan(seed=3, fields=("BLLac",), frames=1, n_bias=0, n_flat=0)
    lab = Lab(folder, Night(plan).sky.catalogue_csv(plan.seed, fields=(field_of("BLLac"),)),
              _CAMERA)
    start = _used()
    masters = lab.masters_of(sorted(folder.glob("[bf]*-?.fits")))
    print(f"masters of 3 frames each, with the look at each: {_used() - start:.2f} core-s; "
          f"{_peak_mb():.0f} MB at most")
    for path in sorted(folder.glob("science-?.fits")):
        start = _used()
        facts, looked = lab.classify(path)
        outcome = lab.reduce(path, facts, masters, keep=True)
        found = reduced_of(outcome)
        assert found is not None, outcome
        print(f"{path.name}: {_used() - start:.2f} core-s, of it the look {looked:.2f}; "
              f"{_peak_mb():.0f} MB at most; {found.n_detected} stars, "
              f"{len(found.results)} results")
        print("  " + ", ".join(f"{name} {1e3 * seconds:.0f}"
                               for name, seconds in found.stages.items()) + " ms")


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_mb() -> float:
    """The largest resident memory since this was asked last; the one of getrusage would be that of
    who simulated the frames and started this process, and never fall again."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return int(found.split()[1]) / 1024


def main(words: list[str] | None = None) -> None:
    """Simulate, and reduce in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--large", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="that holds the frames, or shall")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args(words)
    if said.worker:
        _worker(said.folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = said.folder or Path(scratch)
        if not list(folder.glob("science-*")):
            folder.mkdir(parents=True, exist_ok=True)
            write_frames(folder, SHAPE, said.frames)
        subprocess.run([sys.executable, "-m", "tests.bench.large", "--worker", "--folder",
                        str(folder)], check=True)


if __name__ == "__main__":
    main()
