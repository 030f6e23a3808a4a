// Shows a source's light curve and adds new points to it in place.
"use strict";
(() => {
  const place = document.getElementById("plot");
  const api = place.dataset.api;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const numbers = ["t", "jd", "mag", "mag_lo", "mag_hi", "mag_limit", "p_debiased", "p_lo", "p_hi", "p_limit", "chi", "chi_lo", "chi_hi"];
  const ranges = ["range-t", "range-mag", "range-p", "range-chi"];
  let changedAt = 0, view = null, busy = false, again = false;

  const note = (text) => {
    const line = document.createElement("p");
    line.className = "empty";
    line.textContent = text;
    place.replaceChildren(line);
  };
  const model = (name) => view ? view.get_model_by_name(name) : null;

  const draw = async () => {
    const answer = await fetch(api + "/plot?theme=" + (dark.matches ? "dark" : "light") + (touch ? "&touch=1" : ""));
    if (answer.status === 503 && !view) { setTimeout(update, 1000 * (Number(answer.headers.get("Retry-After")) || 5) * (1 + Math.random())); return; }
    if (!answer.ok) { note("The light curve is not available now."); return; }
    const plot = await answer.json();
    changedAt = plot.changed_at;
    if (!plot.item) return;
    const zoomed = Object.fromEntries(ranges.map((name) => [name, model(name)])
      .filter(([, range]) => range && range.have_updated_interactively)
      .map(([name, range]) => [name, [range.start, range.end]]));
    if (view) view.clear();
    place.replaceChildren();
    await Bokeh.embed.embed_item(plot.item, place);
    view = Bokeh.documents.at(-1);
    for (const [name, [start, end]] of Object.entries(zoomed)) {
      const range = model(name);
      if (range) { range.have_updated_interactively = true; range.setv({ start, end }); }
    }
    place.dataset.drawn = plot.bands.join(" ");
  };

  const merge = (columns, fresh) => {
    const data = {};
    for (const name of Object.keys(columns)) data[name] = Array.from(columns[name]);
    const at = new Map(data.id.map((id, index) => [id, index]));
    fresh.id.forEach((id, row) => {
      const index = at.has(id) ? at.get(id) : data.id.length;
      // Bokeh takes null for zero.
      for (const name of Object.keys(data)) data[name][index] = fresh[name][row] === null && numbers.includes(name) ? NaN : fresh[name][row];
    });
    return data;
  };

  const update = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      if (!view) { await draw(); return; }
      const answer = await fetch(api + "/points?after=" + changedAt);
      if (!answer.ok) return;
      const news = await answer.json();
      if (Object.keys(news.bands).some((band) => !model("points-" + band))) { await draw(); return; }
      for (const [band, fresh] of Object.entries(news.bands)) {
        const source = model("points-" + band);
        source.data = merge(source.data, fresh);
      }
      changedAt = news.changed_at;
    } finally {
      busy = false;
      if (again) { again = false; update(); }
    }
  };

  document.addEventListener("iop4d", (event) => {
    if (event.detail.some((kind) => ["result", "*"].includes(kind))) update();
  });
  dark.addEventListener("change", () => draw());
  if (place.dataset.points !== "0") note("Loading the light curve…");
  draw();
})();
