// The finding chart and the table beside it: a star that is pointed at on one is marked on the other.
"use strict";
(() => {
  const chart = document.getElementById("chart");
  if (!chart) return;
  const row = (key) => document.querySelector(`[data-star="${CSS.escape(key)}"]:not(a)`);
  const mark = (key) => chart.querySelector(`[data-star="${CSS.escape(key)}"]`);
  const light = (key, on) => {
    row(key)?.classList.toggle("pointed", on);
    mark(key)?.classList.toggle("pointed", on);
  };
  const box = (key) => row(key)?.querySelector("input[type=checkbox]");
  const show = (key) => {
    const one = box(key);
    if (one) mark(key)?.classList.toggle("chosen", one.checked);
  };
  for (const star of document.querySelectorAll("[data-star]")) {
    const key = star.dataset.star;
    for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]])
      star.addEventListener(event, () => light(key, on));
    show(key);
  }
  document.addEventListener("change", (event) => {
    const star = event.target.closest("[data-star]");
    if (star) show(star.dataset.star);
  });
  // A candidate is chosen on the chart, by pointer or by Enter; any other mark leads to its row.
  chart.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-star]");
    if (link) {
      const one = box(link.dataset.star);
      if (!one) return;
      event.preventDefault();
      one.checked = !one.checked;
      show(link.dataset.star);
      return;
    }
    const place = sky(event), add = chart.dataset.add, said = document.getElementById("pointed");
    said.textContent = `${place.ra.toFixed(5)} ${place.dec.toFixed(5)}`;
    if (!add) return;
    const a = document.createElement("a");
    a.href = `${add}&ra=${place.ra.toFixed(6)}&dec=${place.dec.toFixed(6)}`;
    a.textContent = "add a calibrator here";
    said.append(": ", a);
  });
  // Of a place on the tangent plane about the middle, degrees.
  const sky = (event) => {
    const frame = chart.getBoundingClientRect(), field = Number(chart.dataset.field) / 60, rad = Math.PI / 180;
    const xi = (0.5 - (event.clientX - frame.left) / frame.width) * field * rad;
    const eta = (0.5 - (event.clientY - frame.top) / frame.height) * field * rad;
    const ra0 = Number(chart.dataset.ra) * rad, dec0 = Number(chart.dataset.dec) * rad;
    const toward = Math.cos(dec0) - eta * Math.sin(dec0);
    const ra = ra0 + Math.atan2(xi, toward), dec = Math.atan2(Math.sin(dec0) + eta * Math.cos(dec0), Math.hypot(xi, toward));
    return { ra: ((ra / rad) % 360 + 360) % 360, dec: dec / rad };
  };
})();
