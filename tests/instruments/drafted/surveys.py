"""Frames of surveys, from their archives."""

from __future__ import annotations

from tests.instruments.drafted.case import Case, Frame

CASES: dict[str, Case] = {
    "ATLAS": Case(
        cards="""
OBSERVAT= 'ATLAS-HKO'
OBSNAME = '01a     '
TELESCOP= 'ATLAS-02'
DETECTOR= 'ACAM1   '
OBJECT  = 'TA165N05'
EXPTIME =                 30.0 / seconds
FILTER  = 'o       '           / Filter
MJD-OBS =     58884.5123456789 / MJD at start of exposure
DATE-OBS= '2020-02-05T12:17:46.667' / UTC start
GAIN    =                 2.05 / e-/ADU
RDNOISE =                 11.0 / e-
SATURATE=                60000 / ADU
PIXSCALE=                 1.86 / arcsec
RADEG   =            166.11380 / deg
DECDEG  =             38.20880 / deg
""",
        frames=(Frame(name="02a58884o0123o.fits"),),
        facts={"exptime": 30.0, "start": "2020-02-05T12:17:46.6", "band": "o", "gain": 2.05,
               "noise": 11.0, "saturation": 60000.0, "scale": 1.86, "object": "TA165N05",
               "pointing": (166.114, 38.209), "masters": ()},
        says=("filter o",)),

    # The date's own year and day, and its time apart with colons.
    "Palomar 60-inch, SEDM": Case(
        cards="""
TELESCOP= '60      '           / Telescope
INSTRUME= 'SEDM-P60'
CAM_NAME= 'Rainbow Cam'        / Camera Name
IMGTYPE = 'SCIENCE '           / Image type
UTC     = '2019:123:04:05:06.7' / Time of shutter open
OBSDATE = '2019-05-03'         / UT Start Date
OBSTIME = '04:05:06.7'         / UT Start Time
JD      =     2458606.67021644 / JD of shutter open
MJD_OBS =       58606.17021644 / MJD of shutter open
EXPTIME =                 60.0 / Exposure time
GAIN    =                  1.8 / gain in e-/ADU
RDNOISE =                  4.0 / electrons
FILTER  = 'r       '
OBJECT  = 'Mrk 501 '
RA      = '16:53:52.20'
DEC     = '+39:45:36.0'
PIXSCALE=                0.394 / arcsec per pixel
""",
        frames=(Frame(name="rc20190503_04_05_06.fits"),),
        facts={"exptime": 60.0, "start": "2019-05-03T04:05:06.7", "band": "r", "gain": 1.8,
               "noise": 4.0, "object": "Mrk 501", "pointing": (253.468, 39.76), "scale": 0.394,
               "masters": ()}),

    "CFHT, MegaCam, one chip": Case(
        cards="""
TELESCOP= 'CFHT 3.6m'          / Telescope
DETECTOR= 'MegaCam '           / Detector name
INSTRUME= 'MegaPrime'          / Instrument Name
OBSTYPE = 'OBJECT  '           / Observation / Exposure type
EXPTIME =               90.011 / Integration time (seconds)
DARKTIME=               90.011 / Dark current time (seconds)
DATE    = '2013-03-11T07:12:11' / UTC Date of file creation
DATE-OBS= '2013-03-11'         / Date at start of observation (UTC)
UTC-OBS = '07:10:33.64'        / Time at start of observation (UTC)
TIME-OBS= '07:10:33.64'        / Time at start of observation (UTC)
UTIME   = '07:10:33.64'        / Time at start of observation (UTC)
MJD-OBS =         56362.298945 / Modified Julian Date at start of observation
OBJECT  = 'OJ287   '
RA      = '8:54:48.87'         / Object right ascension
DEC     = '20:06:30.6'         / Object declination
RA_DEG  =            133.70362 / Object right ascension in degrees
DEC_DEG =             20.10850 / Object declination in degrees
FILTER  = 'r.MP9601'           / Name of filter in position
CCDBIN1 =                    1 / Binning factor along first axis
CCDBIN2 =                    1 / Binning factor along second axis
GAIN    =                1.620 / Average gain for both amplifiers (electrons/ADU)
RDNOISE =                 4.50 / Average readout noise (electrons)
SATURATE=                65535 / Saturation value (ADU)
PIXSCAL1=                0.185 / Pixel scale for axis 1 (arcsec/pixel)
PIXSCAL2=                0.185 / Pixel scale for axis 2 (arcsec/pixel)
DATASEC = '[5:114,1:100]'      / Imaging area of the entire CCD
BIASSEC = '[115:120,1:100]'    / Overscan
LATITUDE=            19.825252 / Latitude (degrees N)
LONGITUD=          -155.468876 / Longitude (degrees E)
""",
        frames=(Frame(name="1600001o_ccd12.fits"),),
        facts={"exptime": 90.011, "start": "2013-03-11T07:10:33.6", "band": "r", "gain": 1.62,
               "noise": 4.5, "saturation": 65535.0, "object": "OJ287", "scale": 0.185,
               "pointing": (133.704, 20.109), "trim": (4, 114, 0, 100),
               "overscan": (114, 120, 0, 100), "shape": (100, 110),
               "place": (19.82525, -155.46888, 0.0), "masters": ()}),

    # Exposures of days, as the rest of the mission counts.
    "TESS, a full-frame image": Case(
        cards="""
TELESCOP= 'TESS    '           / telescope
INSTRUME= 'TESS Photometer'    / detector type
DATE-OBS= '2020-02-05T12:17:46.667Z' / TSTART as UTC calendar date
DATE-END= '2020-02-05T12:47:46.667Z' / TSTOP as UTC calendar date
TIMESYS = 'TDB     '           / time system is Barycentric Dynamical Time (TDB)
EXPOSURE=       0.015625       / [d] time on source
FRAMETIM=                  2.0 / [s] frame time
NUM_FRM =                  900 / number of frames per time stamp
RA_NOM  =             166.1138 / [deg] RA of center
CAMERA  =                    1 / Camera number
CCD     =                    2 / CCD chip number
GAINA   =                 5.23 / [electrons/count] CCD output A gain
FFIINDEX=                11234 / number of FFI cadence
""",
        frames=(Frame(name="tess2020036121746-s0021-1-2-0167-s_ffic.fits"),),
        facts={"exptime": 1350.0, "start": "2020-02-05T12:17:46.6", "band": "C", "gain": 5.23,
               "masters": ()},
        says=("TDB",)),
}
