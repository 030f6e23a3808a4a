"""Frames of small telescopes, of programs of their own and of amateurs' cameras."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    # ALTITUDE is of the target; INSTRUME names the mount.
    "Durham, Astrolab": Case(
        cards="""
ORIGIN  = 'Astrolab-Durham'    / Originating Institution
TELESCOP= '16-inch East Dome'  / Name of telescope
INSTRUME= 'GM2000  '           / Type of telescope
LONG_OBS=               1.5717 / Observatory longitude in degrees
LAT_OBS =              54.7667 / Observatory latitude in degrees
DETECTOR= 'G3-16200'           / Type of CCD
GAIN    =                  1.0 / Default gain of detector
RDNOISE =                 18.0 / Default readoutof detector
CCD_TEMP=            -10.00611 / Temperature of CCD
CCD_TSET=                -10.0 / Requested temperature of CCD
HEATSINK=              15.7462 / Heat sink temperature of CCD
EXPTIME =                180.0 / Total exposure time (seconds)
FILTER  = 'V       '
DATE-OBS= '2025-10-24T03:21:31.0484' / UTC date of the observation
OBJ_NAME= 'NGC1275 '           / Name of object
RA      =             49.98178 / Telescope RA (degrees)
DEC     =             41.47984 / Telescope Dec (degrees)
AZIMUTH =             184.5247 / Telescope Azimuth
ALTITUDE=               76.807 / Telescope Altitude
PSCALE  =               0.9252 / arcsec
""",
        frames=(Frame(name="ngc1275_V_001.fits"),),
        facts={"exptime": 180.0, "start": "2025-10-24T03:21:31.0", "band": "V", "noise": 18.0,
               "object": "NGC1275", "pointing": (49.982, 41.48), "scale": 0.9252,
               "place": (54.7667, 1.5717, 0.0), "masters": ()},
        says=("is east positive?",)),

    # Longitudes to the west, by the text behind the /.
    "CCDOPS of SBIG's standard": Case(
        cards="""
COMMENT = 'SBIG FITS header format per:'
SBSTDVER= 'SBFITSEXT Version 1.0' / SBIG FITS extensions ver
DATE    = '2014-10-30T22:01:06' / GMT date when this file created
DATE-OBS= '2014-10-30T05:01:13' / GMT start of exposure
EXPTIME =                   1. / Exposure in seconds
CCD-TEMP=      26.827323877487 / CCD temp in degress C
SITENAME= 'Carnelian Bay, CA'  / Site name
SITEELEV=                1928. / Site elevation in meters
SITELAT = '+39:13:36.6636'     / Site latitude in degrees
SITELONG= '+120:04:54.6924'    / Site longitude in degrees west of zero
OBJECT  = 'M42     '           / Name of object imaged
TELESCOP= 'Nikkor-Q'           / Telescope model
FILTER  = 'Astrodon Tru-balance E-series NIR blocked L' / Optical filter name
INSTRUME= 'SBIG ST-8 Dual CCD Camera' / Camera Model
XBINNING=                    1 / Horizontal binning factor
YBINNING=                    1 / Vertical binning factor
XPIXSZ  =                   9. / Pixel width in microns
YPIXSZ  =                   9. / Pixel height in microns
EGAIN   =                 2.78 / Electrons per ADU
XORGSUBF=                    0 / Subframe origin x_pos
YORGSUBF=                    0 / Subframe origin y_pos
SNAPSHOT=                    1 / Number images coadded
FOCALLEN=                 135. / Focal length in mm
""",
        frames=(Frame(name="snap.fits"),),
        facts={"exptime": 1.0, "start": "2014-10-30T05:01:13.0", "object": "M42",
               "band": "Astrodon Tru-balance E-series NIR blocked L",
               "gain": 2.78, "scale": 13.751, "place": (39.22685, -120.08186, 1928.0),
               "masters": ()}),

    "MaxIm DL 6, FLI": Case(
        cards="""
DATE-OBS= '2021-12-30T15:42:46.53' /YYYY-MM-DDThh:mm:ss observation, UT
EXPTIME =   60.000000000000000 /Exposure time in seconds
EXPOSURE=   60.000000000000000 /Exposure time in seconds
SET-TEMP=  -20.000000000000000 /CCD temperature setpoint in C
CCD-TEMP=  -19.875000000000000 /CCD temperature at start of exposure in C
XPIXSZ  =   24.000000000000000 /Pixel Width in microns (after binning)
YPIXSZ  =   24.000000000000000 /Pixel Height in microns (after binning)
XBINNING=                    2 /Binning factor in width
YBINNING=                    2 /Binning factor in height
XORGSUBF=                    0 /Subframe X position in binned pixels
YORGSUBF=                    0 /Subframe Y position in binned pixels
READOUTM= '8 MHz (RBI Flood)' / Readout mode of image
FOCALLEN=   2259.0000000000000 /Focal length of telescope in mm
APTDIA  =   510.00000000000000 /Aperture diameter of telescope in mm
SWCREATE= 'MaxIm DL Version 6.27 211016 1NURE' /Name of software
SITELAT = '-31 16 24' /         Latitude of the imaging location
SITELONG= '149 04 11' /         Longitude of the imaging location
JD      =   2459579.1547052083 /Julian Date at time of exposure
TELESCOP= '        ' /          telescope used to acquire this image
INSTRUME= 'FLI     ' /          instrument or camera used
NOTES   = '        '
ROWORDER= 'TOP-DOWN' /          Image write order, BOTTOM-UP or TOP-DOWN
FLIPSTAT= '        '
""",
        frames=(
            Frame(name="d60-001.fit", cards="IMAGETYP= 'DARK' / Type of image",
                  facts={"kind": "dark"}),
            Frame(name="flat-g-001.fit", cards="IMAGETYP= 'FLAT'\nFILTER  = 'Green   '",
                  facts={"kind": "flat", "band": "Green"}),
            Frame(name="pks-001.fit", cards="IMAGETYP= 'Light Frame'\nFILTER  = 'Green   '\n"
                  "OBJECT  = 'PKS 0537-441'\nOBJCTRA = '05 38 50'\nOBJCTDEC= '-44 05 09'",
                  facts={"band": "Green", "object": "PKS 0537-441",
                         "pointing": (84.708, -44.086)})),
        facts={"exptime": 60.0, "start": "2021-12-30T15:42:46.5", "binning": 2, "scale": 2.1914,
               "place": (-31.27333, 149.06972, 0.0), "masters": ("dark", "flat")},
        says=("filter Green",)),

    # The hour is that of the file, DATE-OBS local as its name says, TIME-OBS of UT.
    "Nebulosity": Case(
        cards="""
CREATOR = 'Nebulosity v4.4.4'
INSTRUME= 'Atik 383L+'
DATE    = '2016-04-11T00:13:02' / Local time of the file's creation
DATE-OBS= '2016-04-10T22:10:15' / UTC of the exposure's start
EXPOSURE=               120.00 / [s]
GAIN    =                   50
OFFSET  =                   50
CCD-TEMP=               -20.00
BINMODE = '1x1     '
FILTER  = 'R       '
OBJECT  = 'W Com   '
FOCALLEN=                  800 / mm
XPIXSZ  =                 5.40 / um
""",
        frames=(Frame(name="wcom_001.fit"),),
        facts={"exptime": 120.0, "start": "2016-04-10T22:10:15.0", "band": "R",
               "object": "W Com", "scale": 1.3923, "masters": ()},
        says=("GAIN = 50 is a setting",)),

    "CCDciel": Case(
        cards="""
EXTEND  =                    T / FITS dataset may contain extensions
SWCREATE= 'CCDciel v0.9.87-3582' / Software that created this file
DATE    = '2024-03-10T22:12:17.2' / Date data written
INSTRUME= 'QHY CCD QHY268M-b93fd94' / instrument name
OBJECT  = 'S5 0716+714'        / Observed object name
FILTER  = 'V       '           / Filter
EXPTIME =                  60. / [s] Total Exposure Time
DATE-OBS= '2024-03-10T22:11:15.312' / UTC start date of observation
DATE-END= '2024-03-10T22:12:15.312' / UTC end of observation
GAIN    =                   56 / Camera gain setting in manufacturer units
OFFSET  =                   25 / Camera offset setting in manufacturer units
XPIXSZ  =                 3.76 / [um] Pixel Size X, binned
YPIXSZ  =                 3.76 / [um] Pixel Size Y, binned
PIXSIZE1=                 3.76 / [um] Pixel Size X, binned
PIXSIZE2=                 3.76 / [um] Pixel Size Y, binned
XBINNING=                    1 / Binning factor X
YBINNING=                    1 / Binning factor Y
CCD-TEMP=                 -10. / CCD temperature (Celsius)
FOCALLEN=                1000. / [mm] Telescope focal length
SITELAT =                  46. / Observatory latitude
SITELONG=                   6. / Observatory longitude
SITEELEV=                 400. / Observatory elevation
AIRMASS =               1.2134 / Airmass
OBJCTRA = '07 21 53.45'        / [HMS J2000] Target right assention
OBJCTDEC= '+71 20 36.4'        / [DMS J2000] Target declination
RA      =            110.47270 / [deg J2000] Target right assention
DEC     =             71.34340 / [deg J2000] Target declination
SECPIX1 =               0.7756 / image scale arcseconds per pixel
SECPIX2 =               0.7756 / image scale arcseconds per pixel
SCALE   =               0.7756 / image scale arcseconds per pixel
ROTATOR =                   0. / [deg]
""",
        frames=(
            Frame(name="Bias/Bias_001.fits", cards="IMAGETYP= 'Bias Frame'",
                  facts={"kind": "bias", "band": None}),
            Frame(name="Flat/Flat_V_001.fits", cards="IMAGETYP= 'Flat Frame'",
                  facts={"kind": "flat"}),
            Frame(name="Light/S50716_001.fits", cards="IMAGETYP= 'Light Frame'")),
        facts={"exptime": 60.0, "start": "2024-03-10T22:11:15.3", "band": "V",
               "object": "S5 0716+714", "pointing": (110.473, 71.343), "scale": 0.7756,
               "place": (46.0, 6.0, 400.0)}),

    "Artemis Capture, Atik": Case(
        cards="""
INSTRUME= 'Atik 414EX, #75'
DATE-OBS= '2015-09-12T21:04:33.120'
EXPTIME =                  30. / Exposure in seconds
XPIXSZ  =                12.90
YPIXSZ  =                12.90
XBINNING=                    2
YBINNING=                    2
CCD-TEMP=               -10.10
CREATOR = 'Artemis Capture'
FILTER  = 'none    '
""",
        frames=(Frame(name="BL_Lac_R_0001.fit"),),
        facts={"exptime": 30.0, "start": "2015-09-12T21:04:33.1", "binning": 2, "band": "C",
               "masters": ()},
        says=("1330 / the focal length",)),

    "Unistellar": Case(
        cards="""
INSTRUME= 'eVscope v1.0'
SOFTVER = '4.0-2a8'
DATE-OBS= '2023-05-19T21:13:32.410' / UTC
EXPTIME =                3.970 / seconds
GAIN    =                25.00 / dB
FOVRA   =             210.9106 / degrees
FOVDEC  =              54.3116 / degrees
BAYERPAT= 'RGGB    '
CREATOR = 'UNISTELLAR'
OBJECT  = 'SN2023ixf'
""",
        frames=(Frame(name="sn_0001.fits"),),
        facts={"exptime": 3.97, "start": "2023-05-19T21:13:32.4", "band": "V", "binning": 2,
               "object": "SN2023ixf", "mosaic": "G:RGGB", "shape": (50, 60), "scale": 2.0,
               "pointing": (210.911, 54.312), "masters": ()},
        says=("GAIN = 25.0 is a setting",)),

    # Sequence Generator Pro: local time in DATE-LOC, the binning as text.
    "Sequence Generator Pro": Case(
        cards="""
OBJECT  = 'OJ 287  '           / Object name
TELESCOP= 'Celestron GPS'      / Telescope name
INSTRUME= 'QSI 683wsg'         / Camera name
OBSERVER= 'me      '           / Observer name
NOTES   = 'Notes   '           / Notes
ANGLE   =              359.200 / Image angle
SCALE   =                 0.69 / Image scale (arcsec/pixel)
PIXSCALE=                 0.69 / Image scale (arcsec/pixel)
POSANGLE= '270.8   '           / Camera rotator postion angle (degrees)
SITENAME= 'Home    '           / Imaging location
SITEELEV= '120     '           / Imaging location elevation (meters)
SITELAT = '+42 10 0.000'       / Imaging location latitude
SITELONG= '-71 15 0.000'       / Imaging location longitude
FOCUSER = 'Focuser '           / Focuser name
CREATOR = 'Sequence Generator Pro v4.1' / Capture software
DATE-LOC= '2022-01-08T22:13:12.5450000' / Local start date/time
DATE-OBS= '2022-01-09T03:13:12.5450000' / UTC start date/time
IMAGETYP= 'LIGHT   '           / Frame type
EXPOSURE=                  300 / Exposure time (seconds)
GAIN    =                    0 / CCD Gain
OFFSET  =                    0 / CCD Offset
EGAIN   =                 0.49 / Electrons Per ADU
CCD-TEMP=                -20.0 / CCD temperature
SET-TEMP=                -20.0 / CCD temperature setpoint
FILTER  = 'Rc      '           / Filter
XBINNING=                    1 / Camera X Bin
CCDXBIN =                    1 / Camera X Bin
YBINNING=                    1 / Camera Y Bin
OBJCTRA = '08 54 48.87'        / Object Right Ascension (J2000)
OBJCTDEC= '+20 06 30.6'        / Object Declination (J2000)
OBJCTALT=              55.1234 / Altitude of center of image
RA      =             133.7036 / Object Right Ascension (degrees)
DEC     =              20.1085 / Object Declination (degrees)
AIRMASS =                1.219 / Average airmass
""",
        frames=(Frame(name="OJ287_Light_Rc_300_secs_001.fits"),),
        facts={"exptime": 300.0, "start": "2022-01-09T03:13:12.5", "band": "R", "gain": 0.49,
               "object": "OJ 287", "pointing": (133.704, 20.108), "scale": 0.69,
               "place": (42.16667, -71.25, 120.0), "masters": ()}),

    # The time is of the end of the exposure, as DATE-END would be.
    "a program that writes when it saves": Case(
        cards="""
INSTRUME= 'Starlight Xpress SXVR-H9'
CREATOR = 'MyCam 1.2'
DATE-OBS= '2018-10-12T22:15:00' / end of exposure (UTC)
EXPTIME =                  300 / s
FILTER  = 'V       '
OBJECT  = '3C 66A  '
RA      = '02h22m39.6s'
DEC     = '+43d02m08s'
ARCSECPX=                 0.91
""",
        frames=(Frame(name="3c66a.fits", cards="IMAGETYP= 'Light Frame'"),),
        facts={"exptime": 300.0, "start": "2018-10-12T22:10:00.0", "band": "V",
               "object": "3C 66A", "pointing": (35.665, 43.036), "scale": 0.91, "masters": ()}),

    "KPNO 0.9 m, HDI": Case(
        cards="""
OBSERVAT= 'KPNO    '
TELESCOP= 'KPNO 0.9m'
INSTRUME= 'hdi     '
OBJNAME = 'OJ287   '
OBJECT  = '        '
OBSTYPE = 'OBJECT  '
DATE-OBS= '2015-03-11T05:10:15.1' / Date of observation (UTC)
EXPTIME =                120.0 / sec
FILTER1 = '0       '
FILTER2 = 'R Harris'
RASTRNG = '08:54:48.9'
DECSTRNG= '+20:06:31'
CCDSUM  = '1 1     '
GAIN    =                  1.3 / e-/ADU
PIXSCAL1=                 0.43 / arcsec
""",
        frames=(Frame(name="c001.fits"),),
        facts={"exptime": 120.0, "start": "2015-03-11T05:10:15.1", "band": "R", "gain": 1.3,
               "object": "OJ287", "pointing": (133.704, 20.109), "scale": 0.43,
               "masters": ()}),

    # The middle of the names of the pointing's cards differs.
    "San Pedro Martir, RATIR": Case(
        cards="""
TELESCOP= 'OAN/SPM Harold L. Johnson 1.5-meter'
INSTRUME= 'RATIR   '
CCD_NAME= 'C1      '
SDATE   = '2013-05-12T07:12:11'
DATE-OBS= '2013-05-12T07:12:11.345' / UTC
EXPTIME =                 80.0
FILTER  = 'r       '
BINNING =                    2
SOFTGAIN=                 1.23 / e-/ADU
STRCURA =            243.12345 / Current RA (deg)
STRCUDE =             11.19000 / Current Dec (deg)
TARGNAME= 'PG1553  '
EXPTYPE = 'object  '
""",
        frames=(Frame(name="20130512T071211C1o.fits"),),
        facts={"exptime": 80.0, "start": "2013-05-12T07:12:11.3", "band": "r", "gain": 1.23,
               "binning": 2, "object": "PG1553", "pointing": (243.123, 11.19),
               "masters": ()}),

    # No card has a usual name.
    "a robot with names of its own": Case(
        cards="""
CAMNAME = 'Marana  '
OBSTIME = '2021-03-11T22:10:15.1' / UTC of exposure start
EXPOSED =                 10.5 / shutter open, seconds
OPTFILT = 'Clear   '
TARGETNM= 'S5 0716+714'
FRMKIND = 'light   '
TELRADEG=             110.4727 / deg
TELDEDEG=              71.3434 / deg
XBIN    =                    2
YBIN    =                    2
PXSCALE =                 4.12 / arcsec/pixel
""",
        frames=(Frame(name="x.fits"),),
        facts={"exptime": 10.5, "start": "2021-03-11T22:10:15.1", "band": "C",
               "binning": 2, "object": "S5 0716+714", "pointing": (110.473, 71.343),
               "scale": 4.12, "masters": ()}),

    # Two wheels whose cards are in no list.
    "La Silla, Danish 1.54 m, DFOSC": Case(
        cards="""
TELESCOP= 'Danish 1.54m'
INSTRUME= 'DFOSC   '
DATE-OBS= '2015-03-11T05:10:15.100'
EXPTIME =                120.0
GAIN    =                 0.24 / e-/ADU
RDNOISE =                  4.5 / e-
BIN     = '1x1     '
TELRA   = '08:54:48.9'
TELDEC  = '+20:06:31'
""",
        frames=(
            Frame(name="d1.fits", cards="OBJECT  = 'OJ287   '\nIMAGETYP= 'LIGHT'\n"
                  "FILTA   = 'EMPTY   '\nFILTB   = 'R Bessell'", facts={"band": "R"}),
            Frame(name="d2.fits", cards="OBJECT  = 'OJ287   '\nIMAGETYP= 'LIGHT'\n"
                  "FILTA   = 'Gunn i  '\nFILTB   = 'EMPTY   '", facts={"band": "i"}),),
        facts={"exptime": 120.0, "start": "2015-03-11T05:10:15.1", "object": "OJ287",
               "pointing": (133.704, 20.109), "gain": 0.24, "noise": 4.5, "masters": ()}),

    # Decimal commas in text.
    "Pico dos Dias, LNA": Case(
        cards="""
TELESCOP= 'PE160   '
INSTRUME= 'Camara 1 com polarimetro'
HEAD    = 'DU934P_BEX2-DD'
DATE-OBS= '2014-05-12T22:10:15,123'
DATE    = '2014-05-12T22:11:15'
EXPTIME = '00060,00000'
GAIN    = '0,92    '           / e-/ADU
RDNOISE = '3,1     '           / electrons
OBJECT  = 'PKS1510 '
FILTER  = 'R       '
HBIN    =                    1
VBIN    =                    1
""",
        frames=(Frame(name="pks1510_0001.fits"),),
        facts={"exptime": 60.0, "start": "2014-05-12T22:10:15.1", "object": "PKS1510",
               "band": "R", "gain": 0.92, "noise": 3.1, "masters": ()}),

    # DATE is of the file.
    "a program in Spanish": Case(
        cards="""
TELESCOP= 'JS-0.84 '
CAMARA  = 'SBIG STL-1001E'
FECHA   = '2015-03-11'
DATE    = '2015-03-12T00:10:15'
HORA-UT = '22:10:15.1'         / hora de inicio (UT)
TEXP    =                 90.0 / tiempo de exposicion (s)
FILTRO  = 'R       '
OBJETO  = '3C 273  '
TIPO    = 'OBJETO  '
""",
        frames=(Frame(name="a.fits"),),
        facts={"exptime": 90.0, "start": "2015-03-11T22:10:15.1", "object": "3C 273",
               "band": "R", "masters": ()}),

    "a middle in MJD": Case(
        cards="""
INSTRUME= 'Cam     '
MJD_MID =     57090.9240000000
EXP     =                100.0 / exposure time in sec
FILTNAM1= 'r       '
TARGET  = 'OJ 287  '

""",
        frames=(Frame(name="a.fits"),),
        facts={"exptime": 100.0, "start": "2015-03-09T22:09:43.6", "object": "OJ 287",
               "band": "r", "masters": ()}),

    "one image of four amplifiers": Case(
        cards="""
OBSERVAT= 'CTIO    '           / observatory
TELESCOP= 'CTIO 0.9 meter telescope'
INSTRUME= 'cfccd   '
DETECTOR= 'Tek2K_3 '
OBJECT  = 'PKS2155 '
IMAGETYP= 'OBJECT  '
DATE-OBS= '2008-08-11T05:10:15.1' / date of observation start
UTSHUT  = '2008-08-11T05:10:15.1' / UT of shutter open
UT      = '05:10:14'           / UT of TCS coords
EXPTIME =                60.00
DARKTIME=               61.20
RA      = '21:58:52.0'
DEC     = '-30:13:32'
FILTER1 = 'dia     '
FILTER2 = 'ov      '
FILTERS = 'dia ov  '
CCDSUM  = '1 1     '
NAMPSYX = '2 2     '
AMPLIST = '11 12 21 22'
ASEC11  = '[1:60,1:50]'
BSEC11  = '[52:58,1:50]'
TSEC11  = '[1:50,1:50]'
GTGAIN11=                  3.1
GTRON11 =                  4.8
XPIXSIZE=                 24.0 / um
PIXSCALE=                0.401 / arcsec
""",
        frames=(Frame(name="obj1.fits"),),
        facts={"exptime": 60.0, "start": "2008-08-11T05:10:15.1", "object": "PKS2155",
               "band": "dia ov", "pointing": (329.717, -30.226), "scale": 0.401,
               "masters": ()},
        says=("overscan (BSEC11)", "band of the filter dia ov")),

    # OUT is no plate, the other one has an angle.
    "a camera with a plate in the beam": Case(
        cards="""
INSTRUME= 'Cam     '
DATE-OBS= '2015-03-11T05:10:15.1'
EXPTIME =                 60.0
FILTER  = 'R       '
POLARIZE= 'OUT     '
HWPPOS  =                 22.5 / half-wave plate
""",
        frames=(Frame(name="x.fits"),),
        facts={"exptime": 60.0, "start": "2015-03-11T05:10:15.1", "band": "R", "masters": ()},
        says=("whether a polariser or a plate stands in the beam (HWPPOS = 22.5)",)),
}
