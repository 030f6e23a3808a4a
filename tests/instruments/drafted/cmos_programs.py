"""Frames of camera programs of the time of CMOS sensors."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
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

    "DWARF 3": Case(
        cards="""
ORIGIN  = 'DWARFLAB'
TELESCOP= 'DWARFIII'
INSTRUME= 'TELE    '
OBJECT  = 'M 31    '
DATE-OBS= '2024-11-20T22:10:15.312'
EXPTIME =                 15.0
GAIN    =                   60
BAYERPAT= 'RGGB    '
FILTER  = 'VIS     '
XPIXSZ  =                  2.0 / um
FOCALLEN=                150.0 / mm
RA      =                  0.0
DEC     =                  0.0
SET-TEMP=                 21.0
""",
        frames=(Frame(name="M31_15s60_VIS_0001.fits"),),
        facts={"exptime": 15.0, "start": "2024-11-20T22:10:15.3", "band": "V", "binning": 2,
               "object": "M 31", "mosaic": "G:RGGB", "shape": (50, 60), "scale": 5.5004,
               "masters": ()},
        says=("GAIN = 60 is a setting", "the pointing")),

    "QHY with GPS, by SharpCap": Case(
        cards="""
SWCREATE= 'SharpCap v4.1.11000.0, 64 bit'
INSTRUME= 'QHY174M GPS'
XBINNING=                    1
YBINNING=                    1
XPIXSZ  =     5.86000013351441
EXPTIME =                  0.5 / seconds
GAIN    =                  320
COLORTYP= 'MONO16  '
DATE-OBS= '2022-05-12T21:02:03.1234567' / GPS:Start Exposure
DATE-END= '2022-05-12T21:02:03.6234567' / GPS:End Exposure
GPS_LAT =             40.00000
GPS_LON =             -3.00000
GPS_ALT =                700.0
FILTER  = 'R       '
""",
        frames=(Frame(name="capture_0001.fits"),),
        facts={"exptime": 0.5, "start": "2022-05-12T21:02:03.1", "band": "R",
               "place": (40.0, -3.0, 700.0), "masters": ()}),

    "PixInsight's copy of a frame": Case(
        cards="""
EXTEND  =                    T
INSTRUME= 'QSI 683 '           / Instrument name
DATE-OBS= '2019-03-11T22:10:15.5' / Observation start time (UTC)
DATE-END= '2019-03-11T22:12:15.5' / Observation end time (UTC)
EXPTIME =                 120. / Exposure time in seconds
XPIXSZ  =                  5.4 / Pixel size including binning, X-axis (um)
XBINNING=                    1 / Pixel binning factor, X-axis
FOCALLEN=                 800. / Focal length (mm)
FILTER  = 'Rc      '           / Filter name
OBJECT  = 'OJ287   '           / Target object name
RA      =             133.7036 / Center right ascension (deg)
DEC     =              20.1085 / Center declination (deg)
OBSGEO-L=                  -3. / Longitude (deg)
OBSGEO-B=                  40. / Latitude (deg)
OBSGEO-H=                 700. / Altitude (m)
""",
        frames=(Frame(name="oj287.fit", cards="IMAGETYP= 'Light Frame'"),),
        facts={"exptime": 120.0, "start": "2019-03-11T22:10:15.5", "band": "R",
               "object": "OJ287", "pointing": (133.704, 20.108), "scale": 1.3923,
               "place": (40.0, -3.0, 700.0), "masters": ()}),
}
