"""Frames of observatories about the Pacific, north of the equator."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    # The keywords of Subaru and its kin; UT is of any moment, UT-STR of the start.
    "Kanata, HONIR": Case(
        cards="""
OBSERVAT= 'HHAO    '           / Observatory
TELESCOP= 'KANATA  '           / Telescope
INSTRUME= 'HONIR   '           / Instrument
DETECTOR= 'HAMAMATSU FDCCD'    / Detector
DATE-OBS= '2014-01-31'         / [yyyy-mm-dd] UTC date of exposure start
UT      = '13:05:40.120'       / [HMS] typical UTC of exposure
UT-STR  = '13:05:10.120'       / [HMS] UTC at exposure start
UT-END  = '13:06:10.120'       / [HMS] UTC at exposure end
MJD     =      56688.545256944 / [day] MJD at exposure start
EXPTIME =                60.00 / [sec] Exposure time
BIN-FCT1=                    1 / Binning factor in X
BIN-FCT2=                    1 / Binning factor in Y
GAIN    =                 11.6 / [e-/ADU] conversion factor
RA      = '08:54:48.87'        / [HMS] right ascension
DEC     = '+20:06:30.6'        / [DMS] declination
""",
        frames=(
            Frame(name="HN0101.fits", cards="DATA-TYP= 'BIAS    '\nOBJECT  = 'BIAS'\n"
                  "FILTER01= 'R       '", facts={"kind": "bias", "object": "BIAS"}),
            Frame(name="HN0102.fits", cards="DATA-TYP= 'DOMEFLAT'\nOBJECT  = 'FLAT'\n"
                  "FILTER01= 'R       '", facts={"kind": "flat", "object": "FLAT", "band": "R"}),
            Frame(name="HN0103.fits", cards="DATA-TYP= 'OBJECT  '\nOBJECT  = 'OJ287'\n"
                  "FILTER01= 'R       '", facts={"object": "OJ287", "band": "R"})),
        facts={"exptime": 60.0, "start": "2014-01-31T13:05:10.1", "gain": 11.6,
               "pointing": (133.704, 20.109)}),

    "Perkins, PRISM": Case(
        cards="""
OBSERVAT= 'LOWELL  '           / observatory
TELESCOP= 'PERKINS '           / telescope name
INSTRUME= 'PRISM   '           / instrument
DATE-OBS= '2010-03-04'         / UT date of start of observation (yyyy-mm-dd)
UT      = '05:12:44.90'        / UT at start
UTCSTART= '05:12:44.90'        / UTC at start
EXPTIME =                180.0 / exposure time (s)
CRDELT1 =                    1 / column binning
CRDELT2 =                    1 / row binning
GAIN    =                 2.72 / gain, electrons per adu
RDNOISE =                 7.45 / read noise, electrons
TELRA   = '03:19:48.2'         / telescope RA
TELDEC  = '+41:30:42'          / telescope DEC
FILTNME1= 'Open    '           / filter wheel 1
FILTNME2= 'Open    '           / filter wheel 2
""",
        frames=(
            Frame(name="100304.001", cards="OBSTYPE = 'BIAS'\nOBJECT  = 'bias'\n"
                  "FILTNME3= 'Open    '", facts={"kind": "bias", "object": "bias"}),
            Frame(name="100304.011", cards="OBSTYPE = 'SKY FLAT'\nOBJECT  = 'flat V'\n"
                  "FILTNME3= 'V       '",
                  facts={"kind": "flat", "object": "flat V", "band": "V"}),
            Frame(name="100304.101", cards="OBSTYPE = 'OBJECT'\nOBJECT  = 'NGC1275'\n"
                  "FILTNME3= 'V       '", facts={"object": "NGC1275", "band": "V"})),
        facts={"exptime": 180.0, "start": "2010-03-04T05:12:44.9", "gain": 2.72, "noise": 7.45,
               "pointing": (49.951, 41.512)}),

    # LONGITUD has no sign: where it stood to the east the Sun would be up.
    "a longitude to the west without a sign": Case(
        cards="""
TELESCOP= 'Cecilia '
INSTRUME= 'Main    '
UT-OBS  = '2017-12-20T01:33:43'
EXPTIME =                   60
LATITUDE=                31.68
LONGITUD=               110.88
FILTER  = 'Clear   '
DATE-OBS= '2017-12-20'
RA      = '02:04:10'
DEC     = '+46:41:16'
""",
        frames=(Frame(name="hatp32.fits"),),
        facts={"exptime": 60.0, "start": "2017-12-20T01:33:43.0", "band": "C", "masters": (),
               "place": (31.68, -110.88, 0.0), "pointing": (31.042, 46.688)},
        says=("the Sun is up there",)),

    # Ready-made images of a survey: of the calibration it says nothing that others would.
    "ZTF": Case(
        cards="""
ORIGIN  = 'Zwicky Transient Facility' / Origin of these image data
TELESCOP= 'P48     '           / Palomar Samuel Oschin 48-inch
INSTRUME= 'ZTF/MOSAIC'         / Instrument
IMGTYPE = 'object  '           / Image type
EXPTIME =                  30. / [s] Exposure time
SHUTOPEN= '2020-05-02T05:11:38.522' / Shutter Open UTC
UTC-OBS = '2020-05-02T05:11:38.522' / UTC time shutter open
OBSJD   =      2458971.7164180 / [day] Julian day corresponds to UTC-OBS
OBSMJD  =        58971.2164180 / [day] MJD corresponds to UTC-OBS
GAIN    =                6.141 / [e-/ADU] Gain
READNOI =                9.902 / [e-] Read noise
SATURATE=     54443.7783203125 / [DN] Saturation level
CCDSUM  = '1 1     '           / Binning
PIXSCALE=                1.012 / [arcsec/pixel]
RA      = '16:53:52.2'
DEC     = '+39:45:36'
""",
        frames=(
            Frame(name="ztf_20200502216447_r_sciimg.fits", cards="FILTER  = 'ZTF r   '",
                  facts={"band": "r"}),
            Frame(name="ztf_20200502216448_g_sciimg.fits", cards="FILTER  = 'ZTF g   '",
                  facts={"band": "g"})),
        facts={"exptime": 30.0, "start": "2020-05-02T05:11:38.5", "gain": 6.141, "noise": 9.902,
               "saturation": 54443.7783203125, "pointing": (253.468, 39.76), "scale": 1.012,
               "masters": ()}),

    # The Nickel telescope: a time that is the end of the exposure by its remark.
    "Lick, Nickel": Case(
        cards="""
OBSERVAT= 'Lick    '           / observatory
TELESCOP= 'Nickel 40-inch'     / telescope
INSTRUME= 'Nickel Direct Camera'
VERSION = 'nickel_direct'
DATE-BEG= '2019-05-06T05:12:29.31' / beginning of the exposure
DATE-OBS= '2019-05-06T05:12:29.31' / Time of exposure start
DATE-END= '2019-05-06T05:14:29.31' / end of the exposure
EXPTIME =                  120 / exposure time (seconds)
CDELT1U =                    2 / binning in column direction
CDELT2U =                    2 / binning in row direction
GAIN    =                    2 / gain index
RA      = '15:12:50.53'
DEC     = '-09:05:59.8'
OBJECT  = 'pks1510 '
FILTNAM = 'R       '
COVER   =                   32 / number of overscan columns
""",
        frames=(Frame(name="d1031.fits", cards="OBSTYPE = 'OBJECT'"),
                Frame(name="d1001.fits", cards="OBSTYPE = 'DARK'",
                      facts={"kind": "dark", "band": None}),
                Frame(name="d1011.fits", cards="OBSTYPE = 'FLAT'", facts={"kind": "flat"})),
        facts={"exptime": 120.0, "start": "2019-05-06T05:12:29.3", "binning": 2,
               "pointing": (228.211, -9.1), "object": "pks1510", "masters": ("dark", "flat"),
               "band": "R"}),

    "Apache Point 3.5 m, ARCTIC": Case(
        cards="""
OBSERVAT= 'APO     '           / Per the IRAF observatory list.
TELESCOP= '3.5m    '
INSTRUME= 'arctic  '           / Instrument name
LATITUDE=   +3.27803611111E+01 / Latitude of telescope base
LONGITUD=   -1.05820416667E+02 / Longitude of telescope base
TIMESYS = 'UTC-0   '           / Time system used
DATE-OBS= '2018-03-11T05:12:29.312350' / Date and time of start of exposure
UTC-OBS = '05:12:29.31'
EXPTIME =                 60.0 / Exposure time, in seconds
CCDBIN1 =                    3 / Column binning
CCDBIN2 =                    3 / Row binning
BEGX    =                    0 / beginning column of CCD window
GAIN    =                 2.00 / gain (e-/ADU)
RDNOISE =                  3.7 / readnoise (e-)
OBJNAME = 'OJ 287  '           / Object Name from TUI
RA      = '8:54:48.88'         / RA  telescope is pointing to
DEC     = '20:06:30.60'        / DEC telescope is pointing to
FILTER  = 'SDSS r  '
BSEC11  = '[101:120,1:50]'
BIASSEC = '[101:120,1:100]'
DATASEC = '[1:100,1:100]'
""",
        frames=(Frame(name="OJ287.0001.fits", cards="IMAGETYP= 'Object'"),
                Frame(name="bias.0001.fits", cards="IMAGETYP= 'Bias'",
                      facts={"kind": "bias", "band": None})),
        facts={"exptime": 60.0, "start": "2018-03-11T05:12:29.3", "band": "r", "gain": 2.0,
               "noise": 3.7, "binning": 3, "pointing": (133.704, 20.109), "object": "OJ 287",
               "trim": (0, 100, 0, 100), "overscan": (100, 120, 0, 100), "shape": (100, 100),
               "place": (32.78036, -105.82042, 0.0), "masters": ("bias",)}),

    "Pan-STARRS, one chip of the stack's exposures": Case(
        cards="""
TELESCOP= 'PS1     '           / Telescope of origin
INSTRUME= 'GPC1    '           / Instrument used
DETECTOR= 'GPC1    '
MJD-OBS =         57000.512345 / Time of exposure
TIMESYS = 'TAI     '           / Time system
EXPTIME =                 45.0 / Exposure time (sec)
FILTERID= 'r.00000 '           / Filter used
OBJECT  = 'OJ287   '
RA      = '08:54:48.87'
DEC     = '+20:06:30.6'
""",
        frames=(Frame(name="o7000g0001o.fits"),),
        facts={"exptime": 45.0, "start": "2014-12-09T12:17:11.6", "band": "r",
               "pointing": (133.704, 20.109), "object": "OJ287", "masters": ()},
        says=("the time scale TAI",)),
}
