"""Frames of telescopes that follow blazars, and of their polarimeters."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    # The start in a card START, the scale of both axes in one, the binning as 2x2.
    "SAO RAS, SCORPIO": Case(
        cards="""
OBSERVAT= 'SAO RAS '           / observatory
TELESCOP= 'BTA 6-meter'        / telescope
INSTRUME= 'SCORPIO-2'          / instrument
DETECTOR= 'EEV42-90'           / detector
DATE-OBS= '2013/11/05'         / date (yyyy/mm/dd) of observation
BINNING = '2x2     '           / binning
IMSCALE = '0.357x0.357'        / image scale ("/pix x "/pix)
GAIN    =                 0.57 / gain, electrons per adu
RATE    =                   65 / readout rate, kpix/s
NODE    = 'A       '           / output node
PROG-ID = 'Blazars '           / observer program
""",
        frames=(
            Frame(name="s11340101.fts", cards="""
IMAGETYP= 'bias    '           / object, flat, dark, bias, scan, eta, neon, push
START   = '15:02:11.5'         / observation start time (UT) (hh:mm:ss)
EXPTIME =                  0.0 / actual integration time, sec
OBJECT  = 'bias    '           / object name
""", facts={"kind": "bias", "start": "2013-11-05T15:02:11.5", "object": "bias", "exptime": 0.0}),
            Frame(name="s11340215.fts", cards="""
IMAGETYP= 'obj     '           / object, flat, dark, bias, scan, eta, neon, push
START   = '19:42:08.1'         / observation start time (UT) (hh:mm:ss)
EXPTIME =                120.0 / actual integration time, sec
OBJECT  = 'S5 0716+714'        / object name
FILTERS = 'R       '           / filter
RA      = '07:21:53.4'         / right ascension (hh:mm:ss)
DEC     = '+71:20:36'          / declination (dd:mm:ss)
""", facts={"start": "2013-11-05T19:42:08.1", "object": "S5 0716+714", "exptime": 120.0,
            "band": "R", "pointing": (110.472, 71.343)})),
        facts={"binning": 2, "gain": 0.57, "scale": 0.357, "masters": ("bias",)}),

    # A grism that is free.
    "Asiago, AFOSC": Case(
        cards="""
TELESCOP= 'Copernico'          / Telescope name
INSTRUME= 'AFOSC   '           / Instrument name
DATE-OBS= '2019-03-01T20:11:12.300' / Start of exposure, UTC
EXPTIME =                 60.0 / Exposure time in s
IMAGETYP= 'LIGHT   '           / Type of the image
FILTER  = 'r Sloan '           / Filter
GRISM   = 'free    '           / Grism
SLIT    = 'free    '           / Slit
OBJECT  = 'OJ287   '
RA      =           133.703646 / Telescope RA [deg]
DEC     =            20.108511 / Telescope DEC [deg]
BINX    =                    2 / Binning
BINY    =                    2 / Binning
GAIN    =                  2.0 / e-/ADU
RDNOISE =                  9.7 / e-
PIXSCALE=                 0.52 / arcsec/pixel after binning
SITELAT =            45.848590 / [deg] Latitude
SITELONG=            11.568778 / [deg] Longitude, east
SITEELEV=               1376.2 / [m] Height
""",
        frames=(Frame(name="AF000123.fits"),),
        facts={"exptime": 60.0, "start": "2019-03-01T20:11:12.3", "band": "r", "object": "OJ287",
               "pointing": (133.704, 20.109), "binning": 2, "gain": 2.0, "noise": 9.7,
               "scale": 0.52, "place": (45.84859, 11.56878, 1376.2), "masters": ()}),

    # Date and time apart, DD/MM/YY of old; no kind.
    "KAIT": Case(
        cards="""
TELESCOP= 'K.A.I.T.'
INSTRUME= 'Apogee  '
DATE-OBS= '12/02/99'           / UT date (dd/mm/yy)
UT      = '05:12:33.00'        / UT at start of exposure
EXPTIME =                 60.0 / seconds
OBJECT  = 'mrk421  '
FILTERS = 'R       '
RA      = '11:04:27.3'
DEC     = '38:12:32'
EQUINOX =               2000.0
AIRMASS =                1.021
""",
        frames=(Frame(name="mrk421_r.fit"),),
        facts={"exptime": 60.0, "start": "1999-02-12T05:12:33.0", "band": "R",
               "object": "mrk421", "pointing": (166.114, 38.209), "masters": ()}),

    # Local time beside UTC.
    "Xinglong, TNT": Case(
        cards="""
OBSERVAT= 'Xinglong'
TELESCOP= 'TNT 80cm'
INSTRUME= 'PI VersArray:1300B LN'
DATE-OBS= '2015-01-21'         / UTC date
TIME-OBS= '14:34:12.250'       / UTC of the start
LOCALTIM= '22:34:12.250'       / Beijing time
EXPTIME =                120.0
FILTER  = 'R       '
IMAGETYP= 'LIGHT   '
OBJECT  = '3C66A   '
RA      = '02:22:39.6'
DEC     = '+43:02:08'
XBINNING=                    1
YBINNING=                    1
GAIN    =                  2.3 / e-/ADU
RON     =                 10.0 / e-
SCALE   =                0.515 / arcsec per pixel
""",
        frames=(Frame(name="3C66A-R-0001.fit"),),
        facts={"exptime": 120.0, "start": "2015-01-21T14:34:12.2", "band": "R", "object": "3C66A",
               "pointing": (35.665, 43.036), "gain": 2.3, "noise": 10.0, "scale": 0.515,
               "masters": ()}),

    # Filters with maker and year.
    "Lulin, LOT": Case(
        cards="""
DATE-OBS= '2021-05-11T14:01:53' /YYYY-MM-DDThh:mm:ss observation start, UT
EXPTIME =   120.00000000000000 /Exposure time in seconds
EXPOSURE=   120.00000000000000 /Exposure time in seconds
CCD-TEMP=  -70.000000000000000 /CCD temperature at start of exposure in C
XPIXSZ  =   13.500000000000000 /Pixel Width in microns (after binning)
YPIXSZ  =   13.500000000000000 /Pixel Height in microns (after binning)
XBINNING=                    1 /Binning factor in width
YBINNING=                    1 /Binning factor in height
IMAGETYP= 'Light Frame' /       Type of image
FILTER  = 'rp_Astrodon_2019' /  Filter used when taking image
FOCALLEN=   8000.0000000000000 /Focal length of telescope in mm
TELESCOP= 'ACP->LOT'           / telescope used to acquire this image
INSTRUME= 'Andor Tech (Kinetics)' / instrument or camera used
OBJECT  = 'Mrk501  '
OBJCTRA = '16 53 52.22' /       Nominal Right Ascension of center of image
OBJCTDEC= '+39 45 36.6' /       Nominal Declination of center of image
SITELAT = '+23 28 07' /         Latitude of the imaging location
SITELONG= '+120 52 25' /        Longitude of the imaging location
""",
        frames=(Frame(name="Mrk501-20210511@140153-rp_Astrodon_2019.fts"),),
        facts={"exptime": 120.0, "start": "2021-05-11T14:01:53.0", "band": "r",
               "object": "Mrk501", "pointing": (253.468, 39.76),
               "scale": 0.3481, "place": (23.46861, 120.87361, 0.0), "masters": ()}),

    # Four images of each star: the draft knows of none.
    "Skinakas, RoboPol": Case(
        cards="""
TELESCOP= 'Skinakas 1.3m'
INSTRUME= 'RoboPol '
DATE-OBS= '2014-06-12'         / UT date of the start
UT      = '21:14:55.3'         / UT of the start
EXPTIME =                300.0 / s
IMAGETYP= 'object  '
FILTER  = 'R       '
OBJECT  = 'J1653+3945'
RA      = '16:53:52.2'
DEC     = '+39:45:36'
CCDSUM  = '1 1     '
EGAIN   =                 2.69 / e-/ADU
READNOIS=                 8.14 / e-
PIXSCALE=                0.435 / arcsec/pix
""",
        frames=(Frame(name="J1653_R_001.fits"),),
        facts={"exptime": 300.0, "start": "2014-06-12T21:14:55.3", "band": "R",
               "object": "J1653+3945", "pointing": (253.468, 39.76), "gain": 2.69, "noise": 8.14,
               "scale": 0.435, "masters": ()}),

    # East is negative by the remark, and is not.
    "Liverpool Telescope, RINGO3": Case(
        cards="""
TELESCOP= 'Liverpool Telescope' / The Name of the Telescope
INSTRUME= 'RINGO3  '           / Instrument used.
DATE-OBS= '2014-05-12T02:11:43.512' / [UTC] The start time of the observation
UTSTART = '02:11:43.512'       / [UTC] The start time of the observation
MJD     =      56789.091475833 / [days] Modified Julian Days.
EXPTIME =           29.6800003 / [Seconds] Exposure length.
OBSTYPE = 'EXPOSE  '           / What type of observation has been taken
FILTER1 = 'R       '           / The first filter wheel filter type.
OBJECT  = 'BL Lac  '           / Actual name of object viewed
RA      = '22:02:43.2900'      / [HH:MM:SS.ss] Currently same as CAT_RA
DEC     = '+42:16:39.9800'     / [DD:MM:SS.ss] Currently same as CAT_DEC
CCDXBIN =                    1 / [pixels] X binning factor
CCDYBIN =                    1 / [pixels] Y binning factor
CCDSCALE=               0.4861 / [arcsec/pixel] Scale of binned image on sky
GAIN    =                 3.13 / [electrons/count] calibrated
READNOIS=                 25.0 / [electrons] RMS
LATITUDE=             28.76240 / [degrees] Observatory Latitude
LONGITUD=            -17.87920 / [degrees West] Observatory Longitude
RUNNUM  =                    3 / Number of Multrun
EXPNUM  =                    5 / Number of exposure within Multrun
""",
        frames=(Frame(name="d_e_20140512_3_5_1_0.fits"),),
        facts={"exptime": 29.6800003, "start": "2014-05-12T02:11:43.5", "band": "R",
               "object": "BL Lac", "pointing": (330.68, 42.278), "gain": 3.13, "noise": 25.0,
               "scale": 0.4861, "place": (28.7624, -17.8792, 0.0), "masters": ()}),

    # Harris filters; three pixels in one.
    "Kuiper, Mont4k": Case(
        cards="""
OBSERVAT= 'kuiper  '           / Observatory
TELESCOP= 'Kuiper  '
INSTRUME= 'mont4k  '
DATE-OBS= '2012-03-01'         / UT date of start of observation
TIME-OBS= '05:06:07.800'       / UT time of start of observation
EXPTIME =                60.00 / Exposure time (seconds)
IMAGETYP= 'object  '
FILTER  = 'Harris-R'
OBJECT  = 'PG1553  '
RA      = '15:55:43.00'
DEC     = '+11:11:24.0'
CCDSUM  = '3 3     '           / CCD on-chip summing
PIXSCAL1=                 0.42 / arcsec per binned pixel
GAIN    =                  3.1 / e-/ADU
RDNOISE =                  5.0 / e-
""",
        frames=(Frame(name="pg1553.0012.fits"),),
        facts={"exptime": 60.0, "start": "2012-03-01T05:06:07.8", "band": "R", "object": "PG1553",
               "pointing": (238.929, 11.19), "binning": 3, "scale": 0.42, "gain": 3.1,
               "noise": 5.0, "masters": ()}),

    # Calibrated already.
    "ASTAP, what it calibrated": Case(
        cards="""
DATE-OBS= '2023-10-12T20:15:30.12' / UTC start of the exposure
EXPTIME =                120.0 / Duration of exposure in seconds
FILTER  = 'V       '
OBJECT  = 'BL Lac  '
IMAGETYP= 'Light   '
CALSTAT = 'BDF     '           / Calibration status: bias, darks, flats
XPIXSZ  =                 3.76 / Pixel width in microns (after binning)
FOCALLEN=               1000.0 / Focal length in mm
XBINNING=                    1
YBINNING=                    1
EGAIN   =                 0.25 / Electrons per A/D unit
RA      =     330.680381000000 / [deg] Mount RA
DEC     =      42.277772000000 / [deg] Mount DEC
PROGRAM = 'ASTAP   '
INSTRUME= 'ZWO ASI2600MM Pro'
COMMENT 6  Created by Astrometric Stacking Program.
""",
        frames=(Frame(name="BL_Lac_V.fit"),),
        facts={"exptime": 120.0, "start": "2023-10-12T20:15:30.1", "band": "V",
               "object": "BL Lac", "pointing": (330.68, 42.278), "gain": 0.25, "scale": 0.7756,
               "calibrated": ("bias", "dark", "flat"), "masters": ()}),

    # Start and end.
    "PRISM 10": Case(
        cards="""
SWCREATE= 'PRISM v10.5'        / Software
OBSERVER= 'A. Astronome'
TELESCOP= 'T400    '
INSTRUME= 'QHY600M '
DATE-OBS= '2022-09-21T01:11:09.250' / Date of observation start UTC
DATE-END= '2022-09-21T01:12:09.250' / Date of observation end UTC
EXPTIME =               60.000 / [s] Total time of exposure
FILTER  = 'Rc      '           / Filter
OBJECT  = '1ES1959+650'
IMAGETYP= 'Light Frame'
BINX    =                    2
BINY    =                    2
XPIXSZ  =                 7.52 / [um] Pixel size X binned
YPIXSZ  =                 7.52 / [um] Pixel size Y binned
FOCALLEN=               1600.0 / [mm] Telescope focal length
OBJCTRA = '19 59 59.85'
OBJCTDEC= '+65 08 54.6'
SITELAT = '43 45 00'
SITELONG= '06 55 20'
SITEALT =                 1270 / [m]
""",
        frames=(Frame(name="1ES1959-1.fits"),),
        facts={"exptime": 60.0, "start": "2022-09-21T01:11:09.2", "band": "R",
               "object": "1ES1959+650", "pointing": (299.999, 65.149), "binning": 2,
               "scale": 0.9694, "place": (43.75, 6.92222, 1270.0), "masters": ()}),

    # No remarks.
    "Crimea, AZT-8": Case(
        cards="""
TELESCOP= 'AZT-8   '
INSTRUME= 'ST-7XME '
DATE-OBS= '2014-05-23T19:33:04' / UT
EXPTIME =                 60.0
EXPOSURE=                 60.0
FILTER  = 'R       '
OBJECT  = '3C 279  '
IMAGETYP= 'Light Frame'
XBINNING=                    2
YBINNING=                    2
XPIXSZ  =                 18.0
YPIXSZ  =                 18.0
EGAIN   =                 2.35
FOCALLEN=               2780.0
""",
        frames=(Frame(name="3C279R01.fit"),),
        facts={"exptime": 60.0, "start": "2014-05-23T19:33:04.0", "band": "R",
               "object": "3C 279", "binning": 2, "gain": 2.35, "scale": 1.3355, "masters": ()}),

    # Date and time apart, places with blanks.
    "Rozhen, VersArray": Case(
        cards="""
TELESCOP= '2m RCC  '           / NAO Rozhen
INSTRUME= 'VersArray 1300B'
DATE-OBS= '2009-02-24'         / Date of observation
UT      = '18:53:26'           / UT start
EXPTIME =                  120 / Exposure in seconds
FILTER  = 'R       '
OBJECT  = 'S5_0716 '
RA      = '07 21 53.4'
DEC     = '+71 20 36'
GAIN    =                  1.0 / e-/ADU
RDNOISE =                  3.5 / e-
SCALE   =                0.258 / arcsec/px
""",
        frames=(Frame(name="s5_0716r1.fit"),),
        facts={"exptime": 120.0, "start": "2009-02-24T18:53:26.0", "band": "R",
               "object": "S5_0716", "pointing": (110.472, 71.343), "gain": 1.0, "noise": 3.5,
               "scale": 0.258, "masters": ()}),

    # gphoto by INDI: ISO, a mosaic, no filter.
    "a DSLR by INDI": Case(
        cards="""
INSTRUME= 'Canon EOS 6D'       / Camera Name
TELESCOP= 'EQMod Mount'        / Telescope name
EXPTIME =           6.0000E+01 / Total Exposure Time (s)
PIXSIZE1=           6.5500E+00 / Pixel Size 1 (microns)
PIXSIZE2=           6.5500E+00 / Pixel Size 2 (microns)
XBINNING=                    1 / Binning factor in width
YBINNING=                    1 / Binning factor in height
XPIXSZ  =           6.5500E+00 / X binned pixel size in microns
YPIXSZ  =           6.5500E+00 / Y binned pixel size in microns
FRAME   = 'Light   '           / Frame Type
IMAGETYP= 'Light Frame'        / Frame Type
ISOSPEED= '800     '           / ISO Speed
XBAYROFF=                    0 / X offset of Bayer array
YBAYROFF=                    0 / Y offset of Bayer array
BAYERPAT= 'RGGB    '           / Bayer color pattern
FOCALLEN=           6.0000E+02 / Focal Length (mm)
OBJECT  = 'Mrk 421 '           / Object name
OBJCTRA = '11 04 27.31'        / Object J2000 RA in Hours
OBJCTDEC= '38 12 31.80'        / Object J2000 DEC in Degrees
RA      =         1.661138E+02 / Object J2000 RA in Degrees
DEC     =         3.820883E+01 / Object J2000 DEC in Degrees
SITELAT =           4.125000E+01 / Latitude of the imaging site in degrees
SITELONG=           1.250000E+00 / Longitude of the imaging site in degrees
DATE-OBS= '2024-02-11T22:14:05.123' / UTC start date of observation
""",
        frames=(Frame(name="Light_012.fits"),),
        facts={"exptime": 60.0, "start": "2024-02-11T22:14:05.1", "object": "Mrk 421",
               "pointing": (166.114, 38.209), "scale": 4.5034, "mosaic": "G:RGGB", "band": "V",
               "binning": 2, "shape": (50, 60),
               "place": (41.25, 1.25, 0.0), "masters": ()}),

    # Two wheels.
    "Higashi-Hiroshima, HOWPol": Case(
        cards="""
OBSERVAT= 'HHAO    '           / Observatory
TELESCOP= 'Kanata  '           / Telescope
INSTRUME= 'HOWPol  '           / Instrument
DATE-OBS= '2011-04-05'         / UTC date of the start (yyyy-mm-dd)
UT-STR  = '13:44:21.08'        / UTC at the start
UT-END  = '13:45:21.08'        / UTC at the end
EXPTIME =               60.000 / Exposure time (sec)
DATA-TYP= 'OBJECT  '           / Type of the frame
FILTER01= 'R       '           / Filter of wheel 1
FILTER02= 'NONE    '           / Filter of wheel 2
OBJECT  = 'OJ287   '
RA      = '08:54:48.87'
DEC     = '+20:06:30.6'
BIN-FCT1=                    1 / Binning factor of axis 1
BIN-FCT2=                    1 / Binning factor of axis 2
GAIN    =                2.200 / (e-/ADU)
RDNOISE =                3.300 / Read-out noise (e-)
PIXSCALE=                0.294 / arcsec/pix
""",
        frames=(Frame(name="HP0123456.fits"),),
        facts={"exptime": 60.0, "start": "2011-04-05T13:44:21.0", "band": "R", "object": "OJ287",
               "pointing": (133.704, 20.109), "gain": 2.2, "noise": 3.3, "scale": 0.294,
               "masters": ()}),

    # Sloan's filters by the name of their prime.
    "Skynet, PROMPT": Case(
        cards="""
TELESCOP= 'Prompt5 '           / Telescope used
INSTRUME= 'Apogee ALTA U47'    / Camera
DATE-OBS= '2013-02-12T03:44:01.12' / Exposure start date/time (UTC)
EXPTIME =                 40.0 / Exposure time (s)
EXPREQ  =                   40 / Exposure requested
FILTER  = 'Rprime  '           / Filter
IMAGETYP= 'LIGHT   '
OBJECT  = 'pks2155 '
RA      = '21:58:52.07'        / Commanded RA
DEC     = '-30:13:32.1'        / Commanded Dec
XBINNING=                    1
YBINNING=                    1
PIXSCALE=                 0.59 / arcsec/pix
CCDTEMP =                -30.0
OBSLAT  = '-30:10:03'          / Latitude
OBSLONG = '-70:48:19'          / Longitude
OBSALT  =                 2195 / Height (m)
""",
        frames=(Frame(name="pks2155_123456_R_001.fit"),),
        facts={"exptime": 40.0, "start": "2013-02-12T03:44:01.1", "band": "r", "object": "pks2155",
               "pointing": (329.717, -30.226), "scale": 0.59,
               "place": (-30.1675, -70.80528, 2195.0), "masters": ()}),
}
