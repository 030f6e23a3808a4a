"""Frames of camera programs."""

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

    "NINA, mono, with a filter wheel": Case(
        cards="""
EXPOSURE=                120.0 / [s] Exposure duration
EXPTIME =                120.0 / [s] Exposure duration
DATE-LOC= '2023-05-11T23:01:53.200' / Time of observation (local)
DATE-OBS= '2023-05-11T21:01:53.200' / Time of observation (UTC)
DATE-AVG= '2023-05-11T21:02:53.200' / Averaged midpoint time (UTC)
MJD-OBS =     60075.8763101852 / Modified Julian Date of observation
MJD-AVG =     60075.8770046296 / Averaged midpoint Modified Julian Date
XBINNING=                    2 / X axis binning factor
YBINNING=                    2 / Y axis binning factor
GAIN    =                  100 / Sensor gain
OFFSET  =                   50 / Sensor gain offset
EGAIN   =     0.2516300173187 / [e-/ADU] Electrons per A/D unit
XPIXSZ  =                 7.52 / [um] Pixel X axis size
YPIXSZ  =                 7.52 / [um] Pixel Y axis size
INSTRUME= 'ZWO ASI2600MM Pro'  / Imaging instrument name
SET-TEMP=                -10.0 / [degC] CCD temperature setpoint
CCD-TEMP=                -10.0 / [degC] CCD temperature
READOUTM= 'Default '           / Sensor readout mode
TELESCOP= 'RC8     '           / Name of telescope
FOCALLEN=               1624.0 / [mm] Focal length
FOCRATIO=                  8.0 / Focal ratio
SITEELEV=                700.0 / [m] Observation site elevation
SITELAT =                 40.0 / [deg] Observation site latitude
SITELONG=                 -3.0 / [deg] Observation site longitude
FWHEEL  = 'ZWO FilterWheel (1)' / Filter Wheel name
ROWORDER= 'TOP-DOWN'           / FITS Image Orientation
SWCREATE= 'N.I.N.A. 3.0.0.2017 (x64)' / Software that created this file
""",
        frames=(
            Frame(name="BIAS/0001.fits", cards="IMAGETYP= 'BIAS    '",
                  facts={"kind": "bias"}),
            Frame(name="DARKFLAT/0001.fits", cards="IMAGETYP= 'DARKFLAT'\nFILTER  = 'R'",
                  facts={"kind": "dark"}),
            Frame(name="FLAT/0001.fits", cards="IMAGETYP= 'FLAT    '\nFILTER  = 'R'",
                  facts={"kind": "flat", "band": "R"}),
            Frame(name="LIGHT/0001.fits", cards="""
IMAGETYP= 'LIGHT   '
FILTER  = 'R       '           / Active filter name
OBJECT  = 'Mrk 421 '           / Name of the object of interest
OBJCTRA = '11 04 27'           / [H M S] RA of imaged object
OBJCTDEC= '+38 12 31'          / [D M S] Declination of imaged object
RA      =     166.113808333333 / [deg] RA of telescope
DEC     =     38.2088333333333 / [deg] Declination of telescope
""", facts={"band": "R", "object": "Mrk 421", "pointing": (166.114, 38.209)})),
        facts={"exptime": 120.0, "start": "2023-05-11T21:01:53.2", "binning": 2, "gain": 0.25163,
               "scale": 0.9551, "place": (40.0, -3.0, 700.0),
               "masters": ("bias", "dark", "flat")}),

    # MONO16 is no pattern of colours, and the time is of the start here.
    "SharpCap 4, mono": Case(
        cards="""
ROWORDER= 'TOP-DOWN'           /
EXTEND  =                    T / Extensions are permitted
SWCREATE= 'SharpCap v4.0.9538.0, 64 bit' /
CCD-TEMP=                -10.2 / C
YBINNING=                    1 /
XBINNING=                    1 /
YPIXSZ  =     3.75999999046326 / microns, includes binning if any
XPIXSZ  =     3.75999999046326 / microns, includes binning if any
COLORTYP= 'MONO16  '           /
GAIN    =                  100 /
BLKLEVEL=                   20 /
EGAIN   =    0.245851105451584 /
EXPTIME =                    5 / seconds
INSTRUME= 'ZWO ASI2600MM Pro'  /
TELESCOP= 'EQMOD   '           /
FOCALLEN=                  530 / mm
DATE-OBS= '2023-02-09T20:25:29.8219583' / System Clock:Est. Frame Start
DATE-AVG= '2023-02-09T20:25:32.3219583' / System Clock:Est. Frame Mid Point
DATE-END= '2023-02-09T20:25:34.8219583' / System Clock:Est. Frame End
JD_UTC  =     2459985.35106854 / Julian Date at exposure midpoint
OBJECT  = 'OJ 287  '           /
OBJCTRA = '08 54 48.000'       / Epoch : JNOW
OBJCTDEC= '+20 06 30.000'      / Epoch : JNOW
RA      =                133.7 / Epoch : JNOW
DEC     =             20.10833 / Epoch : JNOW
FILTER  = 'Green   '           /
""",
        frames=(Frame(name="Light/oj287_00001.fits"),),
        facts={"exptime": 5.0, "start": "2023-02-09T20:25:29.8", "gain": 0.24585,
               "scale": 1.4633, "object": "OJ 287", "pointing": (133.7, 20.108),
               "band": "Green", "masters": ()},
        says=("filter Green",)),

    # GOTO of an ASIAIR: the cards of ZWO, degrees.
    "ASIAIR, colour": Case(
        cards="""
CREATOR = 'ZWO ASIAIR Plus'    / Capture software
OFFSET  =                   30 / camera offset
XORGSUBF=                    0 / Subframe X position in binned pixels
YORGSUBF=                    0 / Subframe Y position in binned pixels
FOCALLEN=                  250 / Focal length of telescope in mm
XBINNING=                    1 / Camera X Bin
YBINNING=                    1 / Camera Y Bin
CCDXBIN =                    1 / Camera X Bin
CCDYBIN =                    1 / Camera Y Bin
XPIXSZ  =     3.75999999046326 / pixel size in microns (with binning)
YPIXSZ  =     3.75999999046326 / pixel size in microns (with binning)
IMAGETYP= 'Light   '           / Type of image
EXPOSURE=                  60. / Exposure time in seconds
EXPTIME =                  60. / Exposure time in seconds
CCD-TEMP=                -10.1 / sensor temperature in C
RA      =             133.7036 / Object Right Ascension in degrees
DEC     =              20.1085 / Object Declination in degrees
DATE-OBS= '2023-02-09T20:25:29.821958' / Image created time
INSTRUME= 'ZWO ASI2600MC Pro'  / Camera model
BAYERPAT= 'RGGB    '           / Bayer pattern
GAIN    =                  100 / Gain Value
EGAIN   =    0.245851105451584 / Electrons per ADU
SITELAT =                 40.0 / latitude of the imaging site in degrees
SITELONG=                 -3.0 / longitude of the imaging site in degrees
OBJECT  = 'OJ 287  '           / name or catalog number of object being imaged
""",
        frames=(Frame(name="Light_OJ287_60.0s_Bin1_gain100_0001.fit"),),
        facts={"exptime": 60.0, "start": "2023-02-09T20:25:29.8", "gain": 0.24585, "binning": 2,
               "scale": 6.2044, "object": "OJ 287", "pointing": (133.704, 20.108), "band": "V",
               "mosaic": "G:RGGB", "shape": (50, 60), "place": (40.0, -3.0, 0.0),
               "masters": ()}),

    # SCALE is of the pixels as read out, PIXSIZE1 of one pixel.
    "KStars, Ekos and INDI": Case(
        cards="""
ROWORDER= 'TOP-DOWN'           / Row Order
INSTRUME= 'ZWO CCD ASI1600MM Pro' / CCD Name
TELESCOP= 'EQMod Mount'        / Telescope name
EXPTIME =                 60.0 / Total Exposure Time (s)
CCD-TEMP=                -15.0 / CCD Temperature (Celsius)
PIXSIZE1=                  3.8 / Pixel Size 1 (microns)
PIXSIZE2=                  3.8 / Pixel Size 2 (microns)
XBINNING=                    2 / Binning factor in width
YBINNING=                    2 / Binning factor in height
XPIXSZ  =                  7.6 / X binned pixel size in microns
YPIXSZ  =                  7.6 / Y binned pixel size in microns
FOCALLEN=                530.0 / Focal Length (mm)
APTDIA  =                106.0 / Telescope diameter (mm)
SCALE   =             2.957753 / arcsecs per pixel
SITELAT =                 40.0 / Latitude of the imaging site in degrees
SITELONG=                357.0 / Longitude of the imaging site in degrees
GAIN    =                139.0 / Gain
OFFSET  =                 21.0 / Offset
DATE-OBS= '2021-05-11T21:01:53.123' / UTC start date of observation
""",
        frames=(
            Frame(name="Bias/Bias_001.fits", cards="FRAME   = 'Bias    '\n"
                  "IMAGETYP= 'Bias Frame'         / Frame Type", facts={"kind": "bias"}),
            Frame(name="Light/Mrk421_001.fits", cards="""
FRAME   = 'Light   '           / Frame Type
IMAGETYP= 'Light Frame'        / Frame Type
FILTER  = 'Red     '           / Filter
OBJECT  = 'Mrk421  '           / Object name
OBJCTRA = '11 04 27.31'        / Object J2000 RA in Hours
OBJCTDEC= '38 12 31.80'        / Object J2000 DEC in Degrees
RA      =     166.113791666667 / Object J2000 RA in Degrees
DEC     =              38.2088 / Object J2000 DEC in Degrees
""", facts={"band": "Red", "object": "Mrk421", "pointing": (166.114, 38.209)})),
        facts={"exptime": 60.0, "start": "2021-05-11T21:01:53.1", "binning": 2, "scale": 2.9578,
               "place": (40.0, 357.0, 0.0), "masters": ("bias",)},
        says=("filter Red", "GAIN = 139.0 is a setting")),

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

    # A film camera's raw file by another program: focal length of a lens, no time zone.
    "a DSLR by Siril": Case(
        cards="""
PROGRAM = 'Siril 1.0.6'        / Software that created this HDU
ROWORDER= 'BOTTOM-UP'          / Order of the rows in image array
INSTRUME= 'Canon EOS 600D'     / Instrument name
DATE-OBS= '2021-08-11T23:11:52' / YYYY-MM-DDThh:mm:ss observation start, UT
DATE    = '2022-01-02T10:11:12' / UTC date that FITS file was created
EXPTIME =                  30. / Exposure time [s]
XPIXSZ  =                  4.3 / X pixel size microns
YPIXSZ  =                  4.3 / Y pixel size microns
XBINNING=                    1 / Camera binning mode
YBINNING=                    1 / Camera binning mode
FOCALLEN=                 200. / Camera focal length
ISOSPEED=                  800 / ISO camera setting
CVF     =                 0.46 / Conversion factor (e-/adu)
BAYERPAT= 'RGGB    '           / Bayer color pattern
XBAYROFF=                    0
YBAYROFF=                    1
""",
        frames=(
            Frame(name="offsets/IMG_0001.fit", facts={"kind": "bias"}),
            Frame(name="lights/IMG_0101.fit", facts={"band": "V"})),
        facts={"exptime": 30.0, "start": "2021-08-11T23:11:52.0", "gain": 0.46, "binning": 2,
               "scale": 8.8694, "mosaic": "G:RGGB", "shape": (50, 60), "masters": ("bias",)}),

    # Exposures in ms, nothing but what the camera's program knows.
    "FireCapture": Case(
        cards="""
INSTRUME= 'ZWO ASI290MM'       / Camera
EXPTIME =                 500. / exposure time in ms
DATE-OBS= '2019-05-12T21:02:03.123' / UTC, middle of exposure
GAIN    =                  200 / gain setting
BINNING = '1x1     '
FILTER  = 'R       '
""",
        frames=(Frame(name="2019-05-12-2102_1-R.fit"),),
        facts={"exptime": 0.5, "start": "2019-05-12T21:02:02.8", "band": "R", "masters": ()}),

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

    "Voyager": Case(
        cards="""
SWCREATE= 'Voyager 2.3.9'      / Software that created the file
INSTRUME= 'QHY600M '           / Camera
TELESCOP= 'RASA11  '           / Telescope
DATE-OBS= '2022-11-20T23:10:00.5' / UTC start of the exposure
DATE-END= '2022-11-20T23:12:00.5' / UTC end of the exposure
EXPTIME =                  120 / [s]
XBINNING=                    1
YBINNING=                    1
XPIXSZ  =                 3.76 / [um]
FOCALLEN=                  620 / [mm]
GAIN    =                   26 / camera gain
EGAIN   =                    0 / unknown
RA      =            5.5752778 / [h] hours
DEC     =              22.0145 / [deg]
OBJECT  = 'Crab    '
FILTER  = "g'      "
SATURATE=                65504
SITELAT = '+40 00 00'
SITELONG= '-03 00 00'
""".replace('"g\'      "', "'g''     '"),
        frames=(Frame(name="crab.fit", cards="IMAGETYP= 'LIGHT'"),),
        facts={"exptime": 120.0, "start": "2022-11-20T23:10:00.5", "band": "g", "object": "Crab",
               "pointing": (83.629, 22.015), "scale": 1.2509, "saturation": 65504.0,
               "place": (40.0, -3.0, 0.0), "masters": ()},
        says=("the gain in electrons",)),

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
}
