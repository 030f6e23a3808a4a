"""Frames of observatories in Europe and on the Canary Islands."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    # The filter stands in one of three wheels, the others are open; the grism's wheel is not one.
    "NOT, ALFOSC": Case(
        cards="""
TELESCOP= 'NOT     '           / Telescope name
INSTRUME= 'ALFOSC_FASU'        / Instrument name
DETNAME = 'CCD14   '           / Detector name
EXPTIME =              30.0000 / Exposure time (s)
DETXBIN =                    1 / Binning factor in x
DETYBIN =                    1 / Binning factor in y
RA      =           137.491667 / [deg] Telescope RA
DEC     =            44.500000 / [deg] Telescope declination
ALGRNM  = 'Open_(Lyot)'        / ALFOSC Grism Wheel name
""",
        extension="""
GAIN    =                 0.16 / Gain (e/ADU)
RDNOISE =                  4.3 / Readout noise (e)
""",
        frames=(
            Frame(name="ALdc050001.fits", cards="""
IMAGETYP= 'BIAS    '
OBJECT  = 'bias    '
DATE-OBS= '2019-03-05T17:40:00.0' / Start of observation (UT)
DATE-AVG= '2019-03-05T17:40:15.0' / Midpoint of observation (UT)
ALFLTNM = 'Open    '
FAFLTNM = 'Open    '
FBFLTNM = 'Open    '
""", facts={"kind": "bias", "object": "bias", "start": "2019-03-05T17:40:00.0"}),
            Frame(name="ALdc050031.fits", cards="""
IMAGETYP= 'FLAT,SKY'
OBJECT  = 'skyflat '
DATE-OBS= '2019-03-05T19:40:00.0' / Start of observation (UT)
ALFLTNM = 'Open    '
FAFLTNM = 'Open    '
FBFLTNM = 'R_Bes 650_130'
""", facts={"kind": "flat", "object": "skyflat", "band": "R", "start": "2019-03-05T19:40:00.0"}),
            Frame(name="ALdc050101.fits", cards="""
IMAGETYP= 'OBJECT  '
OBJECT  = 'OJ287   '
DATE-OBS= '2019-03-05T22:10:03.6' / Start of observation (UT)
ALFLTNM = 'Open    '
FAFLTNM = 'Open    '
FBFLTNM = 'R_Bes 650_130'
""", facts={"object": "OJ287", "band": "R", "start": "2019-03-05T22:10:03.6"}),
            Frame(name="ALdc050102.fits", cards="""
IMAGETYP= 'OBJECT  '
OBJECT  = 'OJ287   '
DATE-OBS= '2019-03-05T22:12:03.6' / Start of observation (UT)
ALFLTNM = 'Open    '
FAFLTNM = 'V_Bes 530_80'
FBFLTNM = 'Open    '
""", facts={"object": "OJ287", "band": "V", "start": "2019-03-05T22:12:03.6"}),
            Frame(name="ALdc050103.fits", cards="""
IMAGETYP= 'OBJECT  '
OBJECT  = 'OJ287   '
DATE-OBS= '2019-03-05T22:14:03.6' / Start of observation (UT)
ALFLTNM = 'i_int 797_157'
FAFLTNM = 'Open    '
FBFLTNM = 'Open    '
""", facts={"object": "OJ287", "band": "i", "start": "2019-03-05T22:14:03.6"})),
        facts={"exptime": 30.0, "pointing": (137.492, 44.5), "gain": 0.16, "noise": 4.3}),

    # Reduced by the observatory: bias and flat are done, by cards of its own.
    "Liverpool Telescope, IO:O": Case(
        cards="""
TELESCOP= 'Liverpool Telescope' / The Name of the Telescope
INSTRUME= 'IO:O    '           / Instrument used.
DETECTOR= 'e2v CCD 231-84'     / Science grade chip.
DATE    = '2014-03-12'         / [UTC] The start date of the observation
UTSTART = '20:03:59.229'       / [UTC] The start time of the observation
MJD     =         56728.836102 / [days] Modified Julian Days.
OBJECT  = '3C279   '
EXPTIME =           99.5000000 / [Seconds] Exposure length.
FILTER2 = 'clear   '           / The second filter wheel filter type.
FILTER3 = 'clear   '           / The third filter wheel filter type.
GAIN    =            1.6200000 / [electrons/count] calibrated
READNOIS=            8.0000000 / [electrons/pixel]
CCDXBIN =                    2 / [pixels] X binning factor
CCDYBIN =                    2 / [pixels] Y binning factor
CCDXPIXE=            0.0000150 / [m] Size of pixels, in X:15um
CCDSCALE=            0.3037000 / [arcsec/binned pixel] Scale of binned image
CCDATEMP=                  166 / [Kelvin] Actual temperature.
CCDWMODE=                    F / Using windows if TRUE, full image if FALSE
LATITUDE=           28.7624000 / [degrees] Observatory Latitude
LONGITUD=          -17.8792000 / [degrees West] Observatory Longitude
RA      = ' 12:56:11.17'       / [HH:MM:SS.ss] Currently same as CAT_RA
DEC     = '-05:47:21.53'       / [DD:MM:SS.ss] Currently same as CAT_DEC
OBSTYPE = 'EXPOSE  '           / What type of observation has been taken
L1STATOV=                   23 / Status flag for DP(RT) overscan correction
L1STATZE=                   -1 / Status flag for DP(RT) bias frame (zero) correction
L1STATZM=                    1 / Status flag for DP(RT) bias frame subtraction method
L1STATDA=                   -1 / Status flag for DP(RT) dark frame correction
L1STATTR=                    1 / Status flag for DP(RT) overscan trimming
L1STATFL=                    1 / Status flag for DP(RT) flatfield correction
""",
        frames=(
            Frame(name="h_e_20140312_34_1_1_1.fits", cards="""
DATE-OBS= '2014-03-12T20:03:59.229' / [UTC] The start time of the observation
FILTER1 = 'SDSS-R  '           / The first filter wheel filter type.
""", facts={"band": "r", "start": "2014-03-12T20:03:59.2"}),
            Frame(name="h_e_20140312_35_1_1_1.fits", cards="""
DATE-OBS= '2014-03-12T20:03:59.229' / [UTC] The start time of the observation
FILTER1 = 'Bessell-V'          / The first filter wheel filter type.
""", facts={"band": "V", "start": "2014-03-12T20:03:59.2"})),
        facts={"object": "3C279", "exptime": 99.5, "pointing": (194.047, -5.789), "gain": 1.62,
               "noise": 8.0, "binning": 2, "scale": 0.3037, "place": (28.7624, -17.8792, 0.0),
               "calibrated": ("bias", "flat"), "masters": ()}),

    "INT, WFC, one chip": Case(
        cards="""
OBSERVAT= 'LAPALMA '           / Name of observatory
TELESCOP= 'INT     '           / 2.5m Isaac Newton Telescope
INSTRUME= 'WFC     '           / Instrument configuration
DETECTOR= 'WFC     '           / Formatted id for acquisition system
DATE-OBS= '2012-06-12'         / Date of start of observation
UTSTART = '21:44:03.1'         / Universal time of start of observation
UT      = '21:44:03.1'         / Universal time of start of observation
EXPTIME =                 60.0 / Exposure time in seconds
CCDXBIN =                    1 / Binning factor, x axis
CCDYBIN =                    1 / Binning factor, y axis
SECPPIX =                0.333 / Arcseconds per pixel
GAIN    =                  2.8 / Electrons per ADU
READNOIS=                  6.4 / Readout noise in electrons
RA      = '16:53:52.2'         / RA (16:53:52.2)
DEC     = '+39:45:36'          / DEC
LATITUDE=            28.761944 / Telescope latitude  (degrees)
LONGITUD=            17.877639 / Telescope longitude (degrees west)
HEIGHT  =                 2348 / [m] Height above sea level
""",
        frames=(
            Frame(name="r0000001.fit", cards="OBSTYPE = 'BIAS'\nOBJECT  = 'bias'\n"
                  "WFFBAND = 'r       '", facts={"kind": "bias", "object": "bias"}),
            Frame(name="r0000011.fit", cards="OBSTYPE = 'SKY FLAT'\nOBJECT  = 'sky'\n"
                  "WFFBAND = 'r       '", facts={"kind": "flat", "object": "sky", "band": "r"}),
            Frame(name="r0000101.fit", cards="OBSTYPE = 'TARGET'\nOBJECT  = 'Mrk 501'\n"
                  "WFFBAND = 'r       '", facts={"object": "Mrk 501", "band": "r"})),
        facts={"exptime": 60.0, "start": "2012-06-12T21:44:03.1", "gain": 2.8, "noise": 6.4,
               "pointing": (253.468, 39.76), "scale": 0.333,
               "place": (28.76194, -17.87764, 2348.0)}),

    "IAC80, CAMELOT": Case(
        cards="""
ORIGIN  = 'IAC     '
TELESCOP= 'IAC80   '
INSTRUME= 'CAMELOT2'
DATE-OBS= '2021-03-04T22:33:11.250' / UTC start
UT      = '22:33:11.250'
EXPTIME =                 90.0
CCDSUM  = '1 1     '
GAIN    =                 2.15 / e-/ADU
RDNOISE =                 5.30 / e-
RA      = '09:58:19.6'
DEC     = '+65:33:55'
LATITUD =            28.300278
""",
        frames=(
            Frame(name="B21030401.fits", cards="OBSTYPE = 'BIAS'\nOBJECT  = 'bias'",
                  facts={"kind": "bias", "object": "bias"}),
            Frame(name="F21030401.fits", cards="OBSTYPE = 'FLAT'\nOBJECT  = 'flat'\n"
                  "INSFILTE= 'R Johnson'", facts={"kind": "flat", "object": "flat", "band": "R"}),
            Frame(name="O21030401.fits", cards="OBSTYPE = 'OBJECT'\nOBJECT  = 'S4 0954+65'\n"
                  "INSFILTE= 'R Johnson'", facts={"object": "S4 0954+65", "band": "R"})),
        facts={"exptime": 90.0, "start": "2021-03-04T22:33:11.2", "gain": 2.15, "noise": 5.3,
               "pointing": (149.582, 65.565)}),

    # Date and hour apart, the year in front.
    "TUBITAK, T100": Case(
        cards="""
OBSERVAT= 'TUG     '
TELESCOP= 'T100    '
INSTRUME= 'SI 1100 '
DATE-OBS= '2013-08-09'         / Observation date
TIME-OBS= '20:15:33.55'        / Observation start time UT
JD      =       2456514.344138
EXPTIME =                120.0 / Exposure time in seconds
XBINNING=                    1
YBINNING=                    1
XPIXSZ  =                 15.0
OBJCTRA = '22 02 43.3'
OBJCTDEC= '+42 16 40'
GAIN    =                    1 / gain setting
""",
        frames=(
            Frame(name="bias001.fits", cards="IMAGETYP= 'Bias'", facts={"kind": "bias"}),
            Frame(name="flatR01.fits", cards="IMAGETYP= 'Flat'\nFILTER  = 'R'",
                  facts={"kind": "flat", "band": "R"}),
            Frame(name="bllac01.fits", cards="IMAGETYP= 'object'\nOBJECT  = 'BLLac'\n"
                  "FILTER  = 'R'", facts={"object": "BLLac", "band": "R"})),
        facts={"exptime": 120.0, "start": "2013-08-09T20:15:33.5", "pointing": (330.680, 42.278)},
        says=("the gain in electrons",)),

    # The robotic system RTS2; its pointing is in degrees, and TELRA of others in hours.
    "D50, RTS2": Case(
        cards="""
ORIGIN  = 'AI AS CR'
TELESCOP= 'D50     '           / prefix name of telescope
INSTRUME= 'NF4     '           / name of the data acquisition system
CCD_NAME= 'C0      '           / camera name
CTIME   =           1292976123 / exposure start (seconds since 1.1.1970)
USEC    =               500000 / exposure start micro seconds
JD      =     2455552.50142940 / exposure JD
DATE-OBS= '2010-12-22T00:02:03.500' / start of exposure
EXPOSURE=                 20.0 / exposure length in seconds
EXPTIME =                 20.0 / exposure length in seconds
BINNING = '1x1     '           / chip binning
TELRA   =            10.684708 / [deg] mount RA
TELDEC  =            41.268750 / [deg] mount DEC
OBJECT  = 'M31     '
""",
        frames=(
            Frame(name="20101222000203-500.fits", cards="IMAGETYP= 'object'\nFILTER  = 'R'",
                  facts={"band": "R", "object": "M31"}),
            Frame(name="20101222000205-500.fits", cards="IMAGETYP= 'dark'\nFILTER  = 'R'",
                  facts={"kind": "dark", "object": "M31"})),
        facts={"exptime": 20.0, "start": "2010-12-22T00:02:03.5", "pointing": (10.685, 41.269),
               "masters": ("dark",)}),

    # AudeLA: the focal length is in metres.
    "TAROT, AudeLA": Case(
        cards="""
TELESCOP= 'TAROT CALERN'       / Telescope (name)
INSTRUME= 'Andor   '           / Camera used
DATE-OBS= '2007-05-03T01:12:11.120' / Begin of exposure UT
EXPOSURE=                 60.0 / [s] Total time of exposure
BIN1    =                    2
BIN2    =                    2
PIXSIZE1=                 13.5 / [um] Pixel dimension
PIXSIZE2=                 13.5 / [um] Pixel dimension
FOCLEN  =                0.844 / [m] Telescope focal length
GAIN    =                  2.8 / [e/ADU] Gain
READOUT =                  8.5 / [e] noise
FILTER  = 'R       '           / Filter
RA      =              253.467 / [deg] telescope
DEC     =               39.760 / [deg] telescope
OBS-LAT =            43.752222 / [deg]
OBS-LONG=             6.923531 / [deg] east positive
OBS-ELEV=               1270.0 / [m]
""",
        frames=(Frame(name="IM_20070503_011211.fits", cards="OBJECT  = 'Mrk 501'"),),
        facts={"exptime": 60.0, "start": "2007-05-03T01:12:11.1", "band": "R", "binning": 2,
               "gain": 2.8, "pointing": (253.467, 39.76), "object": "Mrk 501", "masters": (),
               "scale": 6.5986, "place": (43.75222, 6.92353, 1270.0)}),

    "Asiago, 1990s": Case(
        cards="""
OBSERVAT= 'ASIAGO  '
TELESCOP= '1.82m Copernico'
INSTRUME= 'AFOSC   '
DATE-OBS= '25/01/99'           / date of observation (dd/mm/yy)
UT-START= '20:11:43'           / UT at start
EXPTIME =                300.0 / seconds
BINX    =                    1
BINY    =                    1
GAIN    =                 2.18 / e-/ADU
RDNOISE =                 9.60 / e-
RA      = '09:58:19.6'
DEC     = '+65:33:55'
FILTER  = 'R       '
OBJECT  = 'S4 0954'
""",
        frames=(Frame(name="afosc1234.fits", cards="IMAGETYP= 'OBJECT'"),),
        facts={"exptime": 300.0, "start": "1999-01-25T20:11:43.0", "band": "R", "gain": 2.18,
               "noise": 9.6, "pointing": (149.582, 65.565), "object": "S4 0954", "masters": ()}),

    # Right ascension in degrees, minutes and seconds; a Julian date alone.
    "a header with degrees in sexagesimal and JD alone": Case(
        cards="""
TELESCOP= 'AZT-8   '
INSTRUME= 'ST-7    '
JD      =      2455552.5014525 / mid-exposure
EXPTIME =                   60
FILTER  = 'R       '
RA      = '253:28:03'          / degrees
DEC     = '+39:45:36'
""",
        frames=(Frame(name="mrk501.fits", cards="IMAGETYP= 'object'"),),
        facts={"exptime": 60.0, "start": "2010-12-22T00:01:35.4", "band": "R",
               "pointing": (253.468, 39.76), "masters": ()}),

    # The date is that of the evening, the hour is in UT of the morning after.
    "an old header whose date is the evening's": Case(
        cards="""
TELESCOP= '0.7m    '
INSTRUME= 'TK512   '
DATE-OBS= '11/03/97'           / dd/mm/yy
UT      = '02:11:43'
JD      =          2450519.5915
EXPTIME =                  300
FILTER  = 'V       '
""",
        frames=(Frame(name="n1011.fits", cards="IMAGETYP= 'object'"),),
        facts={"exptime": 300.0, "start": "1997-03-11T02:11:43.0", "band": "V", "masters": ()},
        says=("which time is right: UT and JD",)),

    "Calar Alto, LAICA, one chip": Case(
        cards="""
OBSERVAT= 'CAHA    '
TELESCOP= 'CA-3.5  '
INSTRUME= 'LAICA   '
DATE-OBS= '2009-03-11T22:12:29' / UT-date
DATE    = '2009-03-11T22:14:49'
UT_START=           79949.0000 / 22:12:29
MJD-OBS =          54901.92533
EXPTIME =              120.000 / total integ. time
CCDBINX =                    1
CCDBINY =                    1
CCDSENS =                 1.90 / e-/ADU
CCDREAD =                 6.30
INSFLNAM= "r' SDSS "
RA      =            133.70360 / telescope
DEC     =             20.10850
OBJECT  = 'OJ287   '
""".replace('"r\' SDSS "', "'r'' SDSS'"),
        frames=(Frame(name="oj0001_1.fits", cards="IMAGETYP= 'science'"),
                Frame(name="bias0001_1.fits", cards="IMAGETYP= 'bias'",
                      facts={"kind": "bias", "band": None})),
        facts={"exptime": 120.0, "start": "2009-03-11T22:12:29.0", "band": "r", "gain": 1.9,
               "pointing": (133.704, 20.108), "object": "OJ287", "masters": ("bias",)}),

    "STELLA, WiFSIP": Case(
        cards="""
ORIGIN  = 'AIP     '
TELESCOP= 'STELLA-I'
INSTRUME= 'WIFSIP V2.0'
DATE-OBS= '2018-03-11T22:12:29.5' / Observation start
TIME-OBS= '22:12:29.5'
UT      = '22:12:29.5'         / UT at exposure start
JD-OBS  =       2458189.425341 / Julian Date at start
EXPT    =               120000 / [ms] exposure time
EXPTIME =                120.0 / [s] exposure time
CCDSUM  = '1 1     '
GAIN    =                  4.2 / e-/ADU
READNOIS=                  8.0 / e-
FILTER  = 'rp      '
OBJNAME = 'OJ287   '
OBJRA   =             133.7036 / [deg]
OBJDEC  =              20.1085 / [deg]
LATITUDE=            28.301214 / [deg]
LONGITUD=           -16.509246 / [deg]
OBS-ALT =                2390. / [m]
""",
        frames=(Frame(name="science20180311A-0001EXP0001.fits", cards="IMAGETYP= 'object'"),),
        facts={"exptime": 120.0, "start": "2018-03-11T22:12:29.5", "band": "r", "gain": 4.2,
               "noise": 8.0, "pointing": (133.704, 20.108), "object": "OJ287",
               "place": (28.30121, -16.50925, 2390.0), "masters": ()}),
}
