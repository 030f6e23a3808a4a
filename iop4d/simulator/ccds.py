"""The cameras of the five instruments, as they are read out.

Zero points follow from that of AndorT90 (see ``camera``) by the mirrors' areas and the gains; a
star's magnitude is that of all its light, so that with two images each gives half of it. In
polaroid frames the loss in the polaroid is left out: their mean is what a frame without one shows.
"""

from __future__ import annotations

from iop4d.simulator.camera import ANDOR_T90, Ccd, Window

_OSN_SKY = ANDOR_T90.sky_mag

#: RoperT90: the same telescope with a gain of 7.14, and not as sensitive in the blue.
ROPER_T90 = Ccd(
    name="RoperT90", shape=(1024, 1024), pixel_arcsec=0.774, gain_e_adu=7.14, read_noise_e=10.0,
    bias_adu=410.0, full_adu=65535.0,
    zero_point={"B": 20.2, "V": 20.5, "R": 20.5, "I": 20.0}, sky_mag=_OSN_SKY,
    diameter_m=0.9, height_m=2896.0, seed=91)

#: AndorT150 binned 2x2: 2.8 times the light of the 0.9 m telescope, 1.12 mag.
ANDOR_T150 = Ccd(
    name="AndorT150", shape=(1024, 1024), pixel_arcsec=0.464, gain_e_adu=4.5, read_noise_e=8.0,
    bias_adu=350.0, full_adu=65535.0,
    zero_point={"B": 22.02, "V": 22.22, "R": 22.12, "I": 21.62}, sky_mag=_OSN_SKY,
    diameter_m=1.5, height_m=2896.0, seed=150)

#: CAFOS: the middle of its chip. 2.2 m give 6 times the light of 0.9 m, less what the collimator,
#: the plate and the prism lose.
CAFOS = Ccd(
    name="CAFOS", shape=(2048, 2048), pixel_arcsec=0.530, gain_e_adu=1.45, read_noise_e=5.0,
    bias_adu=690.0, full_adu=65535.0,
    zero_point={"B": 23.6, "V": 23.9, "R": 23.8, "I": 23.2},
    sky_mag={"B": 22.0, "V": 21.3, "R": 20.7, "I": 19.2},
    diameter_m=2.2, height_m=2168.0, seed=220)
CAFOS_PHOTOMETRY = Window(x=400, y=400, nx=1024, ny=1024)
CAFOS_POLARIMETRY = Window(x=512, y=512, nx=800, ny=800)

#: DIPOL binned 2x2: a CMOS camera of a gain of 1, with dark current.
DIPOL = Ccd(
    name="DIPOL", shape=(2822, 4144), pixel_arcsec=0.134, gain_e_adu=1.0, read_noise_e=3.5,
    bias_adu=250.0, full_adu=65535.0,
    zero_point={"B": 22.2, "V": 22.5, "R": 22.3}, sky_mag=_OSN_SKY,
    diameter_m=0.9, height_m=2896.0, seed=16, dark_e_s=0.03, dtype="f4")
DIPOL_PART = (1120, 896)  # pixels (x, y) of a sub-frame: 2.5 by 2.0 arcmin
