"""An invented site: frames, results, alerts, failures and mails, as a daemon leaves them.

Run as a program, it fills a folder for looking at: ``python -m tests.web.observatory FOLDER``.
"""

from __future__ import annotations

import math
import random
import struct
import sys
import time
import zlib
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

from iop4d.config import FolderArchive, Rule, Site, SiteInfo, Web
from iop4d.model.flags import Flag
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue, events, schema
from iop4d.store.database import Database, Transaction
from iop4d.store.status import beat
from tests.support import builtin

TARGETS = {  # name, start of the file names, R magnitude
    "BL Lac": ("BLLac", 13.38), "3C 454.3": ("3C454", 15.12), "S5 0716+71": ("S50716", 12.94),
}
HOSTILE = "<script>alert(1)</script>"
TELESCOPE = "T220"


def site(root: Path, **web: Any) -> Site:
    """The site file of the invented site."""
    (root / "raw").mkdir(parents=True, exist_ok=True)
    return Site(
        root=root, site=SiteInfo(name="Calar Bajo"), web=Web(**({"port": 0} | web)),
        archive=(FolderArchive(name="t220", path=root / "raw", telescope=TELESCOPE),),
        rule=(Rule(name="bright", condition="mag < 13.0", clear="mag > 13.2", channels=("team",)),))


@cache
def png(shade: int = 0, size: tuple[int, int] = (200, 150)) -> bytes:
    """A small grey picture of a few stars."""
    nx, ny = size
    pick = random.Random(shade)
    rows = [bytearray(pick.choice(b"\x0c\x10\x14\x18\x1c") for _ in range(nx)) for _ in range(ny)]
    for _ in range(28):
        x, y, peak = pick.randrange(4, nx - 4), pick.randrange(4, ny - 4), pick.randrange(60, 400)
        for row, dy in ((row, dy) for dy in range(-4, 5) if 0 <= (row := y + dy) < ny):
            for dx in range(-4, 5):
                light = rows[row][x + dx] + peak * math.exp(-(dx * dx + dy * dy) / 3.2)
                rows[row][x + dx] = min(255, int(light))
    packed = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", nx, ny, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


def heartbeat(site: Site, now: float) -> dict[str, Any]:
    """What a running daemon says of itself."""
    return {
        "pid": 4242, "started_at": now - 9000, "beat_at": now, "version": "0.1.0",
        "state": "running", "disk_free_gb": 412.6, "loop_lag_s": 0.0031, "rss_mb": 96.2,
        "workers": [
            {"pid": 87654321, "state": "busy", "job": "reduce BLLac-0067R.fit", "since": now - 1.4,
             "jobs": 131, "rss_mb": 310.0},
            {"pid": 4251, "state": "idle", "job": "", "since": now - 9, "jobs": 128,
             "rss_mb": 288.4}],
        "archives": [
            {"name": "t220", "path": str(site.archive[0].path), "telescope": TELESCOPE,
             "state": "ok", "reason": "", "files": 212, "last_scan_at": now - 12,
             "watch": "events"}],
    }


def fill(site: Site, *, frames: int = 24, now: float | None = None, hostile: bool = True) -> None:
    """Fill the site's database; some of it hostile text, as any header may hold."""
    now = time.time() if now is None else now
    (site.root / "previews").mkdir(exist_ok=True)
    database = Database(site.database)
    with database.write() as tx:
        catalogue.save(tx, _sources())
        beat(tx, heartbeat(site, now))
        master = tx.create(schema.Master,
            key="flat/1", kind="flat", telescope=TELESCOPE, instrument="CAFOS", band="R",
            layout="1x 1024x1024", night="2025-11-21", state="ready", n_frames=9, level=1.0,
            scatter=0.0021, revision=2, changed_at=now - 80000)
        known = [catalogue.find(tx, name).name for name in TARGETS]
        for index in range(frames):
            _frame(tx, site, index, frames, now, (known[index % 3], master))
        if hostile:
            _hostile(tx, site, now)
        _failures(tx, now)
        _alerts(tx, now)
        for kind, state in (("reduce", "done"), ("reduce", "queued"), ("classify", "done"),
                            ("master", "done"), ("reduce", "waiting"), ("reduce", "running")):
            for _ in range(3):
                tx.create(schema.Job, kind=kind, state=state, changed_at=now,
                          key=tx.select(schema.Job).count())
    database.close()


@cache
def _sources() -> list[Any]:
    known = builtin.sources("blazars")
    wanted = [s for s in known if set(TARGETS) & {s.name, *s.other_names}]
    names = {s.name for s in wanted}
    return wanted + [s for s in known if names & set(s.calibrates)]


def _frame(tx: Transaction, site: Site, index: int, frames: int, now: float,
           of: tuple[str, Any]) -> None:
    """A frame ``of`` a source, reduced with a master."""
    pick = random.Random(index)
    short, base = list(TARGETS.values())[index % 3]
    source, master = of
    band = "RRBVI"[(index // 3) % 5]
    at = now - (frames - index) * 95.0 - (86400 if index < frames // 2 else 0)
    jd = jd_of_unix(at - 60)
    # Of one night each, also where noon fell between their times.
    night = time.strftime("%Y-%m-%d", time.gmtime(
        now - 43200 - (86400 if index < frames // 2 else 0)))
    name = f"{short}-{index:04d}{band}.fit"
    preview = site.root / "previews" / f"{name}.png"
    preview.write_bytes(png(index))
    raw = site.root / "raw" / name
    raw.write_bytes(b"SIMPLE  =                    T" + b" " * 2850)
    provisional = index > frames - 6
    flags = int(Flag.LOW_SNR | Flag.OFF_CENTRE) if index % 11 == 5 else 0
    fwhm = 1.6 + pick.random()
    frame = tx.create(schema.Frame,
        archive="t220", path=str(raw), telescope=TELESCOPE, night=night, name=name, size=2880,
        mtime_ns=int(at * 1e9), sha256=f"{index:064x}", state="done", kind="science",
        instrument="CAFOS", band=band, object=short, exptime_s=120.0, jd_start=jd, binning=1,
        ny=1024, nx=1024, ra_deg=330.6804, dec_deg=42.2778, preview_path=str(preview),
        reduced_path=str(raw), provisional=provisional, masters=[[master.id, 1]],
        info={"wcs": {"CRVAL1": 330.6804, "CRVAL2": 42.2778, "CTYPE1": "RA---TAN"},
              "n_detected": 187, "n_matched": 64, "wcs_rms_px": 0.21, "fwhm_px": fwhm / 0.53,
              "fwhm_arcsec": fwhm, "sky": 214.3, "sky_sigma": 7.9, "aperture_px": 4.6,
              "annulus_px": [7.7, 13.9], "airmass": 1.21, "bjd_tdb": jd + 0.003,
              "astrometry_from": "index",
              "warnings": ["the flat is of another night"] if provisional else [],
              "stages": {"read": 0.031, "calibrate": 0.058, "detect": 0.142, "astrometry": 0.611,
                         "photometry": 0.083}, "core_s": 0.925, "latency_s": 1.87},
        completed_at=at - 2, seen_at=at - 3, changed_at=at)
    colour = {"B": 1.05, "V": 0.5, "R": 0.0, "I": -0.62}[band]
    mag = base + colour - 0.5 * math.exp(-(((now - at) / 9000) ** 2)) + pick.gauss(0, 0.012)
    result = tx.create(schema.Result,
        key=f"{TELESCOPE}/{night}/{name}/{source}/photometry", source=source, telescope=TELESCOPE,
        instrument="CAFOS", night=night, mode="photometry", band=band, jd_mid=jd + 0.0007,
        bjd_tdb=jd + 0.0037, exptime_s=120.0, mag=mag, mag_err=0.008 + 0.01 * pick.random(),
        zero_point=23.412, zero_point_err=0.006, n_calibrators=4, fwhm_arcsec=fwhm, airmass=1.21,
        flags=flags, provisional=provisional, frames=[name], software="0.1.0",
        **_polarisation(index, pick),
        calibrators=[{"source": "C", "zero_point": 23.41, "zero_point_err": 0.01, "weight": 0.6,
                      "why_not": ""}], created_at=at, changed_at=at)
    tx.create(schema.ResultFrame, result=result.id, frame=frame.id)
    tx.create(schema.ResultHistory, result=result.id, revision=1, replaced_at=at, was={
        "mag": mag + 0.02, "mag_err": 0.02, "flags": 0, "provisional": True})
    tx.create(schema.Measurement,
        frame=frame.id, source=source, x=511.2, y=498.7, flux=1834.2, flux_err=9.1, mag_inst=-8.16,
        mag_inst_err=0.005, snr=201.5, sky=214.0, flags=flags)
    events.emit(tx, "frame", at, id=frame.id, name=name, state="done")
    events.emit(tx, "result", at, id=result.id, source=source, band=band)


def _polarisation(index: int, pick: random.Random) -> dict[str, float]:
    """The second source's polarisation."""
    if index % 3 != 1:
        return {}
    return {"p": 0.06 + 0.03 * pick.random(), "p_err": 0.004,
            "chi_deg": 40 + 30 * pick.random(), "chi_err_deg": 2.5}


def _hostile(tx: Transaction, site: Site, now: float) -> None:
    outside = site.root.parent / "outside.png"
    tx.create(schema.Frame,
        archive="t220", path="/etc/passwd", telescope=HOSTILE, night="", name=f"{HOSTILE}.fit",
        size=2880, mtime_ns=0, state="failed", reason=f"card OBJECT: {HOSTILE}", object=HOSTILE,
        trace=f"Traceback: {HOSTILE}", kind="science", band=HOSTILE, preview_path=str(outside),
        reduced_path="/etc/passwd", completed_at=now, seen_at=now, changed_at=now - 3)
    tx.create(schema.Result,
        key="hostile", source=HOSTILE, telescope=HOSTILE, instrument=HOSTILE, night="2025-01-01",
        mode="photometry", band=HOSTILE, jd_mid=2460000.5, exptime_s=1.0, mag=12.0, mag_err=0.1,
        frames=[HOSTILE], created_at=now, changed_at=now,
        human_flags=[{"name": HOSTILE, "note": HOSTILE, "by": HOSTILE, "at": now}])


def _failures(tx: Transaction, now: float) -> None:
    night = time.strftime("%Y-%m-%d", time.gmtime(now - 43200))
    for index, (state, name, reason) in enumerate((
            ("rejected", "BLLac-0031V.fit", "the file is truncated: 1,048,576 of 2,102,400 bytes"),
            ("failed", "S50716-0044R.fit", "astrometry: 3 stars detected, 6 are needed; clouds?"),
            ("quarantined", "3C454-0052I.fit", "its worker was killed twice at the deadline of "
             "120 s"),
            ("rejected", "focus-0003.fit", "card EXPTIME: missing"))):
        tx.create(schema.Frame,
            archive="t220", path=f"/nowhere/{name}", telescope=TELESCOPE, night=night,
            name=name, size=1048576, mtime_ns=0, state=state, reason=reason, kind="science",
            completed_at=now, seen_at=now, changed_at=now - 400 * (index + 1),
            trace="Traceback (most recent call last):\n  ..." if state == "failed" else "")
    tx.create(schema.Frame,
        archive="t220", path="/nowhere/new.fit", name="S50716-0071R.fit", size=1,
                        mtime_ns=0, state="queued", completed_at=now, seen_at=now,
                        changed_at=now - 1)


def _alerts(tx: Transaction, now: float) -> None:
    source = catalogue.find(tx, "BL Lac").name
    points = [row.id for row in tx.select(schema.Result).where(
        (schema.Result.source == source) & (schema.Result.band == "R"))
        .order_by(schema.Result.jd_mid.desc()).limit(2)]
    for episode, state in ((1, "resolved"), (2, "firing")):
        alert = tx.create(schema.Alert,
            rule="bright", source=source, band="R", episode=episode, state=state,
            condition="mag < 13.0", fired_jd=jd_of_unix(now - 700), points=points,
            fired_at=now - (90000 if episode == 1 else 700),
            resolved_jd=jd_of_unix(now - 80000) if episode == 1 else None,
            resolved_at=now - 80000 if episode == 1 else None)
        tx.create(schema.Outbox, dedup_key=f"bright/{episode}/a", alert=alert.id, channel="team",
            recipient="ana@example.org", message_id=f"<{episode}a@site>", state="sent",
            content={"subject": f"{source} is bright: R = 12.91 ± 0.01"}, attempts=1,
            created_at=now - 700, sent_at=now - 698)
        tx.create(schema.Outbox, dedup_key=f"bright/{episode}/b", alert=alert.id, channel="team",
            recipient="ben@example.org", message_id=f"<{episode}b@site>",
            state="failed" if episode == 1 else "queued", attempts=3,
            content={"subject": f"{source} is bright: R = 12.91 ± 0.01"},
            last_error="450 mailbox busy, try later", created_at=now - 700)


def write_mail(folder: Path, name: str = "0001.eml", subject: str = "BL Lac is bright") -> None:
    """A mail with a plain text, HTML and a picture in it."""
    folder.mkdir(exist_ok=True)
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "iop4d@localhost", "ana@example.org"
    mail["Date"] = "Sat, 22 Nov 2025 21:04:05 +0000"
    mail.set_content("BL Lac is at R = 12.91 ± 0.01.\n")
    mail.add_alternative(
        "<html><body><h1>BL Lac is bright</h1><p>R = 12.91 ± 0.01</p>"
        '<img src="cid:plot@site"><script>alert(1)</script></body></html>', subtype="html")
    parts = mail.get_payload()
    assert isinstance(parts, list)
    html = parts[1]
    assert isinstance(html, EmailMessage)
    html.add_related(png(7, (400, 200)), "image", "png", cid="<plot@site>")
    (folder / name).write_bytes(mail.as_bytes())


if __name__ == "__main__":
    made = site(Path(sys.argv[1]).resolve())
    fill(made, frames=200, hostile=False)
    write_mail(made.root / "mails")
    write_mail(made.root / "mails", "0002.eml", "BL Lac is back below its threshold")
