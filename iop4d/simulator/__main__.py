"""``python -m iop4d.simulator DIR``: write a simulated night, its catalogue and its truth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from iop4d.simulator.night import Night, NightPlan, SimulatedFrame, write_night
from iop4d.simulator.plan import PHOTOMETRY, POLARIMETRY
from iop4d.simulator.setups import SETUPS, setup_of
from iop4d.simulator.sky import FIELDS, field_of, index_folder


def main() -> None:
    """Write the night."""
    parser = argparse.ArgumentParser(
        prog="python -m iop4d.simulator",
        description="Write a simulated night into DIR/raw/<night>/, beside it "
                    "DIR/catalogue.csv and DIR/truth.jsonl.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--fields", nargs="+", default=["BLLac"], metavar="NAME",
                        help="targets: " + ", ".join(field.object for field in FIELDS))
    parser.add_argument("--instrument", default="AndorT90",
                        choices=[setup.name for setup in SETUPS], help="[AndorT90]")
    parser.add_argument("--groups", type=int, default=0,
                        help="groups of polarimetry, instead of photometry")
    parser.add_argument("--transparency", type=float, default=0.0,
                        help="rms of its changes from frame to frame of a group, a fraction [0]")
    parser.add_argument("--frames", type=int, default=10, help="science frames of photometry [10]")
    parser.add_argument("--bands", nargs="+", default=["R"])
    parser.add_argument("--exptime", type=float, default=60.0, help="seconds [60]")
    parser.add_argument("--seeing", type=float, default=2.0, help="arcsec at the zenith [2]")
    parser.add_argument("--clouds", type=float, default=0.0, help="strongest, in mag [0]")
    parser.add_argument("--night", help="yyyy-mm-dd of the evening [when it was in use]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, help="times faster than real [as fast as it can]")
    words = parser.parse_args()
    plan = NightPlan(seed=words.seed, instrument=words.instrument,
                     mode=POLARIMETRY if words.groups else PHOTOMETRY, groups=words.groups,
                     transparency=words.transparency,
                     night=words.night or setup_of(words.instrument).sample_night,
                     fields=tuple(words.fields), bands=tuple(words.bands), frames=words.frames,
                     exptime_s=words.exptime, seeing_arcsec=words.seeing, cloud_mag=words.clouds)
    night = Night(plan)
    words.folder.mkdir(parents=True, exist_ok=True)
    fields = tuple(field_of(name) for name in plan.fields)
    (words.folder / "catalogue.csv").write_text(
        night.sky.catalogue_csv(words.seed, fields=fields), encoding="utf-8")

    def wrote(frame: SimulatedFrame) -> None:
        if sys.stderr.isatty():
            print(f"\r{frame.name:<30}", end="", file=sys.stderr)  # noqa: T201 - progress

    count = write_night(night, words.folder / "raw", truth_path=words.folder / "truth.jsonl",
                        speed=words.speed, wrote=wrote)
    begin = "\r" if sys.stderr.isatty() else ""
    print(f"{begin}{count} frames in {words.folder / 'raw' / plan.night}; index files in "  # noqa: T201
          f"{index_folder()}", file=sys.stderr)


if __name__ == "__main__":
    main()
