"""Frames of camera programs of the time of CCDs."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    # No remarks; the date and the hour twice; a focal length of 0; an LST of 6.5 deg east.
    "CCDSoft 5, STL-6303": Case(
        cards="""
BIAS    =                  100
FOCALLEN= +0.000000000000E+000
APTDIA  = +0.000000000000E+000
DATE-OBS= '2020-04-18T00:56:58.604'
TIME-OBS= '00:56:58.604        '
SWCREATE= 'CCDSoft Version 5.00.218'
SET-TEMP= -2.000000000000E+001
COLORCCD=                    0
IMAGETYP= 'Light Frame         '
XORGSUBF=                   40
YORGSUBF=                   20
XBINNING=                    3
CCDXBIN =                    3
YBINNING=                    3
CCDYBIN =                    3
CCD-TEMP= -2.041762134545E+001
OBJECT  = 'Entered_Coordinates '
OBJCTRA = '14 49 09.474        '
OBJCTDEC= '+40 42 04.35        '
TELTKRA = -1.000000000000E+003
LST     = '15 09 30.056        '
SITELAT = '+53:14:24.90        '
SITELONG= '-006:32:11.02       '
INSTRUME= 'SBIG STL-6303 3 CCD Camera'
EGAIN   = +2.360000000000E+000
E-GAIN  = +2.360000000000E+000
XPIXSZ  = +2.700000000000E+001
YPIXSZ  = +2.700000000000E+001
DATAMAX =                65535
SBSTDVER= 'SBFITSEXT Version 1.0'
FILTER  = 'R                   '
EXPTIME = +3.000000000000E+002
EXPOSURE= +3.000000000000E+002
""",
        frames=(Frame(name="Entered_Coordinates.00000012.FIT"),),
        facts={"exptime": 300.0, "start": "2020-04-18T00:56:58.6", "band": "R", "binning": 3,
               "gain": 2.36, "pointing": (222.289, 40.701), "object": "Entered_Coordinates",
               "origin": (40, 20), "place": (53.24025, 6.53639, 0.0), "masters": ()},
        says=("CHANGE IT: 1856 / the focal length", "whether the telescope stands east or west")),

    # SITELONG counts west as positive, OBSGEO-L east.
    "TheSkyX": Case(
        cards="""
SWCREATE= 'TheSkyX Version 10.5.0 Build 12978' / SBIGFITSEXT Name & version of s
COLORCCD=                    0 / Non zero if image is from a Bayer color ccd
XORGSUBF=                    0 / SBIGFITSEXT Subframe x upper-left pixel in bin
YORGSUBF=                    0 / SBIGFITSEXT Subframe y upper-left pixel in bin
XBINNING=                    2 / SBIGFITSEXT Binning factor in width
YBINNING=                    2 / SBIGFITSEXT Binning factor in height
CCD-TEMP=               -20.02 / SBIGFITSEXT Temperature of the CCD
SET-TEMP=                 -20. / SBIGFITSEXT The cooler setpoint in degrees C
SITELAT = '+38 26 18.00'       / SBIGFITSEXT Latitude of the imaging location
SITELONG= '+122 30 31.00'      / SBIGFITSEXT Longitude of the imaging location
LST     = '+16 02 59.58'       / Local sidereal time
OBSGEO-B=        38.4383333333 / Latitude of the observation in degrees, North +
OBSGEO-L=      -122.5086111111 / Longitude of the observation in degrees, East +
OBSGEO-H=                 389. / Altitude of the observation in meters
OBJCTRA = '14 45 19.847'       / SBIGFITSEXT The right ascension of the center o
OBJCTDEC= '+38 15 59.60'       / SBIGFITSEXT The declination of the center of th
INSTRUME= 'ASCOM Camera'       / SBIGFITSEXT The model camera used.
XPIXSZ  =                  12. / SBIGFITSEXT Pixel width in microns after binnin
YPIXSZ  =                  12. / SBIGFITSEXT Pixel height in microns after binni
DATE-OBS= '2023-08-15T02:40:00.466' / SBIGFITSEXT UTC of start exp. in ISO 8601
LOCALTIM= '8/14/2023 07:40:00.470 PM DST' / Local time at exposure start
""",
        frames=(
            Frame(name="Dark 2x2 120.000secs 00006862.fits", cards="""
EXPTIME =                 120. / SBIGFITSEXT Total exposure time in seconds
PICTTYPE=                    3 / Image type as index 0= Unknown 1=Light, 2=Bias,
IMAGETYP= 'Dark Frame'         / SBIGFITSEXT Light, Dark, Bias or Flat
OBJECT  = 'A       '           / SBIGFITSEXT The name of the object imaged
""", facts={"kind": "dark", "object": "A", "exptime": 120.0}),
            Frame(name="NGC5746 2x2 60.000secs V 00006870.fits", cards="""
EXPTIME =                  60. / SBIGFITSEXT Total exposure time in seconds
PICTTYPE=                    1 / Image type as index 0= Unknown 1=Light, 2=Bias,
IMAGETYP= 'Light Frame'        / SBIGFITSEXT Light, Dark, Bias or Flat
FILTER  = 'V       '           / SBIGFITSEXT The optical filter used to take ima
OBJECT  = 'NGC5746 '           / SBIGFITSEXT The name of the object imaged
""", facts={"band": "V", "object": "NGC5746", "exptime": 60.0})),
        facts={"start": "2023-08-15T02:40:00.4", "binning": 2, "pointing": (221.333, 38.267),
               "place": (38.43833, -122.50861, 389.0), "masters": ("dark",)}),

    # An older one, without OBSGEO-L: the sidereal time tells where east is.
    "TheSkyX 10.1": Case(
        cards="""
SWCREATE= 'TheSkyX Version 10.1.11' / SBIGFITSEXT Name & version of software
INSTRUME= 'SBIG ST-8300'       / SBIGFITSEXT The model camera used.
IMAGETYP= 'Light Frame'        / SBIGFITSEXT Light, Dark, Bias or Flat
XBINNING=                    1 / SBIGFITSEXT Binning factor in width
YBINNING=                    1 / SBIGFITSEXT Binning factor in height
SITELAT = '+38 26 18.00'       / SBIGFITSEXT Latitude of the imaging location
SITELONG= '+122 30 31.00'      / SBIGFITSEXT Longitude of the imaging location
LST     = '+16 02 59.58'       / Local sidereal time
EXPTIME =                  60. / SBIGFITSEXT Total exposure time in seconds
DATE-OBS= '2023-08-15T02:40:00.466' / SBIGFITSEXT UTC of start exp. in ISO 8601
FILTER  = 'V       '           / SBIGFITSEXT The optical filter used to take ima
""",
        frames=(Frame(name="m51.fits"),),
        facts={"start": "2023-08-15T02:40:00.4", "exptime": 60.0, "band": "V",
               "place": (38.43833, -122.50861, 0.0), "masters": ()}),

    "MaxIm DL 6 and ACP": Case(
        cards="""
DATE-OBS= '2016-05-11T22:01:53' /YYYY-MM-DDThh:mm:ss observation start, UT
EXPTIME =   120.00000000000000 /Exposure time in seconds
EXPOSURE=   120.00000000000000 /Exposure time in seconds
SET-TEMP=  -30.000000000000000 /CCD temperature setpoint in C
CCD-TEMP=  -29.818750000000001 /CCD temperature at start of exposure in C
XPIXSZ  =   18.000000000000000 /Pixel Width in microns (after binning)
YPIXSZ  =   18.000000000000000 /Pixel Height in microns (after binning)
XBINNING=                    2 /Binning factor in width
YBINNING=                    2 /Binning factor in height
XORGSUBF=                    0 /Subframe X position in binned pixels
YORGSUBF=                    0 /Subframe Y position in binned pixels
READOUTM= '8 MHz   ' /          Readout mode of image
FOCALLEN=   2939.0000000000000 /Focal length of telescope in mm
EGAIN   =   1.3700000000000001 /Electronic gain in e-/ADU
SWCREATE= 'MaxIm DL Version 6.11 151208 1A2B3' /Name of software
SBSTDVER= 'SBFITSEXT Version 1.0' /Version of SBFITSEXT standard in effect
TELESCOP= 'ACP->AP1600'
INSTRUME= 'FLI Proline'        /instrument or camera used
SITELAT = '+40 00 00' /         Latitude of the imaging location
SITELONG= '-03 00 00' /         Longitude of the imaging location
JD      =   2457520.4179745370 /Julian Date at start of exposure
JD-HELIO=   2457520.4180000000 /Heliocentric Julian Date at exposure midpoint
FLIPSTAT= '        '
""",
        frames=(
            Frame(name="Bias-001.fit", cards="IMAGETYP= 'Bias Frame' / Type of image",
                  facts={"kind": "bias"}),
            Frame(name="AutoFlat-R-001.fit", cards="IMAGETYP= 'Flat Field' / Type of image\n"
                  "FILTER  = 'Rc      '", facts={"kind": "flat", "band": "R"}),
            Frame(name="Mrk421-001.fit", cards="""
IMAGETYP= 'Light Frame' / Type of image
FILTER  = 'Rc      '
OBJECT  = 'Mrk421  '
OBJCTRA = '11 04 27.31' /       Nominal Right Ascension of center of image
OBJCTDEC= '+38 12 31.8' /       Nominal Declination of center of image
""", facts={"band": "R", "object": "Mrk421", "pointing": (166.114, 38.209)}),
            Frame(name="Mrk421-002.fit", cards="""
IMAGETYP= 'Light Frame' / Type of image
FILTER  = 'Bj      '
OBJECT  = 'Mrk421  '
""", facts={"band": "B", "object": "Mrk421"})),
        facts={"exptime": 120.0, "start": "2016-05-11T22:01:53.0", "binning": 2, "gain": 1.37,
               "scale": 1.2633, "place": (40.0, -3.0, 0.0), "masters": ("bias", "flat")}),

    # DATE is when the file was written, FRAME when the exposure began.
    "Andor SOLIS": Case(
        cards="""
HEAD    = 'DU934P_BV'          / Head model
ACQMODE = 'Single Scan'        / Acquisition mode
READMODE= 'Image   '           / Readout mode
IMGRECT = '1, 1024, 1024, 1'   / Image format
HBIN    =                    2 / Horizontal binning
VBIN    =                    2 / Vertical binning
SUBRECT = '1, 1024, 1024, 1'   / Subimage format
DATATYPE= 'Counts  '           / Data type
TRIGGER = 'Internal'           / Trigger mode
EXPOSURE=                  30. / Total Exposure Time
TEMP    =                 -80. / Temperature
READTIME=                1E-06 / Pixel readout time
OPERATN =                    4 / Type of system
GAIN    =                    0 / EM Real Gain
PREAMP  =                   4. / Pre Amplifier Gain
SERNO   =                 7890 / Serial Number
""",
        frames=(
            Frame(name="bias_001.fits", cards="""
DATE    = '2012-05-11T19:11:30' / file creation date (YYYY-MM-DDThh:mm:ss UT)
FRAME   = '2012-05-11T19:10:52.100' / Start of Frame Exposure
""", facts={"kind": "bias", "start": "2012-05-11T19:10:52.1"}),
            Frame(name="bllac_R_001.fits", cards="""
DATE    = '2012-05-11T23:12:30' / file creation date (YYYY-MM-DDThh:mm:ss UT)
FRAME   = '2012-05-11T23:11:52.100' / Start of Frame Exposure
""", facts={"band": "R", "start": "2012-05-11T23:11:52.1"})),
        facts={"exptime": 30.0, "binning": 2, "masters": ("bias",)},
        says=("the gain in electrons",)),

    # XFACTOR is the binning; TIME-OBS has the time of day.
    "SIPS, Moravian": Case(
        cards="""
INSTRUME= 'G2-1600, id 2077'   / Camera model
READMODE= 'Low noise'
XFACTOR =                    2 / Binning in x
YFACTOR =                    2 / Binning in y
EXPTIME =                60.00 / Exposure time in seconds
DATE-OBS= '2012-09-15'         / UTC date of exposure start
TIME-OBS= '20:11:02.345'       / UTC time of exposure start
TM-START=                72662 / UTC time of exposure start in seconds
TM-END  =                72722 / UTC time of exposure end in seconds
GAIN    =                  1.5 / e-/ADU
CCD-TEMP=               -25.00
FILTER  = 'R       '
OBJECT  = 'BL Lac  '
OBJCTRA = '22 02 43.3'
OBJCTDEC= '+42 16 40'
""",
        frames=(Frame(name="BLLac-0001R.fits", cards="IMAGETYP= 'Object  '"),),
        facts={"exptime": 60.0, "start": "2012-09-15T20:11:02.3", "binning": 2, "gain": 1.5,
               "band": "R", "object": "BL Lac", "pointing": (330.680, 42.278), "masters": ()}),

    # Old SBIG program: month before day, as its remark says.
    "CCDOPS, ST-7": Case(
        cards="""
INSTRUME= 'SBIG ST-7'          / CCD camera
TELESCOP= 'LX200   '
DATE-OBS= '05/04/98'           / GMT date of observation (mm/dd/yy)
TIME-OBS= '22:11:43'           / GMT time of observation
EXPTIME =                 60.0 / seconds
XBINNING=                    1
FILTER  = 'R       '
EGAIN   =                 2.30
OBJECT  = '3C 345  '
""",
        frames=(Frame(name="3c345.fit"),),
        facts={"exptime": 60.0, "start": "1998-05-04T22:11:43.0", "gain": 2.3, "band": "R",
               "object": "3C 345", "masters": ()}),

    # It writes 0 as the binning of the second axis of a frame, and the time of day in hours.
    "AstroArt": Case(
        cards="""
INSTRUME= 'ATIK 383L+'
SWCREATE= 'AstroArt 5.0'
DATE-OBS= '2012-05-12T22:10:15'
UT      = '22:10:15'
EXPTIME =                  120
XBINNING=                    2
YBINNING=                    2
FILTER  = 'Photometric R'
""",
        frames=(Frame(name="wcom.fit", cards="IMAGETYP= 'Image'"),),
        facts={"exptime": 120.0, "start": "2012-05-12T22:10:15.0", "binning": 2, "band": "R",
               "masters": ()},
        says=("a guess where it says 'Image'",)),

    # Times by the satellites are the better ones; those of the computer stay those that are read.
    "a program without pointing, its time at the end": Case(
        cards="""
CAMERA  = 'PL-1001E'
DATE_OBS= '2014-11-20 23:10:00'
OBSTIME = '2014-11-20 23:10:00' / end of exposure
EXP_TIME=                    2 / minutes
FILTER  = 'Ic      '
RDNOISE =                    0
GAIN    =                 0.75 / ADU/e-
BIN     = '2*2     '
IMTYPE  = 'light   '
""",
        frames=(Frame(name="x.fit"),),
        facts={"exptime": 120.0, "start": "2014-11-20T23:10:00.0", "band": "I", "binning": 2,
               "gain": 1.3333, "masters": ()}),

    # Exposure and time as texts of a Spanish computer, the place with letters.
    "a program with letters in its angles": Case(
        cards="""
INSTRUME= 'Atik 460EX'
DATE-OBS= '2017-08-11T22:10:15,500'
EXPTIME = '60,5    '
BINNING = '2 x 2   '
FILTER  = 'R (Johnson-Cousins)'
OBJCTRA = '16h 53m 52.2s'
OBJCTDEC= '+39d 45m 36s'
SITELAT = '40 00 00 N'
SITELONG= '03 00 00 W'
EGAIN   = '0,27    '
""",
        frames=(Frame(name="mrk501.fits", cards="IMAGETYP= 'LIGHT'"),),
        facts={"exptime": 60.5, "start": "2017-08-11T22:10:15.5", "band": "R", "binning": 2,
               "gain": 0.27, "pointing": (253.468, 39.76), "place": (40.0, -3.0, 0.0),
               "masters": ()}),

    # The hour with AM and PM, in local time, which a card in UTC gives away.
    "a program in local time": Case(
        cards="""
CAMERA  = 'Alta U9'
DATE-OBS= '08/21/2014'         / local date
TIME-OBS= '11:10:15 PM'        / local time
MJD     =        56891.2571181
EXPOSURE=                   30 / sec
FILTER  = 'V       '
""",
        frames=(Frame(name="v1.fits", cards="IMAGETYP= 'Light'"),),
        facts={"exptime": 30.0, "start": "2014-08-22T06:10:15.0", "band": "V", "masters": ()}),

    "MaxIm DL with a sub-frame": Case(
        cards="""
INSTRUME= 'SBIG STX-16803'
DATE-OBS= '2016-05-11T22:01:53'
TIME-OBS= '22:01:53'
EXPTIME =   10.000000000000000
XBINNING=                    1
YBINNING=                    1
XORGSUBF=                 1024
YORGSUBF=                  512
XPIXSZ  =   9.0000000000000000
FOCALLEN=   0.0000000000000000
CALSTAT = 'BD      '
FILTER  = 'Johnson B'
OBJECT  = '3C 66A  '
""",
        frames=(Frame(name="3c66a-001B.fit", cards="IMAGETYP= 'Light Frame'"),),
        facts={"exptime": 10.0, "start": "2016-05-11T22:01:53.0", "band": "B",
               "object": "3C 66A", "origin": (1024, 512), "calibrated": ("bias", "dark"),
               "masters": ()}),

    "local time beside UT": Case(
        cards="""
INSTRUME= 'SBIG ST-10XME'
TELESCOP= 'C14     '
DATE-OBS= '2009-03-11T23:10:15' / Local time
UT      = '22:10:15'
EXPTIME =                120.0
FILTER  = 'Red     '
IMAGETYP= 'Light Frame'
XBINNING=                    2
YBINNING=                    2
XPIXSZ  =                 13.6
FOCALLEN=               2500.0
""",
        frames=(Frame(name="a.fit"),),
        facts={"exptime": 120.0, "start": "2009-03-11T22:10:15.0", "band": "Red", "binning": 2,
               "scale": 1.1221, "masters": ()},
        says=('time_zone = "+01:00"',)),

    "an American date with PM": Case(
        cards="""
INSTRUME= 'Meade DSI Pro'
DATE-OBS= '3/11/2016'
TIME-OBS= '10:10:15 PM'
EXPTIME =                15.0
PIXSIZE = '9.6x7.5 '
OBJECT  = 'M67'
""",
        frames=(Frame(name="a.fit"),),
        facts={"exptime": 15.0, "start": "2016-03-11T22:10:15.0", "band": "C", "object": "M67",
               "masters": ()},
        says=('date_order = "mdy"', "AM and PM")),
}
