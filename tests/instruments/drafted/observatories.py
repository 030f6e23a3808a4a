"""Frames of observatories."""

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

    "LCO, 1 m, reduced": Case(
        cards="""
TELESCOP= '1m0-04  '           / The Name of the Telescope
INSTRUME= 'fa15    '           / Instrument used
ORIGIN  = 'LCOGT   '
RLEVEL  =                   91 / Reduction level
PIXSCALE= 0.389                / [arcsec/pixel] Nominal pixel scale on sky
EXPTIME = 60.115               / [s] Exposure length
DATE-OBS= '2017-03-01T01:02:03.500' / [UTC] Start date and time of the observation
UTSTART = '01:02:03.500'       / [UTC] UTC at start of exposure
MJD-OBS =        57813.0430961 / [UTC days] Start date/time (Modified Julian Date)
OBSTYPE = 'EXPOSE  '           / Observation type
GAIN    = 1.0                  / [electrons/count] Pixel gain
RDNOISE = 8.0                  / [electrons/pixel] Read noise
SATURATE= 127000.0             / [ADU] Saturation level used
MAXLIN  = 120000.0             / [ADU] Non-linearity level
CCDSUM  = '1 1     '           / CCD binning factors
BIASSEC = 'N/A     '           / [binned pixel] Overscan region
TRIMSEC = 'N/A     '           / [binned pixel] Trim section
CCDATEMP= -99.5                / [deg C] CCD actual temperature
LATITUDE= -30.1673833333       / [deg North] Telescope Latitude
LONGITUD= -70.8047888889       / [deg East] Telescope Longitude
HEIGHT  = 2198.0               / [m] Altitude of Telescope
OBJECT  = 'PKS 1510-089'       / Object name
RA      = '15:12:50.5400'      / [HH:MM:SS.sss] RA where the telescope is pointing
DEC     = '-09:05:59.830'      / [DD:MM:SS.sss] DEC where the telescope is pointing
L1STATOV= 1                    / Status flag for overscan
L1STATBI= 1                    / Status flag for bias
L1STATDA= 1                    / Status flag for dark
L1STATFL= 1                    / Status flag for flat
""",
        extension="EXTNAME = 'SCI     '",
        frames=(
            Frame(name="lsc1m004-fa15-20170228-0100-e91.fits", cards="FILTER  = 'rp      '",
                  facts={"band": "r"}),
            Frame(name="lsc1m004-fa15-20170228-0101-e91.fits", cards="FILTER  = 'zs      '",
                  facts={"band": "z"})),
        facts={"object": "PKS 1510-089", "exptime": 60.115, "start": "2017-03-01T01:02:03.5",
               "pointing": (228.211, -9.1), "gain": 1.0, "noise": 8.0, "saturation": 127000.0,
               "scale": 0.389, "place": (-30.16738, -70.80479, 2198.0),
               "calibrated": ("bias", "dark", "flat"), "masters": ()}),

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

    "CTIO 1.3 m, ANDICAM": Case(
        cards="""
OBSERVAT= 'CTIO    '           / Origin of data
TELESCOP= 'CTIO 1.3 meter telescope' / Specific system
INSTRUME= 'ANDICAM-CCD'        / Instrument
DATE-OBS= '2008-08-10'         / UT date of observation
TIME-OBS= '05:07:43'           / UT at start of exposure
UT      = '05:07:43'           / UT at start of exposure
JD      =        2454688.71369 / Julian date at start
EXPTIME =               250.00 / Exposure time in secs
CCDXBIN =                    2
CCDYBIN =                    2
GAIN    =                  2.3 / gain, electrons/adu
RDNOISE =                  6.5 / read noise, electrons
RA      = '22:02:43.1'
DEC     = '+42:16:40'
SECZ    =                 2.41
TRIMSEC = '[17:110,2:99]'
BIASSEC = '[2:16,2:99]'
""",
        frames=(
            Frame(name="ccd080810.0001.fits", cards="IMAGETYP= 'zero'\nOBJECT  = 'BIAS'",
                  facts={"kind": "bias", "object": "BIAS"}),
            Frame(name="ccd080810.0021.fits", cards="IMAGETYP= 'flat'\nOBJECT  = 'DOME'\n"
                  "CCDFLTID= 'R       '", facts={"kind": "flat", "object": "DOME", "band": "R"}),
            Frame(name="ccd080810.0101.fits", cards="IMAGETYP= 'object'\nOBJECT  = 'BL Lac'\n"
                  "CCDFLTID= 'R       '", facts={"object": "BL Lac", "band": "R"})),
        facts={"exptime": 250.0, "start": "2008-08-10T05:07:43.0", "gain": 2.3, "noise": 6.5,
               "binning": 2, "pointing": (330.680, 42.278), "trim": (16, 110, 1, 99),
               "overscan": (1, 16, 1, 99), "shape": (98, 94)}),

    # Everything stands in HIERARCH cards; GAIN there is in ADU per electron.
    "VLT, FORS2": Case(
        cards="""
ORIGIN  = 'ESO-PARANAL'        / European Southern Observatory
TELESCOP= 'ESO-VLT-U1'         / ESO <TEL>
INSTRUME= 'FORS2   '           / Instrument used.
EXPTIME =              30.0007 / Integration time
RA      =           194.046500 / 12:56:11.1 RA (J2000) pointing (deg)
DEC     =             -5.78930 / -05:47:21.4 DEC (J2000) pointing (deg)
MJD-OBS =       57088.21700231 / Obs start
DATE-OBS= '2015-03-07T05:12:29.000' / Observing date
UTC     =            18745.000 / 05:12:25.000 UTC at start (sec)
HIERARCH ESO DET CHIPS = 1 / # of chips in detector array
HIERARCH ESO DET OUT1 CONAD = 0.80 / Conversion from ADUs to electrons
HIERARCH ESO DET OUT1 GAIN = 1.25 / Conversion from electrons to ADU
HIERARCH ESO DET OUT1 RON = 2.90 / Readout noise per output (e-)
HIERARCH ESO DET WIN1 BINX = 2 / Binning factor along X
HIERARCH ESO DET WIN1 BINY = 2 / Binning factor along Y
HIERARCH ESO INS PIXSCALE = 0.126 / Pixel scale
HIERARCH ESO TEL GEOELEV = 2648. / [m] Elevation above sea level
HIERARCH ESO TEL GEOLAT = -24.6270 / [deg] Tel geo latitute (+=North)
HIERARCH ESO TEL GEOLON = -70.4040 / [deg] Tel geo longitute (+=East)
""",
        frames=(
            Frame(name="FORS2_BIAS066.fits", cards="OBJECT  = 'BIAS'\n"
                  "HIERARCH ESO DPR CATG = 'CALIB' / Observation category\n"
                  "HIERARCH ESO DPR TYPE = 'BIAS' / Observation type\n"
                  "HIERARCH ESO INS FILT1 NAME = 'R_SPECIAL' / Filter name",
                  facts={"kind": "bias", "object": "BIAS"}),
            Frame(name="FORS2_SKYFLAT067.fits", cards="OBJECT  = 'FLAT,SKY'\n"
                  "HIERARCH ESO DPR CATG = 'CALIB' / Observation category\n"
                  "HIERARCH ESO DPR TYPE = 'FLAT,SKY' / Observation type\n"
                  "HIERARCH ESO INS FILT1 NAME = 'I_BESS' / Filter name",
                  facts={"kind": "flat", "object": "FLAT,SKY", "band": "I"}),
            Frame(name="FORS2_IMG066.fits", cards="OBJECT  = '3C 279'\n"
                  "HIERARCH ESO DPR CATG = 'SCIENCE' / Observation category\n"
                  "HIERARCH ESO DPR TYPE = 'OBJECT' / Observation type\n"
                  "HIERARCH ESO INS FILT1 NAME = 'I_BESS' / Filter name",
                  facts={"object": "3C 279", "band": "I"})),
        facts={"exptime": 30.0007, "start": "2015-03-07T05:12:29.0", "gain": 0.8, "noise": 2.9,
               "binning": 2, "pointing": (194.047, -5.789), "scale": 0.252,
               "place": (-24.627, -70.404, 2648.0)}),

    "NTT, EFOSC2": Case(
        cards="""
ORIGIN  = 'ESO     '           / European Southern Observatory
TELESCOP= 'ESO-NTT '           / ESO <TEL>
INSTRUME= 'EFOSC   '           / Instrument used.
EXPTIME =              120.000 / Total integration time
RA      =            10.684000 / 00:42:44.1 RA (J2000) pointing (deg)
DEC     =             -9.26900 / DEC (J2000) pointing (deg)
MJD-OBS =       56570.10069444 / Obs start
DATE-OBS= '2013-10-05T02:25:00.000' / Observing date
HIERARCH ESO DPR TYPE = 'OBJECT' / Observation type
HIERARCH ESO DET OUT1 CONAD = 1.18 / Conversion from ADUs to electrons
HIERARCH ESO DET OUT1 GAIN = 0.85 / Conversion from electrons to ADU
HIERARCH ESO DET OUT1 RON = 11.60 / Readout noise per output (e-)
HIERARCH ESO DET WIN1 BINX = 2 / Binning factor along X
HIERARCH ESO DET WIN1 BINY = 2 / Binning factor along Y
OBJECT  = 'M31'
""",
        frames=(
            Frame(name="EFOSC.2013-10-05.fits",
                  cards="HIERARCH ESO INS FILT1 NAME = 'R#642' / OPTIi name",
                  facts={"band": "R"}),
            Frame(name="EFOSC.2013-10-06.fits",
                  cards="HIERARCH ESO INS FILT1 NAME = 'i#705' / OPTIi name",
                  facts={"band": "i"})),
        facts={"exptime": 120.0, "start": "2013-10-05T02:25:00.0", "gain": 1.18, "noise": 11.6,
               "binning": 2, "pointing": (10.684, -9.269), "object": "M31", "masters": ()}),

    "SOAR, Goodman": Case(
        cards="""
OBSERVAT= 'SOAR    '           / Observatory
TELESCOP= 'SOAR 4.1m'          / Telescope
INSTRUME= 'ghts_red'           / Instrument
WAVMODE = 'IMAGING '           / Wavelength mode
DATE    = '2018-05-06'         / date of file creation
DATE-OBS= '2018-05-06T03:22:11.345' / Start of exposure, UT
OPENDATE= '2018-05-06'         / shutter open date
OPENTIME= '03:22:11.345'       / shutter open time
UT      = '03:22:11.35'
EXPTIME =                 60.0 / exposure time
CCDSUM  = '2 2     '
GAIN    =                 1.48 / CCD Gain (e-/ADU)
RDNOISE =                 3.89 / readout noise (e-)
RA      = '15:12:50.53'
DEC     = '-09:05:59.8'
FILTER2 = 'NO_FILTER'
TRIMSEC = '[9:110,1:100]'
""",
        frames=(
            Frame(name="0001_bias.fits", cards="OBSTYPE = 'BIAS'\nOBJECT  = 'bias'\n"
                  "FILTER  = 'NO_FILTER'", facts={"kind": "bias", "object": "bias"}),
            Frame(name="0011_sky.fits", cards="OBSTYPE = 'SFLAT'\nOBJECT  = 'sky'\n"
                  "FILTER  = 'g-SDSS'", facts={"kind": "flat", "object": "sky", "band": "g"}),
            Frame(name="0101_pks.fits", cards="OBSTYPE = 'OBJECT'\nOBJECT  = 'PKS1510'\n"
                  "FILTER  = 'g-SDSS'", facts={"object": "PKS1510", "band": "g"})),
        facts={"exptime": 60.0, "start": "2018-05-06T03:22:11.3", "gain": 1.48, "noise": 3.89,
               "binning": 2, "pointing": (228.211, -9.1), "trim": (8, 110, 0, 100),
               "shape": (100, 102)}),

    "Gemini, GMOS, one image": Case(
        cards="""
OBSERVAT= 'Gemini-South'       / Observatory (Gemini-North|Gemini-South)
TELESCOP= 'Gemini-South'       / Gemini-South
INSTRUME= 'GMOS-S  '           / Instrument used to acquire data
OBSTYPE = 'OBJECT  '           / Observation type
OBJECT  = 'PKS 2155-304'       / Object Name
DATE-OBS= '2013-05-05'         / UT Date of observation (YYYY-MM-DD)
TIME-OBS= '06:18:58.4'         / Time of observation
UT      = '06:18:58.4'         / Universal time at start of exposure
EXPTIME =                   30 / Exposure time in seconds
FILTER2 = 'open2-8 '           / Filter 2 name
RA      =         329.71693833 / Target Right Ascension
DEC     =         -30.22558833 / Target Declination
PIXSCALE=                0.146 / Pixel scale in arcsec
CCDSUM  = '2 2     '           / CCD sum
GAIN    =                  2.2 / Amplifier gain
RDNOISE =                  3.3 / Readout noise
""",
        extension="EXTNAME = 'SCI     '",
        frames=(
            Frame(name="S20130505S0031.fits", cards="FILTER1 = 'r_G0326 ' / Filter 1 name",
                  facts={"band": "r"}),
            Frame(name="S20130505S0032.fits", cards="FILTER1 = 'i_G0327 ' / Filter 1 name",
                  facts={"band": "i"})),
        facts={"exptime": 30.0, "start": "2013-05-05T06:18:58.4", "gain": 2.2, "noise": 3.3,
               "binning": 2, "pointing": (329.717, -30.226), "object": "PKS 2155-304",
               "scale": 0.146, "masters": ()}),

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
}
