// What is drawn over an image: sources, apertures, pairs, stars, and the grid of coordinates.
"use strict";
window.iop4dMarks = ((scene) => {
  const { canvas, context, state, toScreen, toImage } = scene, { toSky, toPixel, sexagesimal, RAD } = iop4dSky;
  const LONGER = 100; // times that residuals of the astrometric solution are lengthened
  const KINDS = { target: "#ff5c5c", calibrator: "#5ac878", standard: "#5aa0ff" };
  const ring = (x, y, r) => { context.beginPath(); context.arc(...toScreen(x, y), Math.max(r * state.zoom, 2), 0, 2 * Math.PI); context.stroke(); };
  const draw = (scale) => {
    const { marks } = scene;
    const on = (name) => state.overlays.has(name);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.lineWidth = 1.4;
    context.font = "12px system-ui, sans-serif";
    if (on("grid") && marks.wcs) drawGrid(marks.wcs);
    if (on("stars")) { context.strokeStyle = "#f0bf62"; for (const [x, y] of marks.stars) ring(x, y, 6 / Math.max(state.zoom, 0.6)); }
    if (on("matched")) { // the line: where the solution puts the star, lengthened
      context.strokeStyle = "#4cc3d9";
      for (const [x, y, dx, dy] of marks.matched) { ring(x, y, 5 / Math.max(state.zoom, 0.6)); context.beginPath(); context.moveTo(...toScreen(x, y)); context.lineTo(...toScreen(x - LONGER * dx, y - LONGER * dy)); context.stroke(); }
    }
    if (on("pairs")) {
      context.strokeStyle = "#c08bf0";
      for (const [x0, y0, x1, y1] of marks.pairs) { context.beginPath(); context.moveTo(...toScreen(x0, y0)); context.lineTo(...toScreen(x1, y1)); context.stroke(); }
    }
    if (scene.keyed) { // the pixel that the keyboard chose
      const i = canvas.clientWidth / 2, j = canvas.clientHeight / 2;
      context.strokeStyle = "#ffffff";
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { context.beginPath(); context.moveTo(i + 5 * dx, j + 5 * dy); context.lineTo(i + 14 * dx, j + 14 * dy); context.stroke(); }
    }
    for (const one of marks.sources) {
      context.strokeStyle = context.fillStyle = KINDS[one.kind] || "#e3e9f1";
      context.setLineDash(one.measured ? [] : [4, 3]);
      if (on("apertures") && marks.aperture && one.measured) ring(one.x, one.y, marks.aperture);
      if (on("annuli") && marks.annulus && one.measured) { context.setLineDash([2, 3]); for (const r of marks.annulus) ring(one.x, one.y, r); }
      context.setLineDash(one.measured ? [] : [4, 3]);
      if (on("sources")) {
        const [i, j] = toScreen(one.x, one.y), r = Math.max((marks.aperture || 6) * state.zoom, 5);
        if (!on("apertures") || !one.measured) ring(one.x, one.y, marks.aperture || 6);
        context.lineWidth = 3; context.strokeStyle = "#05080ccc";
        const of = marks.sources.find((other) => other !== one && one.name.startsWith(other.name + " "));
        const name = (of ? one.name.slice(of.name.length + 1) : one.name) + (one.beam ? " " + one.beam : "");
        context.setLineDash([]);
        context.strokeText(name, i + r + 3, j + 4);
        context.fillText(name, i + r + 3, j + 4);
        context.lineWidth = 1.4;
      }
    }
    context.setLineDash([]);
  };
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000];   // arcsec
  const drawGrid = (w) => {
    const wide = canvas.clientWidth, tall = canvas.clientHeight;
    const [ra, dec] = toSky(w, ...toImage(wide / 2, tall / 2));
    const pixel = Math.sqrt(Math.abs(w.cd[0] * w.cd[3] - w.cd[1] * w.cd[2])) * 3600 / state.zoom;
    const step = (STEPS.find((one) => one / pixel > 90) || 72000) / 3600, cos = Math.max(Math.cos(dec * RAD), 0.02);
    const rough = step / cos * 240;   // seconds of time
    const raStep = ([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600].find((one) => one >= rough * 0.8) || 7200) / 240;
    const count = Math.ceil(Math.max(wide, tall) * pixel / 3600 / step / 2) + 1;
    context.strokeStyle = "#7fb2ff99"; context.fillStyle = "#a9ccff"; context.lineWidth = 1;
    const line = (at, text) => {
      let first = null;
      context.beginPath();
      for (let n = -24; n <= 24; n++) {
        const place = toPixel(w, ...at(n / 24 * count * 1.2));
        if (!place) continue;
        const [i, j] = toScreen(...place);
        if (first === null) context.moveTo(i, j); else context.lineTo(i, j);
        if (i > 4 && i < wide - 90 && j > 14 && j < tall - 4 && (first === null || first.out)) first = { i, j };
        else if (first === null) first = { out: true };
      }
      context.stroke();
      if (first && !first.out) { context.save(); context.lineWidth = 3; context.strokeStyle = "#05080ccc"; context.strokeText(text, first.i + 3, first.j - 3); context.restore(); context.fillText(text, first.i + 3, first.j - 3); }
    };
    for (let n = -count; n <= count; n++) {
      const d = Math.round(dec / step + n) * step, r = Math.round(ra / raStep + n) * raStep;
      if (Math.abs(d) < 90) line((t) => [ra + t * step / cos, d], sexagesimal(d, false).slice(0, -2));
      line((t) => [r, Math.max(-89.99, Math.min(89.99, dec + t * step))], sexagesimal((r % 360 + 360) % 360, true).slice(0, -3));
    }
  };
  return { draw };
});
