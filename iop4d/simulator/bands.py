"""What the simulated telescope and sky are like in each band (0.9 m telescope, Sierra Nevada)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Band:
    """A Johnson-Cousins band.

    ``zero_point_mag``: magnitude of a star that gives 1 ADU/s above the atmosphere, at the
    camera's gain; ``sky_mag``: dark sky at the zenith, mag/arcsec^2; ``extinction_mag``: mag per
    airmass.
    """

    name: str
    zero_point_mag: float
    sky_mag: float
    extinction_mag: float


#: R: Vega gives 1.0e10 photons/s/m^2 in Cousins R (Bessell 1979, PASP 91, 589); 0.57 m^2 clear
#: area and a throughput of 0.34 give 1.95e9 e-/s, at 4.5 e-/ADU 21.6 mag for 1 ADU/s. The other
#: bands by the width of the filter and the silicon's response. A star of R = 14 gives in 60 s at
#: the zenith 60,000 ADU = 2.7e5 electrons; one of R = 12 nears the converter's end in good seeing.
BANDS: dict[str, Band] = {
    band.name: band for band in (
        Band(name="B", zero_point_mag=21.4, sky_mag=22.2, extinction_mag=0.22),
        Band(name="V", zero_point_mag=21.6, sky_mag=21.4, extinction_mag=0.13),
        Band(name="R", zero_point_mag=21.6, sky_mag=20.8, extinction_mag=0.09),
        Band(name="I", zero_point_mag=20.9, sky_mag=19.4, extinction_mag=0.06),
    )
}

#: Order of the columns wherever magnitudes of all bands stand in one array.
ORDER: tuple[str, ...] = tuple(BANDS)
