"""Frames of observatories in Asia, and others of no place of their own in these lists."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    "Himalayan Chandra Telescope, HFOSC": Case(
        cards="""
OBSERVAT= 'IAO     '
TELESCOP= 'HCT     '
INSTRUME= 'HFOSC   '
DATE-OBS= '2006-05-12'         / UT date
TM_START=               66612. / UT at start, seconds since midnight
TM_END  =               66672. / UT at end
EXPTIME =                  60. / seconds
FILTER  = '5 Bes R '
GRISM   = '1 Free  '
APERTUR = '1 Free  '
XBINNING=                    1
YBINNING=                    1
""",
        frames=(
            Frame(name="bias01.fits", cards="OBJECT  = 'bias    '\nIMAGETYP= 'zero'",
                  facts={"kind": "bias", "object": "bias"}),
            Frame(name="flatr1.fits", cards="OBJECT  = 'flat R  '\nIMAGETYP= 'flat'",
                  facts={"kind": "flat", "object": "flat R", "band": "R"}),
            Frame(name="oj287r1.fits", cards="OBJECT  = 'OJ287   '\nIMAGETYP= 'object'",
                  facts={"object": "OJ287", "band": "R"})),
        facts={"exptime": 60.0, "start": "2006-05-12T18:30:12.0"}),

    "Lijiang 2.4 m, YFOSC": Case(
        cards="""
TELESCOP= '2.4m    '           / LJT
INSTRUME= 'YFOSC   '
OBSTYPE = 'Object  '
OBJECT  = 'S5 0716+714'
DATE-OBS= '2014-03-11T14:20:31' / UT, start of exposure
EXPTIME =                  30. / exposure time in second
FILTER1 = 'Free    '
FILTER2 = 'Bessell_R'
FILTER3 = 'Grism_free'
RA      = '07:21:53.4'
DEC     = '+71:20:36 '
GAIN    =                 0.33 / e-/ADU
RDNOISE =                 7.80 / e-
BINX    =                    1
BINY    =                    1
""",
        frames=(Frame(name="ljt_0012.fits"),),
        facts={"exptime": 30.0, "start": "2014-03-11T14:20:31.0", "band": "R", "gain": 0.33,
               "noise": 7.8, "object": "S5 0716+714", "pointing": (110.472, 71.343),
               "masters": ()}),

    # The header's time of day is India's.
    "ARIES, Devasthal": Case(
        cards="""
TELESCOP= 'DFOT    '
INSTRUME= 'Andor 2kx2k'
DATE-OBS= '2015-02-11T01:30:10' / IST, start
JD      =     2457064.33344907 / start
EXPTIME =                 200. / sec
FILTER  = 'R       '
OBJECT  = 'OJ287   '
SITELAT =                29.36
SITELONG=                79.69
""",
        frames=(Frame(name="oj287_r1.fits"),),
        facts={"exptime": 200.0, "start": "2015-02-10T20:00:10.0", "band": "R",
               "object": "OJ287", "place": (29.36, 79.69, 0.0), "masters": ()}),

    "Calar Alto 1.23 m, DLR-MKIII": Case(
        cards="""
ORIGIN  = 'Centro Astronomico Hispano Aleman (CAHA)'
OBSERVAT= 'CAHA    '
TELESCOP= 'CA-1.23 '
INSTRUME= 'DLR-MKIII'          / Instrument
CAMERA  = 'CCD e2v 231-84-NIMO-BI-DD'
EXPTIME =                  60. / exposure time (s)
DATE-OBS= '2016-08-11T22:10:15.021' / UT start of exposure
MJD-OBS =          57611.92378 / MJD of start
UT_START=            79815.021 / [s] UT start
PIXSCALE=                0.314 / arcsec/pix
CCDBINX =                    1 / Binning factor along X
CCDBINY =                    1 / Binning factor along Y
CCDSENS =                  2.2 / [e-/count] CCD gain
CCDRON  =                  7.9 / [e-] CCD readout noise
CCDSAT  =              150000. / [e-] full well
CCDTEMP =               164.15 / [K]
DATASEC = '[1,1,120,100]'
RA      =           253.467570 / [deg]
DEC     =            39.760170 / [deg]
GEOLON  =           -2.5467800
GEOLAT  =           37.2230000
GEOELEV =               2168.0
""",
        frames=(
            Frame(name="bias-0001.fits", cards="IMAGETYP= 'bias    '\nFILTER  = 'free'\n"
                  "OBJECT  = 'bias'", facts={"kind": "bias", "object": "bias"}),
            Frame(name="sky-0011.fits", cards="IMAGETYP= 'flat    '\nFILTER  = 'R'\n"
                  "OBJECT  = 'skyflat R'", facts={"kind": "flat", "band": "R",
                                                 "object": "skyflat R"}),
            Frame(name="mrk501-0101.fits", cards="IMAGETYP= 'science '\nFILTER  = 'R'\n"
                  "OBJECT  = 'Mrk501 R'", facts={"band": "R", "object": "Mrk501 R"})),
        facts={"exptime": 60.0, "start": "2016-08-11T22:10:15.0", "gain": 2.2, "noise": 7.9,
               "scale": 0.314, "pointing": (253.468, 39.76), "place": (37.223, -2.54678, 2168.0)}),

    "TNG, DOLORES": Case(
        cards="""
TELESCOP= 'TNG     '
INSTRUME= 'LRS     '
DETECTOR= 'E2V4240 '
OBS-TYPE= 'OBJECT  '
OBJCAT  = 'BL Lac  '           / Name from catalogue
DATE-OBS= '2012-08-11'         / UT date
EXPSTART= '22:10:15.021'       / UT of the start
EXPTIME =                  60. / s
FLT_ID  = 'R_JOHN_12'
GRM_ID  = 'OPEN    '
SLT_ID  = 'OPEN    '
RA-RAD  =           5.77182130 / radians
DEC-RAD =           0.73782700 / radians
RA-DEG  =          330.7010000
DEC-DEG =           42.2743700
CRDELT1 =                    1
CRDELT2 =                    1
GAIN    =                 0.97 / e-/ADU
RON     =                  9.0 / e-
""",
        frames=(
            Frame(name="LRSJ0001.fts", facts={"band": "R", "object": "BL Lac"}),),
        facts={"exptime": 60.0, "start": "2012-08-11T22:10:15.0", "gain": 0.97, "noise": 9.0,
               "pointing": (330.701, 42.274), "masters": ()}),

    "WHT, ACAM": Case(
        cards="""
OBSERVAT= 'LAPALMA '           / Name of observatory
TELESCOP= 'WHT     '           / 4.2m William Herschel Telescope
INSTRUME= 'ACAM    '           / Instrument
DETECTOR= 'AUXCAM  '           / Formatted id for acquisition system
OBJECT  = 'PG1553+113 '        / Title of observation
OBSTYPE = 'TARGET  '           / Type of observation
LATITUDE=            28.761907 / Telescope latitude (degrees), +28:45:42.9
LONGITUD=           -17.877591 / Telescope longitude (degrees), -17:52:39.3
HEIGHT  =                 2348 / [m] Height above sea level.
SLATEL  = 'WHT     '           / Telescope name known to SLALIB
RA      = '15:55:43.04'        / RA  (15:55:43.04)
DEC     = '+11:11:24.0'        / DEC (+11:11:24.0)
CAT-RA  = '15:55:43.04'        / Target RA
CAT-DEC = '+11:11:24.0'        / Target declination
ACAMFILT= 'SlnR+CLEAR'         / ACAM filters
ACAMWH1 = 'SlnR    '           / ACAM wheel 1
ACAMWH2 = 'CLEAR   '           / ACAM wheel 2
DATE-OBS= '2015-05-12'         / Date at start of exposure
UTSTART = '22:10:15.021'       / UTC at start of exposure
UT      = '22:10:15.021'       / UTC at start of exposure
MJD-OBS =     57154.9237849656 / Modified Julian Date at start
JD      =     2457155.4237850  / Julian Date at start
EXPTIME =               60.000 / Exposure time in seconds
EXPOSED =               60.000 / Exposure time in seconds
CCDXBIN =                    1 / Binning factor in x axis
CCDYBIN =                    1 / Binning factor in y axis
CCDXPIXE=            0.0000150 / [m] Size of pixels in x
SECPPIX =                0.253 / Arcseconds per pixel
GAIN    =                  1.9 / Electrons per ADU
READNOIS=                  4.0 / Readout noise in electrons
""",
        extension="""
EXTNAME = 'im1     '
RTDATSEC= '[1:110,1:100]'
TRIMSEC = '[11:110,1:100]'
BIASSEC = '[2:9,1:100]'
""",
        frames=(Frame(name="r1900001.fit"),),
        facts={"exptime": 60.0, "start": "2015-05-12T22:10:15.0", "band": "r", "gain": 1.9,
               "noise": 4.0, "scale": 0.253, "object": "PG1553+113",
               "pointing": (238.929, 11.19), "place": (28.76191, -17.87759, 2348.0),
               "trim": (10, 110, 0, 100), "overscan": (1, 9, 0, 100), "shape": (100, 100),
               "masters": ()}),

    "Montsec, TJO": Case(
        cards="""
ORIGIN  = 'OAdM    '           / Observatori Astronomic del Montsec
OBSERVAT= 'OAdM    '
TELESCOP= 'TJO     '           / Telescopi Joan Oro
INSTRUME= 'MEIA3   '
OBSLAT  = '42:03:05.8'
OBSLONG = '00:43:46.3'
OBSELEV =                 1568
OBJECT  = 'BLLAC   '
OBSTYPE = 'SCIENCE '
DATE-OBS= '2022-08-12T01:02:03.250' / UTC at start of exposure
MJD-OBS =       59803.04309317
JD      =     2459803.54309317
EXPTIME =               60.000 / Exposure time in seconds
FILTER  = 'R       '
RA      = '22:02:43.29'
DEC     = '+42:16:40.0'
CCDBINX =                    1
CCDBINY =                    1
CCDTEMP =               -100.0
GAIN    =                 1.34 / [e-/ADU]
RDNOISE =                  5.2 / [e-]
""",
        frames=(Frame(name="TJO2459803.54309_R_im_w.fits"),),
        facts={"exptime": 60.0, "start": "2022-08-12T01:02:03.2", "band": "R", "gain": 1.34,
               "noise": 5.2, "object": "BLLAC", "pointing": (330.68, 42.278),
               "place": (42.05161, 0.72953, 1568.0), "masters": ()}),

    "Loiano, BFOSC": Case(
        cards="""
OBSERVAT= 'LOIANO  '
TELESCOP= 'Cassini 1.52m'
INSTRUME= 'BFOSC   '
IMAGETYP= 'object  '
OBJECT  = 'Mrk421  '
DATE-OBS= '11-03-2010'
TIME-OBS= '22:10:15'           / UT
EXPTIME =                120.0 / sec
FILTER  = 'R Cous  '
RA      = '11 04 27.3'
DEC     = '38 12 31 '
BINX    =                    1
BINY    =                    1
GAIN    = '2.22 e-/ADU'
RON     = '1.73 ADU'
""",
        frames=(Frame(name="IMA0012.fits"),),
        facts={"exptime": 120.0, "start": "2010-03-11T22:10:15.0", "band": "R",
               "object": "Mrk421", "pointing": (166.114, 38.209), "gain": 2.22, "masters": ()},
        says=("day/month/year",)),
}
