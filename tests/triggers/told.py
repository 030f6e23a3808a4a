"""Notices as GCN documents them: the Fermi LAT's of a known source that flares, and by JSON."""

from __future__ import annotations

import json
from typing import Any

#: As in gcn.classic.text.FERMI_LAT_MONITOR: https://gcn.gsfc.nasa.gov/fermi_lat_mon_trans.html.
TEXT = b"""TITLE:           GCN/FERMI NOTICE
NOTICE_DATE:     Thu 23 Feb 23 15:49:32 UT
NOTICE_TYPE:     Fermi-LAT Monitor
SOURCE_OBJ:      BLLac_86400.png
REF_NUM:         1677167372
RA:              330.680d {+22h 02m 43s} (J2000),
                 330.91d {+22h 03m 39s} (current)
DEC:             +42.278d {+42d 16' 40"} (J2000),
                 +42.39d {+42d 23' 22"} (current)
CURR_FLUX:       1.70e-06 +- 6.50e-08 [ph/cm2/sec]
BASE_FLUX:       6.99e-07 +- 1.59e-07 [ph/cm2/sec]
SIGNIFICANCE:    5.59 [sigma]
TIME_SCALE:      0  {0=1day, 1=1week}
ENERGY_BAND:     0.1 - 300.0 [GeV]
OUTBURST_DATE:   19997 TJD;    53 DOY;   23/02/22 (yy/mm/dd)
OUTBURST_TIME:   43200.00 SOD {12:00:00.00} UT
SOLN_STATUS:     0x0
SUN_POSTN:       336.62d {+22h 26m 28s}   -9.76d {-09d 45' 42"}
COMMENTS:
"""

#: The same event, as the VOEvents of that kind are written.
VOEVENT = b"""<?xml version = '1.0' encoding = 'UTF-8'?>
<voe:VOEvent
      ivorn="ivo://nasa.gsfc.gcn/Fermi#LAT_Monitor_2023-02-22T12:00:00.00_1677167372-0-601"
      role="observation" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0">
  <Who><AuthorIVORN>ivo://nasa.gsfc.tan/gcn</AuthorIVORN><Date>2023-02-23T15:49:32</Date></Who>
  <What>
    <Param name="Packet_Type"   value="125" />
    <Param name="SourceName"    value="BLLac_86400.png" ucd="meta.id" />
    <Param name="TrigID"        value="1677167372" ucd="meta.id" />
    <Param name="Curr_Flux"     value="1.700e-06" unit="cts" ucd="phot.count" />
    <Param name="Signif"        value="43200.00" />
    <Group name="Trigger_ID" ><Param name="Retraction" value="false" /></Group>
  </What>
  <WhereWhen><ObsDataLocation><ObservationLocation>
        <AstroCoords coord_system_id="UTC-FK5-GEO">
          <Time unit="s"><TimeInstant><ISOTime>2023-02-22T12:00:00.00</ISOTime></TimeInstant></Time>
          <Position2D unit="deg">
            <Value2><C1>330.6800</C1><C2>42.2780</C2></Value2>
            <Error2Radius>0.0000</Error2Radius>
          </Position2D>
        </AstroCoords>
  </ObservationLocation></ObsDataLocation></WhereWhen>
</voe:VOEvent>
"""
FLARED_AT = 1677067200.0  # 2023-02-22 12:00 UTC
ISSUED_AT = 1677167372.0  # 2023-02-23 15:49:32 UTC, its number too


def unified(**fields: Any) -> bytes:
    """A notice of GCN's unified schema; a field that is None is left out."""
    said = {
        "$schema": "https://gcn.nasa.gov/schema/v4.0.0/gcn/notices/example.schema.json",
        "mission": "Fermi", "instrument": "LAT", "id": ["f-17"], "event_name": ["BL Lac"],
        "alert_type": "initial", "alert_tense": "current", "ra": 330.68, "dec": 42.278,
        "ra_dec_error": 0.05, "trigger_time": "2023-02-22T12:00:00.00Z",
        "alert_datetime": "2023-02-23T15:49:32Z", "image_snr": 5.6} | fields
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()
