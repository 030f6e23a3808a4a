"""Frames of observatories in the south."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
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

    "Las Campanas, Swope": Case(
        cards="""
OBSERVER= 'someone '
TELESCOP= 'SWO     '           / Swope 1-m
INSTRUME= 'Direct/4Kx4K-4'
UT-DATE = '2016-02-11'         / UT date (start)
UT-TIME = '04:12:29'           / UT time (start) 15149 seconds
UT-END  = '04:14:29'           / UT time (end)
LC-TIME = '01:12:29'           / local time (start)
NIGHT   = '10Feb2016'          / night (beginning)
DATE-OBS= '2016-02-11'         / UT date (start)
EXPTIME =              120.000 / exposure time
BINNING = '1x1     '           / binning
SCALE   =                0.435 / arcsec/pixel
EGAIN   =                 1.04 / electrons/DU
ENOISE  =                 3.40 / electrons/read
BIASSEC = '[101:120,1:100]'    / NOAO: bias section
DATASEC = '[1:100,1:100]'      / NOAO: data section
TRIMSEC = '[1:100,1:100]'      / NOAO: trim section
RA      = '10:12:50.5'
DEC     = '-09:05:59'
OBJECT  = 'PKS1004 '
FILTER  = 'r       '
SITELAT =            -29.01423
SITELONG=            -70.69242
SITEALT =               2380.0
""",
        frames=(Frame(name="ccd1001c1.fits", cards="EXPTYPE = 'Object'"),
                Frame(name="ccd1002c1.fits", cards="EXPTYPE = 'Bias'",
                      facts={"kind": "bias", "band": None})),
        facts={"exptime": 120.0, "start": "2016-02-11T04:12:29.0", "band": "r", "gain": 1.04,
               "noise": 3.4, "pointing": (153.210, -9.1), "object": "PKS1004", "scale": 0.435,
               "trim": (0, 100, 0, 100), "overscan": (100, 120, 0, 100), "shape": (100, 100),
               "place": (-29.01423, -70.69242, 2380.0), "masters": ("bias",)}),

    "REM, ROSS2, hours as a number": Case(
        cards="""
TELESCOP= 'REM     '
INSTRUME= 'ROSS2   '
DATE-OBS= '2015-03-11T04:12:29.100' / UTC
EXPTIME =                 90.0 / [s]
BINX    =                    1
BINY    =                    1
GAIN    =                 1.71 / [e-/ADU]
RON     =                 12.0 / [e-]
PIXSCALE=                 0.58 / [arcsec/pixel]
FILTER  = 'i       '
OBJECT  = 'PKS1510 '
RA      =             15.21404 / [hours]
DEC     =             -9.09995 / [deg]
""",
        frames=(Frame(name="ROS_0001.fits", cards="OBSTYPE = 'OBJECT'"),),
        facts={"exptime": 90.0, "start": "2015-03-11T04:12:29.1", "band": "i", "gain": 1.71,
               "noise": 12.0, "pointing": (228.211, -9.1), "object": "PKS1510", "scale": 0.58,
               "masters": ()}),
}
