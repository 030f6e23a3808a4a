// From pixels of an image to the sky and back, and coordinates as people write them.
"use strict";
window.iop4dSky = (() => {
  // The gnomonic projection with SIP, as science/tan.py.
  const sip = (terms, u, v) => terms.reduce((sum, [p, q, c]) => sum + c * u ** p * v ** q, 0);
  const RAD = Math.PI / 180;
  const toSky = (w, x, y) => {
    const u0 = x - w.x0, v0 = y - w.y0, u = u0 + sip(w.a, u0, v0), v = v0 + sip(w.b, u0, v0);
    const xi = (w.cd[0] * u + w.cd[1] * v) * RAD, eta = (w.cd[2] * u + w.cd[3] * v) * RAD;
    const s = Math.sin(w.dec0 * RAD), c = Math.cos(w.dec0 * RAD), toward = c - eta * s;
    return [((w.ra0 + Math.atan2(xi, toward) / RAD) % 360 + 360) % 360, Math.atan2(s + eta * c, Math.hypot(xi, toward)) / RAD];
  };
  const toPixel = (w, ra, dec) => {
    const a = (ra - w.ra0) * RAD, s = Math.sin(w.dec0 * RAD), c = Math.cos(w.dec0 * RAD);
    const sd = Math.sin(dec * RAD), cd = Math.cos(dec * RAD), toward = s * sd + c * cd * Math.cos(a);
    if (toward < 1e-6) return null;
    const xi = cd * Math.sin(a) / toward / RAD, eta = (c * sd - s * cd * Math.cos(a)) / toward / RAD;
    const det = w.cd[0] * w.cd[3] - w.cd[1] * w.cd[2];
    const fu = (w.cd[3] * xi - w.cd[1] * eta) / det, fv = (w.cd[0] * eta - w.cd[2] * xi) / det;
    let u = fu, v = fv;
    for (let n = 0; n < 5 && w.a.length + w.b.length; n++) [u, v] = [fu - sip(w.a, u, v), fv - sip(w.b, u, v)];
    return [u + w.x0, v + w.y0];
  };
  const two = (number) => String(number).padStart(2, "0");
  const sexagesimal = (degrees, hours) => {
    const digits = hours ? 2 : 1, whole = Math.round(Math.abs(degrees) / (hours ? 15 : 1) * 3600 * 10 ** digits);
    const seconds = whole / 10 ** digits % (hours ? 86400 : Infinity), s = (seconds % 60).toFixed(digits).padStart(3 + digits, "0");
    return (hours ? "" : degrees < 0 ? "−" : "+") + two(Math.floor(seconds / 3600)) + ":" + two(Math.floor(seconds / 60) % 60) + ":" + s;
  };
  return { toSky, toPixel, sexagesimal, RAD };
})();
