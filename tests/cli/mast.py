"""An answer of the archive of Pan-STARRS, as a command gets it."""

from __future__ import annotations

RA, DEC = 330.680390, 42.277778  # BL Lac
COLUMNS = ("objID,raMean,decMean,nDetections,gMeanPSFMag,gMeanPSFMagErr,gMeanApMagStd,rMeanPSFMag,"
           "rMeanPSFMagErr,rMeanApMagStd,iMeanPSFMag,iMeanPSFMagErr,iMeanApMagStd,iMeanKronMag")


def star(number: int, north_arcmin: float, r: float, *, std: float = 0.004,
         detections: int = 60) -> str:
    mags = ",".join(f"{mag:.3f},0.002,{std}" for mag in (r + 0.6, r, r - 0.2))
    return (f"{number},{RA + 0.01:.6f},{DEC + north_arcmin / 60.0:.6f},{detections},{mags},"
            f"{r - 0.2:.3f}")


def mast() -> str:
    return "\n".join([COLUMNS, star(11, 1.0, 15.0), star(12, 2.0, 14.0), star(13, -1.0, 19.0),
                      star(14, -2.0, 15.0, std=0.05), star(15, -2.5, 16.0, detections=4),
                      star(16, 9.0, 15.0), star(17, 3.0, 16.5), star(18, 3.05, 20.0),
                      star(19, -3.0, 22.5)]) + "\n"
