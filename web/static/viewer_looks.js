// How the pixels of an image look: stretch, colours, and cuts; the colour of each code.
"use strict";
window.iop4dLooks = (() => {
  const STRETCH = {
    linear: (t) => t, sqrt: Math.sqrt, asinh: (t) => Math.asinh(t * 12) / Math.asinh(12), log: (t) => Math.log1p(1000 * t) / Math.log(1001),
  };
  const power = (t, c) => c.reduceRight((sum, one) => sum * t + one, 0);
  const COLOURS = {
    grey: (t) => [t, t, t], inverted: (t) => [1 - t, 1 - t, 1 - t],
    viridis: (t) => [
      power(t, [0.27773, 0.10509, -0.33086, -4.63423, 6.22827, 4.77638, -5.43546]),
      power(t, [0.00541, 1.40461, 0.21485, -5.7991, 14.17993, -13.74515, 4.64585]),
      power(t, [0.3341, 1.38459, 0.0951, -19.33244, 56.69055, -65.35303, 26.31244])],
    heat: (t) => [3 * t, 3 * t - 1, 3 * t - 2],
  };
  const byte = (part) => Math.max(0, Math.min(255, Math.round(255 * part)));

  const value = (of, code) => Math.sinh(code * of.step) * of.sigma + of.sky;
  const code = (of, level) => Math.asinh((level - of.sky) / of.sigma) / of.step;

  // The colour of each code; computed when cuts, stretch or colours change.
  const table = (of, { stretch, colours, isMasked }) => {
    const key = [of.cuts, stretch, colours, isMasked].join();
    if (of.tableOf !== key) {
      const most = 1024, colour = COLOURS[colours], bend = STRETCH[stretch];
      of.table = new Uint32Array(2 * most + 1);
      for (let number = -most; number <= most; number++) {
        const part = (value(of, number) - of.cuts[0]) / (of.cuts[1] - of.cuts[0]);
        const [r, g, b] = colour(bend(Math.max(0, Math.min(1, part)))).map(byte);
        of.table[number + most] = (255 << 24 | b << 16 | g << 8 | r) >>> 0;
      }
      const none = isMasked ? [230, 60, 200] : colours === "inverted" ? [255, 255, 255] : [0, 0, 0];
      of.gap = (255 << 24 | none[2] << 16 | none[1] << 8 | none[0]) >>> 0;
      of.tableOf = key;
    }
    return of;
  };

  const CUTS = [["zscale", "zscale"], ["99.9", "99.9 %"], ["99.5", "99.5 %"], ["99", "99 %"], ["95", "95 %"], ["full", "all"], ["own", "own values"]];
  const cutsOf = (of, name) => {
    if (name === "zscale") return of.zscale;
    if (name === "full") return [of.low, of.high];
    const at = (percent) => of.percentiles.reduce((best, one) => Math.abs(one[0] - percent) < Math.abs(best[0] - percent) ? one : best)[1];
    return [at(100 - Number(name)), at(Number(name))];
  };
  return { STRETCH, COLOURS, CUTS, cutsOf, value, code, table };
})();
