"""Quality flags of measurements and results, from one table with their descriptions."""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache


class Flag(IntFlag):
    """Automatic quality flags; a row's ``flags`` is their bitwise or, 0 means good."""

    SATURATED = 1
    EDGE = 2
    BLENDED = 4
    BAD_PIXELS = 8
    LOW_SNR = 16
    NO_CALIBRATORS = 32
    FEW_CALIBRATORS = 64
    CALIBRATORS_DISAGREE = 128
    CLOUDS = 256
    NOT_DETECTED = 512
    OFF_CENTRE = 1024
    POOR_WCS = 2048
    POOR_SEEING = 4096
    POOR_FIT = 8192
    MISSING_ANGLES = 16384
    ONE_BEAM = 32768
    FEW_FIELD_STARS = 65536
    HOST_EXTRAPOLATED = 131072
    WITHDRAWN = 262144
    UNSTEADY = 524288
    TIME_DOUBTFUL = 1 << 20
    FIELD_ROTATED = 1 << 21
    NONLINEAR = 1 << 22
    UPPER_LIMIT = 1 << 23
    OWN_BAND = 1 << 24
    PIXELS_DOUBTFUL = 1 << 25
    GAIN_ASSUMED = 1 << 26
    CROWDED = 1 << 27
    OTHER_APERTURE = 1 << 28
    IMPORTED = 1 << 29
    PLACE_UNCONFIRMED = 1 << 30


DESCRIPTIONS: dict[Flag, str] = {
    Flag.SATURATED: "a pixel of the aperture is at or above the saturation level",
    Flag.EDGE: "the aperture or its annulus reaches beyond the edge of the frame",
    Flag.BLENDED: "another star's light is inside the aperture",
    Flag.BAD_PIXELS: "a bad pixel, a cosmic ray or a trail lies inside the aperture",
    Flag.LOW_SNR: "signal-to-noise ratio below 5",
    Flag.NO_CALIBRATORS: "no usable calibrator in the field: no calibrated magnitude",
    Flag.FEW_CALIBRATORS: "the zero point rests on a single calibrator",
    Flag.CALIBRATORS_DISAGREE: "calibrators scatter more than their errors allow",
    Flag.CLOUDS: "the zero point is more than half a magnitude below the night's best one",
    Flag.NOT_DETECTED: "less than three sigma of light at the place of the source",
    Flag.OFF_CENTRE: "the star's centroid is far from the catalogued position",
    Flag.POOR_WCS: "the astrometric solution rests on few stars, which nothing confirms, "
                   "or fits badly",
    Flag.POOR_SEEING: "PSF wider than 5 arcsec and 3 pixels (FWHM)",
    Flag.POOR_FIT: "the modulation of the flux fits no polarisation within its errors, the light "
                   "of both beams changes as none does, or too few positions are left to check it",
    Flag.MISSING_ANGLES: "positions of the polariser or half-wave plate are missing",
    Flag.ONE_BEAM: "only one of the two images of the source could be used",
    Flag.FEW_FIELD_STARS: "too few field stars to measure the transparency between the frames",
    Flag.HOST_EXTRAPOLATED: "the table of the host galaxy does not cover this aperture or seeing",
    Flag.UNSTEADY: "the calibrators differ in this frame from the other frames of the night",
    Flag.WITHDRAWN: "it no longer follows from its frames: they are of another group, or their "
                    "files were replaced",
    Flag.TIME_DOUBTFUL: "the time or the exposure time cannot be right",
    Flag.FIELD_ROTATED: "the camera stands at another angle than the zero angle of chi holds for; "
                        "chi follows it where the polariser is mounted with the camera",
    Flag.NONLINEAR: "a pixel of the aperture is above the range in which the detector is linear",
    Flag.UPPER_LIMIT: "below three sigma: there is a limit, no magnitude",
    Flag.OWN_BAND: "in the instrument's own band, not transformed to the catalogue's",
    Flag.PIXELS_DOUBTFUL: "pixel values that no detector gives (wrapped, or far below the sky), "
                          "that the file's own sums speak against, or with the dark of another "
                          "temperature",
    Flag.GAIN_ASSUMED: "the camera's gain is not known: errors are those of 1 electron per ADU, "
                       "too small where it is less",
    Flag.CROWDED: "unresolved faint stars make the sky uneven",
    Flag.OTHER_APERTURE: "measured in another aperture than the source asks for, or the other "
                         "frames of its group have",
    Flag.IMPORTED: "of another program (IOP4), whose values stand as they were; all of its error "
                   "is in `mag_err`",
    Flag.PLACE_UNCONFIRMED: "nothing confirms which star of a frame with few stars is the source",
}

#: A star with any of these never enters a zero point.
NEVER_CALIBRATES = (
    Flag.SATURATED | Flag.EDGE | Flag.BLENDED | Flag.BAD_PIXELS | Flag.NOT_DETECTED
    | Flag.OFF_CENTRE | Flag.LOW_SNR | Flag.PIXELS_DOUBTFUL
)

#: A result with any of these never counts for an alert.
NEVER_ALERTS = (
    Flag.SATURATED | Flag.EDGE | Flag.BLENDED | Flag.BAD_PIXELS | Flag.NOT_DETECTED
    | Flag.OFF_CENTRE | Flag.NO_CALIBRATORS | Flag.WITHDRAWN | Flag.POOR_FIT | Flag.TIME_DOUBTFUL
    | Flag.UPPER_LIMIT | Flag.PIXELS_DOUBTFUL | Flag.OTHER_APERTURE
    | Flag.PLACE_UNCONFIRMED
)


@lru_cache(maxsize=4096)
def names(flags: int) -> tuple[str, ...]:
    """Names of the flags set, in lower case, such as ``("saturated", "edge")``."""
    return tuple(str(flag.name).lower() for flag in Flag if flags & flag)
