// Draws light curves: panels of magnitude, polarisation and colour with one time axis. The form
// #choice says what is shown, and the address has the same. Points are arrays of numbers, which
// points.js paints.
"use strict";
(() => {
  const place = document.getElementById("curves");
  const form = document.getElementById("choice");
  const root = document.body.dataset.root;
  const colours = JSON.parse(place.dataset.colours);
  const [FIRST, LAST] = place.dataset.named.split(" ").map(Number);  // JD that an address can name
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const BY_HAND = 2, PROVISIONAL = 4, TOGETHER = 8, DAY = 86400e3, EPOCH = 2440587.5, MJD = 2400000.5;
  const SETTLE_MS = 160, FETCH_MS = 350, FOLLOW_MS = 300, NOTHING = -(2 ** 31);
  const SHAPES = ["circle", "square", "triangle", "diamond", "hexagon", "cross"];
  const SIGNS = ["●", "■", "▲", "◆", "⬢", "✚"];
  const HEIGHTS = { y: 360, p: 170, chi: 170, q: 160, u: 160, c: 150 };
  const one = (name) => Bokeh.require("models/index")[name];

  // What the form says.
  const choice = () => {
    const data = new FormData(form), all = (name) => data.getAll(name).map(String);
    // All are ticked: also those to come.
    const some = (name) => [...form.querySelectorAll(`input[type=checkbox][name=${name}]`)].every((box) => box.checked) ? [] : all(name);
    return {
      sources: all("source"), period: data.get("period") || "all", from: data.get("from") || "", to: data.get("to") || "",
      bands: some("bands"), instruments: some("instruments"), quantity: data.get("quantity"), pol: data.get("pol"), axis: data.get("axis"),
      colour: data.get("colour") || "", points: data.get("points"), bars: all("bars").includes("1"), lines: all("lines").includes("1"), flagged: all("flagged").includes("1"), others: !form.elements.others || all("others").includes("1"),
    };
  };
  const USUAL = { period: "all", quantity: "mag", pol: "p", axis: "utc", points: "all" };
  const query = (chosen, limits) => {
    const words = new URLSearchParams();
    for (const name of chosen.sources) words.append("source", name);
    if (limits) {
      const [from, to] = limits.map((jd) => Math.min(Math.max(jd, FIRST), LAST).toFixed(5));
      words.set("from", from);
      words.set("to", to);
    } else {
      if (chosen.from) words.set("from", chosen.from);
      if (chosen.to) words.set("to", chosen.to);
      if (!chosen.from && !chosen.to && chosen.period !== "all") words.set("period", chosen.period);
    }
    for (const name of ["quantity", "pol", "axis", "points"]) if (chosen[name] !== USUAL[name]) words.set(name, chosen[name]);
    for (const name of ["bands", "instruments"]) if (chosen[name].length) words.set(name, chosen[name].join(","));
    if (chosen.colour) words.set("colour", chosen.colour);
    for (const name of ["bars", "lines", "flagged", "others"]) if (!chosen[name]) words.set(name, "0");
    return words;
  };

  // What the server packed; see docs/api.md.
  const unpack = (buffer) => {
    const end = 4 + new DataView(buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, end - 4)));
    const array = (where, n) => {
      const values = new Float64Array(where.length ? where[1] : n).fill(NaN);
      if (!where.length) return values;
      const [at, count, step, offset] = where, whole = new Int32Array(buffer, end + at, count);
      for (let i = 0; i < count; i++) if (whole[i] !== NOTHING) values[i] = whole[i] * step + offset;
      return values;
    };
    const columns = (series) => Object.fromEntries(Object.entries(series.columns).map(([name, where]) => [name, array(where, series.n)]));
    for (const series of [...head.series, ...head.nights, ...head.colours, ...head.others]) series.columns = columns(series);
    return head;
  };

  let moving = false, kinds = null;
  let palette = null, show = choice(), head = null, view = null, panels = [], sources = [], spans = [], x_range = null, ready = false, strip = null, full = null, mode = touch ? "none" : "pan";

  const readPalette = () => {
    const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
    return { paper: of("--paper"), text: of("--text"), quiet: of("--quiet"), line: of("--line"), link: of("--link"), other: of("--other") };
  };
  const colourOf = (band) => (colours[band] || colours[""])[dark.matches ? 1 : 0];
  const xOf = (jd) => show.axis === "utc" ? (jd - EPOCH) * DAY : show.axis === "mjd" ? jd - MJD : jd;
  const jdOf = (x) => show.axis === "utc" ? x / DAY + EPOCH : show.axis === "mjd" ? x + MJD : x;
  const utc = (jd, digits = 19) => new Date((jd - EPOCH) * DAY + 500).toISOString().slice(0, digits).replace("T", " ");
  const isLow = (name) => name === "y" && show.quantity !== "flux" || name === "c";

  const note = (text) => {
    const line = document.createElement("p");
    line.className = "empty";
    line.textContent = text;
    place.replaceChildren(line);
  };
  const say = (text) => { document.getElementById("curves-said").textContent = text; };

  // One array of each source, for Bokeh: x, and of each quantity its value and the ends of its bar.
  const dress = (series, names, mean, other = false) => {
    const { columns } = series;
    columns.x = columns.jd.map(xOf);
    for (const name of names) {
      const value = columns[name], err = columns[name + "_err"];
      if (!value) continue;
      columns[name + "_lo"] = value.map((v, i) => v - err[i]);
      columns[name + "_hi"] = value.map((v, i) => v + err[i]);
    }
    const source = new (one("ColumnDataSource"))({ data: Object.fromEntries(Object.entries(columns).filter(([name]) => name === "x" || names.includes(name) || name.endsWith("_limit"))) });
    const camera = Math.max(0, head.cameras.indexOf(series.instrument));
    const look = { columns, colour: colourOf(series.band || ""), shape: series.band ? SHAPES[camera % SHAPES.length] : "circle", r: mean ? 5 : 3.3, mean, other };
    const known = { series, columns, source, look, mean, other, renderers: [] };
    if (!mean && columns.id) source.selected.properties.indices.change.connect(() => chosenChanged());
    return known;
  };
  const isShown = ({ series, mean, other }) => (!other || show.others) && (!show.bands.length || !series.band || show.bands.includes(series.band))
    && (!show.instruments.length || !series.instrument || show.instruments.includes(series.instrument))
    && (other || !series.band || show.points === "all" || (show.points === "nights") === mean);

  const styleAxis = (axis) => axis.setv({
    axis_line_color: palette.line, major_tick_line_color: palette.line, minor_tick_line_color: palette.line,
    major_label_text_color: palette.quiet, axis_label_text_color: palette.quiet, axis_label_text_font_style: "normal", major_label_text_font_size: "12px" });
  const timeAxis = () => {
    const axis = show.axis === "utc" ? new (one("DatetimeAxis"))({ formatter: new (one("DatetimeTickFormatter"))({
      seconds: "%H:%M:%S", minsec: "%H:%M:%S", minutes: "%H:%M", hourmin: "%H:%M", hours: "%H:%M", days: "%m-%d", months: "%Y-%m", years: "%Y",
      context: new (one("DatetimeTickFormatter"))({ seconds: "%Y-%m-%d", minsec: "%Y-%m-%d", minutes: "%Y-%m-%d", hourmin: "%Y-%m-%d", hours: "%Y-%m-%d", days: "%Y", months: "", years: "" }),
      context_which: "start", hide_repeats: true }) })
      : new (one("LinearAxis"))({ formatter: new (one("BasicTickFormatter"))({ use_scientific: false, precision: "auto" }) });
    styleAxis(axis);
    return axis;
  };
  const makeFigure = (height, y_range, title, tools, xAxis) => {
    const figure = new kinds.Panel({
      height, sizing_mode: "stretch_width", x_range, y_range, x_scale: new (one("LinearScale"))(), y_scale: new (one("LinearScale"))(),
      toolbar_location: null, toolbar: new (one("Toolbar"))({ tools, active_drag: null, active_scroll: null, active_tap: null, active_inspect: null, logo: null }),
      background_fill_color: null, border_fill_color: null, outline_line_color: palette.line, min_border_left: 58, min_border_right: 10, min_border_top: 8, min_border_bottom: xAxis ? 20 : 8, lod_threshold: null });
    const left = new (one("LinearAxis"))({ axis_label: title });
    styleAxis(left);
    figure.add_layout(left, "left");
    const below = timeAxis();
    figure.add_layout(below, "below");
    if (!xAxis) below.setv({ major_label_text_color: null, major_label_text_font_size: "0px", major_label_standoff: 0, major_tick_out: 3 });
    for (const axis of [left, below]) figure.add_layout(new (one("Grid"))({ axis, dimension: axis === left ? 1 : 0, grid_line_color: palette.line, grid_line_alpha: .5 }), "center");
    return figure;
  };

  const TITLES = { mag: "magnitude", nucleus: "mag without host", dereddened: "mag dereddened", flux: "flux [mJy]" };
  const titleOf = (name) => name === "y" ? TITLES[show.quantity] : name === "c" ? (head.pair || "colour") : { p: "p [%]", chi: "χ [°]", q: "q [%]", u: "u [%]" }[name];
  const hasValue = (array) => array && array.some((v) => v === v);

  // Bokeh knows of a series where its points are, for choosing them.
  const addSeries = (figure, data_source, value, size, visible) => {
    const glyph = new (one("Scatter"))({ x: { field: "x" }, y: { field: value }, size: { value: size } });
    const renderer = new (one("GlyphRenderer"))({ data_source, glyph, selection_glyph: glyph, nonselection_glyph: glyph, visible });
    figure.add_renderers(renderer);
    return renderer;
  };

  // Build the document: its panels, axis and series.
  const build = async (limits) => {
    if (!kinds) kinds = iop4dPoints.make({ show: () => show, palette: () => palette, isMoving: () => moving, isShown, shown: () => head.shown });
    palette = readPalette();
    ready = false;
    const had = chosenIds();
    if (view) view.clear();
    panels = []; sources = []; spans = [];
    const names = show.pol === "qu" ? ["y", "q", "u"] : ["y", "p", "chi"];
    for (const series of head.others) sources.push(dress(series, names, false, true));
    for (const series of head.series) sources.push(dress(series, names, false));
    for (const series of head.nights) sources.push(dress(series, names, true));
    for (const series of head.colours) sources.push(dress(series, ["c"], false));
    x_range = new (one("Range1d"))({ start: limits[0], end: limits[1], reset_start: limits[0], reset_end: limits[1] });
    const many = show.sources.length > 1, list = [];
    for (const source of show.sources) {
      for (const name of [...names, "c"]) {
        const mine = sources.filter((known) => known.series.source === source && known.columns[name]
          && (hasValue(known.columns[name]) || hasValue(known.columns[name + "_limit"])));
        if (mine.length || name === "y") list.push({ source, name, mine });
      }
      // Of a source with polarisation alone the panel of magnitudes would be empty.
      const first = list.findIndex((one) => one.source === source && one.name === "y");
      if (!list[first].mine.length && list.length > first + 1 && show.quantity === "mag") list.splice(first, 1);
    }
    list.forEach(({ source, name, mine }, at) => {
      const tools = [new (one("PanTool"))(), new (one("WheelZoomTool"))(), new (one("BoxZoomTool"))(),
        new (one("BoxSelectTool"))(), new (one("LassoSelectTool"))({ continuous: false })];
      const y_range = new (one("Range1d"))({ start: 0, end: 1 });
      const height = Math.round(HEIGHTS[name] * (many ? .72 : 1) * (innerWidth < 600 ? .75 : 1)) + (at === list.length - 1 ? 26 : 0);
      const figure = makeFigure(height, y_range, (many ? source + "  " : "") + titleOf(name), tools, at === list.length - 1);
      figure.panel = { mine, name };
      for (const known of mine) for (const value of [name, name + "_limit"]) if (hasValue(known.columns[value])) known.renderers.push(addSeries(figure, known.source, value, 8, isShown(known)));
      const lines = head.sources.find((known) => known.name === source)?.lines || {};
      const drawLine = (location, band) => {
        const span = new (one("Span"))({ location, dimension: "width", line_color: band ? colourOf(band) : palette.quiet, line_dash: "dashed", line_width: 1.2, line_alpha: .8, visible: show.lines });
        spans.push({ span, band });
        figure.add_layout(span, "center");
      };
      if (name === "y" && show.quantity === "mag") for (const [band, mag] of Object.entries(lines.mag || {})) if (mine.some((known) => known.series.band === band)) drawLine(mag, band);
      if ((name === "p" || name === "chi") && lines[name] !== undefined) drawLine(lines[name], "");
      for (const mark of (head.marks || []).filter((known) => known.source === source)) {
        const look = { line_color: palette.text, line_dash: "dotted", line_width: 1.4, line_alpha: .8 };
        figure.add_layout(new (one("Span"))({ location: xOf(mark.jd), dimension: "height", ...look }), "center");
        if (name === "y") figure.add_layout(new (one("Label"))({ x: xOf(mark.jd), y: 4, y_units: "screen", x_offset: 3, text: mark.text.slice(0, 32), text_font_size: "11px", text_color: palette.text }), "center");
      }
      const panel = { figure, name, source, mine, y_range, tools };
      figure.on_event("mousemove", (event) => hover(panel, event));
      figure.on_event("mouseleave", () => { tip.hidden = true; });
      figure.on_event("tap", (event) => open(panel, event));
      figure.on_event("doubletap", () => reset());
      panels.push(panel);
    });
    x_range.properties.start.change.connect(() => moved());
    const doc = new (Bokeh.require("document").Document)();
    doc.add_root(new (one("Column"))({ children: [...panels.map((panel) => panel.figure), ...makeStrip()], sizing_mode: "stretch_width", spacing: 0 }));
    fit();
    choose(had);
    place.replaceChildren();
    await Bokeh.embed.add_document_standalone(doc, place);
    view = doc;
    setMode(mode);
    ready = true;
    place.dataset.drawn = [...new Set(head.series.map((series) => series.band))].join(" ");
    place.dataset.others = [...new Set(head.others.map((series) => series.telescope))].join(", ");
    place.dataset.shown = head.shown;
  };

  // The strip below: the whole curve by its nights, with a window that can be moved.
  const makeStrip = () => {
    if (!full || !full.nights.length) return [];
    const ends = full.extent.map(xOf), pad = Math.max((ends[1] - ends[0]) * .02, xOf(EPOCH + .01) - xOf(EPOCH));
    const range = new (one("Range1d"))({ start: ends[0] - pad, end: ends[1] + pad });
    const main = x_range;
    const tool = new (one("RangeTool"))({ x_range: main, start_gesture: "none" });
    tool.overlay.setv({ fill_color: palette.link, fill_alpha: .15, line_color: palette.link });
    x_range = range;
    const values = full.nights.flatMap((series) => [...series.columns.y].filter((v) => v === v));
    const ys = span(values, .1);
    const figure = makeFigure(74, new (one("Range1d"))(isLow("y") ? { start: ys[1], end: ys[0] } : { start: ys[0], end: ys[1] }), "", [tool], true);
    x_range = main;
    figure.left[0].setv({ visible: false });
    figure.min_border_left = 58;
    const mine = full.nights.map((series) => {
      const columns = { x: series.columns.jd.map(xOf), y: series.columns.y };
      return { columns, source: new (one("ColumnDataSource"))({ data: columns }), look: { colour: colourOf(series.band), shape: "square", r: 1.6 } };
    });
    figure.panel = { mine, name: "y", every: true };
    for (const known of mine) addSeries(figure, known.source, "y", 4, true);
    return [figure];
  };

  const span = (values, least) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    const middle = (low + high) / 2, half = Math.max((high - low) * .56, least / 2);
    return [middle - half, middle + half];
  };
  // The vertical ranges of what is shown within the times shown.
  const fit = () => {
    for (const { name, mine, y_range } of panels) {
      const values = [];
      for (const known of mine) {
        if (!isShown(known)) continue;
        const { x, state } = known.columns, value = known.columns[name], limit = known.columns[name + "_limit"], err = known.columns[name + "_err"];
        for (let i = 0; i < x.length; i++) {
          if (x[i] < x_range.start || x[i] > x_range.end || !show.flagged && state && state[i] & 3) continue;
          const v = value[i];
          if (v === v) { const e = show.bars && err[i] < 1e3 ? err[i] : 0; values.push(v - e, v + e); }
          if (limit && limit[i] === limit[i]) values.push(limit[i]);
        }
      }
      const [low, high] = span(values, { y: .1, c: .1 }[name] || 1);
      const ends = isLow(name) ? { start: high, end: low } : { start: low, end: high };
      y_range.setv({ ...ends, reset_start: ends.start, reset_end: ends.end });
    }
  };
  const reset = () => { x_range.setv({ start: x_range.reset_start, end: x_range.reset_end }); fit(); };

  // Moving: a picture of the points is moved, and where it is zoomed they are squares, until it rests; then the points that were thinned out come back.
  let rest = null, asked = null;
  const moved = () => {
    if (!ready) return;
    moving = true;
    tip.hidden = true;
    clearTimeout(rest);
    rest = setTimeout(() => {
      moving = false;
      for (const { figure } of panels) figure.request_paint?.() ?? figure.change.emit();
      const seen = [jdOf(x_range.start), jdOf(x_range.end)], [from, to] = head.asked || head.limits;
      const wide = seen[1] - seen[0], isInside = seen[0] >= from && seen[1] <= to;
      const coarse = head.shown < head.total && (!head.asked || wide < .5 * (to - from));
      const beyond = !isInside && full && (seen[0] < from && full.extent[0] < from || seen[1] > to && full.extent[1] > to);
      clearTimeout(asked);
      if (coarse || beyond) asked = setTimeout(() => load([seen[0] - wide / 2, seen[1] + wide / 2]), FETCH_MS);
    }, SETTLE_MS);
  };

  // Fetching.
  let turn = 0, tag = "", tagOf = "", later = null;
  const lost = (text) => { say(text); if (!view) note(text); };
  const load = async (limits = null, { keep = true } = {}) => {
    const mine = ++turn;
    const words = query({ ...show, bands: [], instruments: [] }, limits);
    for (const name of ["axis", "bars", "lines", "flagged", "others"]) words.delete(name);
    if (!show.sources.length) { note("Choose a source above."); return; }
    const address = root + "/api/curves?" + words;
    // One attempt waits at a time: a newer one takes its place.
    clearTimeout(later);
    const retry = (seconds) => { later = setTimeout(() => load(limits, { keep }), 1000 * seconds * (1 + Math.random())); };
    let answer, fresh;
    try {
      answer = await fetch(address, { headers: tag && tagOf === address ? { "If-None-Match": tag } : {} });
      if (mine !== turn) return;
      if (answer.status === 304) return;
      if (answer.status === 503) { retry(Number(answer.headers.get("Retry-After")) || 5); return; }
      if (answer.status === 400) { lost(`The light curve cannot be shown: ${(await answer.json()).error}`); return; }
      if (!answer.ok) { lost("The light curve is not available now."); return; }
      fresh = unpack(await answer.arrayBuffer());
    } catch {
      if (mine === turn) { lost("The site does not answer; the light curve is asked for again."); retry(20); }
      return;
    }
    if (mine !== turn) return;
    tag = answer.headers.get("ETag"); tagOf = address;
    head = fresh;
    head.asked = limits;
    head.cameras = [...new Set([...(head.series.map((series) => series.instrument)), ...(full ? full.series_cameras : [])])].sort();
    if (!full || (!limits && !show.from && !show.to && show.period === "all")) {
      full = { ...head, nights: head.nights.map((series) => ({ ...series, columns: { ...series.columns } })), series_cameras: head.cameras, whole: !limits && !show.from && !show.to && show.period === "all" };
    }
    signs();
    colourChoices();
    if (!head.total && !head.extent) { note("No point yet; new ones appear here automatically."); place.dataset.drawn = "none"; return; }
    const seen = keep && x_range ? { x: [x_range.start, x_range.end], y: panels.map(({ name, source, y_range }) => [source + name, y_range.start, y_range.end]) } : null;
    await build(seen ? seen.x : period());
    if (seen) for (const { name, source, y_range } of panels) { const old = seen.y.find(([key]) => key === source + name); if (old) y_range.setv({ start: old[1], end: old[2] }); }
    say(head.shown < head.total ? `${head.shown} of ${head.total} points are drawn: of each stretch of time the first, the extremes, and what people flagged. Zoom in to see all of them.`
      : head.total ? `${head.total} points.` : "No point in this period.");
    if (!full.whole) loadStrip();
  };
  const loadStrip = async () => {
    const words = query({ ...show, from: "", to: "", period: "all", points: "nights", bands: [], instruments: [] });
    words.delete("axis");
    words.set("others", "0");
    let whole;
    try {
      const answer = await fetch(root + "/api/curves?" + words);
      if (!answer.ok) return;
      whole = unpack(await answer.arrayBuffer());
    } catch { return; }  // the strip stays as it was
    full = { ...whole, series_cameras: [...new Set(whole.nights.map((series) => series.instrument))].sort(), whole: true };
    if (head && full.extent) await build([x_range.start, x_range.end]);
  };
  // The times of what was chosen: those of the points, where the choice has no end.
  const period = () => {
    let [low, high] = [Infinity, -Infinity];
    for (const series of [...head.series, ...head.nights]) for (const jd of series.columns.jd) { if (jd < low) low = jd; if (jd > high) high = jd; }
    if (low > high) [low, high] = head.extent || [EPOCH, EPOCH + 1];
    const pad = Math.max((high - low) * .03, .01);
    return [xOf(low - pad), xOf(high + pad)];
  };

  // Signs of the instruments beside their names, and the colours that there are.
  const signs = () => {
    for (const label of form.querySelectorAll("[data-camera]")) {
      const at = head.cameras.indexOf(label.dataset.camera);
      label.querySelector(".sign").textContent = at < 0 ? "" : SIGNS[at % SIGNS.length];
    }
  };
  const colourChoices = () => {
    const list = form.elements.colour;
    const had = list.value;
    list.replaceChildren(...["", ...head.pairs].map((pair) => new Option(pair || `widest${head.pair ? " (" + head.pair + ")" : ""}`, pair, false, pair === had)));
  };

  // Pointing.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const nearest = ({ mine, name, figure }, event) => {
    let best = null, least = 14 ** 2;
    const box = Bokeh.index.find_one(figure)?.frame?.bbox;
    if (!box) return null;
    const perX = (x_range.end - x_range.start) / box.width, panel = panels.find((one) => one.figure === figure), perY = (panel.y_range.end - panel.y_range.start) / box.height;
    for (const known of mine) {
      if (!isShown(known)) continue;
      const { x, state } = known.columns, value = known.columns[name], limit = known.columns[name + "_limit"];
      for (let i = 0; i < x.length; i++) {
        const v = value[i] === value[i] ? value[i] : limit ? limit[i] : NaN;
        if (v !== v || !show.flagged && state && state[i] & 3) continue;
        const far = ((x[i] - event.x) / perX) ** 2 + ((v - event.y) / perY) ** 2;
        if (far < least) { least = far; best = { known, i }; }
      }
    }
    return best;
  };
  // An angle of polarisation in [0, 180), and where it is drawn if that is elsewhere.
  const angle = (chi, err) => {
    const below = Number((((chi % 180) + 180) % 180).toFixed(1)) % 180;
    return plusMinus(below, err, 1) + "°" + (Math.abs(below - chi) > 1 ? ` (drawn at ${chi.toFixed(0)}°)` : "");
  };
  const plusMinus = (value, err, digits) => value === value ? value.toFixed(digits) + (err === err ? " ± " + err.toFixed(digits) : "") : "–";
  const hover = (panel, event) => {
    if (moving) return;
    const found = nearest(panel, event);
    if (!found) { tip.hidden = true; return; }
    const { series, columns: of, mean } = found.known, { i } = found;
    const all = (name) => Math.hypot(of[name + "_err"][i], of[name + "_common"]?.[i] || 0);
    const jd = of.jd[i], words = [], digits = show.quantity === "flux" ? 4 : 3;
    words.push(`${show.sources.length > 1 ? series.source + " " : ""}${series.band || head.pair} · ${series.telescope}${series.instrument ? " " + series.instrument : ""}`);
    words.push(mean ? `mean of the night of ${utc(of.night[i] + EPOCH, 10)}, ${of.n[i]} magnitudes` : utc(jd) + " UTC");
    words.push(`JD ${jd.toFixed(5)} · MJD ${(jd - MJD).toFixed(5)}`);
    if (of.c) words.push(`${head.pair} ${plusMinus(of.c[i], of.c_err[i], 3)}`);
    else {
      words.push(of.y[i] === of.y[i] || !(of.y_limit && of.y_limit[i] === of.y_limit[i]) ? `${TITLES[show.quantity]} ${plusMinus(of.y[i], all("y"), digits)}` : `fainter than ${of.y_limit[i].toFixed(1)}`);
      if (of.p[i] === of.p[i]) words.push(`p ${plusMinus(of.p[i], all("p"), 2)} %${found.known.other ? "" : " (without bias)"}, χ ${angle(of.chi[i], all("chi"))}`);
      else if (of.p_limit[i] === of.p_limit[i]) words.push(`p < ${of.p_limit[i].toFixed(1)} % (95 %)`);
      if (of.q && of.q[i] === of.q[i]) words.push(`q ${plusMinus(of.q[i], of.q_err[i], 2)} %, u ${plusMinus(of.u[i], of.u_err[i], 2)} %`);
    }
    if (of.state) {
      const bits = of.flags[i], marks = Object.entries(head.flags).filter(([bit]) => bits & Number(bit)).map(([, name]) => name);
      if (of.state[i] & BY_HAND) marks.push("flagged by hand");
      if (of.state[i] & PROVISIONAL) marks.push("provisional");
      if (of.state[i] & TOGETHER) marks.push("frames put together");
      if (marks.length) words.push(marks.join(", "));
    }
    tip.replaceChildren(...words.map((text) => { const line = document.createElement("div"); line.textContent = text; return line; }));
    const canvas = Bokeh.index.find_one(panel.figure).el.getBoundingClientRect(), box = place.getBoundingClientRect();
    if (!tip.isConnected) place.append(tip);
    tip.hidden = false;
    const left = canvas.left - box.left + event.sx;
    tip.style.left = (left > box.width / 2 ? left - tip.offsetWidth - 14 : left + 14) + "px";
    tip.style.top = (canvas.top - box.top + event.sy + 14) + "px";
  };
  const open = (panel, event) => {
    if (mode === "lasso" || mode === "box" || mode === "zoom") return;
    const found = nearest(panel, event);
    if (!found || !found.known.columns.id) return;
    choose([found.known.columns.id[found.i]]);
  };

  // Choosing points.
  const panel = document.getElementById("selected");
  let chosenTimer = null, quiet = false, outcome = null;
  const report = () => {
    say(outcome.text);
    const line = panel.querySelector("[data-said]");
    if (!line) return;
    line.textContent = outcome.text;
    line.hidden = false;
    line.className = "banner " + (outcome.good ? "good" : "bad");
  };
  const chosenIds = () => {
    const ids = [];
    for (const known of sources) {
      if (!known.columns.id || !isShown(known)) continue;
      for (const i of known.source.selected.indices) if (show.flagged || !(known.columns.state[i] & 3)) ids.push(known.columns.id[i]);
    }
    return ids;
  };
  const choose = (ids) => {
    const wanted = new Set(ids);
    quiet = true;
    for (const known of sources) {
      if (!known.columns.id) continue;
      const indices = [];
      if (wanted.size) known.columns.id.forEach((id, i) => { if (wanted.has(id)) indices.push(i); });
      if (indices.length || known.source.selected.indices.length) known.source.selected.indices = indices;
    }
    quiet = false;
    if (ready) chosenChanged();
  };
  const chosenChanged = () => { if (quiet) return; clearTimeout(chosenTimer); chosenTimer = setTimeout(showChosen, 150); };
  const showChosen = async () => {
    const ids = chosenIds().sort((a, b) => a - b);
    place.dataset.chosen = ids.length;
    if (!ids.length) { panel.hidden = true; panel.replaceChildren(); return; }
    const answer = await fetch(root + "/fragments/points?id=" + ids.slice(0, 100).join(","));
    if (!answer.ok) { say("The selected points could not be shown: the site answers with the error " + answer.status + "."); return; }
    fill(await answer.text(), ids);
  };
  const fill = (text, ids) => {
    const part = new DOMParser().parseFromString(text, "text/html").getElementById("points");
    if (!part) { say("You are no longer signed in."); return; }
    panel.replaceChildren(document.adoptNode(part));
    panel.hidden = false;
    const count = panel.querySelector("[data-count]");
    if (count) count.textContent = `${ids.length} point${ids.length === 1 ? "" : "s"} selected` + (ids.length > 100 ? "; the table has the first 100" : "");
    const more = panel.querySelector("input[name=more]");
    if (more) more.value = ids.slice(100).join(",");
    // What became of the last act stays while its points are selected.
    if (outcome && outcome.ids === ids.join()) report(); else outcome = null;
  };
  panel.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(event.target, event.submitter);
    const answer = await fetch(event.target.action, { method: "POST", body: new URLSearchParams(data), headers: { Accept: "application/json" } });
    let said = {};
    try { said = await answer.json(); } catch { said = { error: "the site answers with the error " + answer.status }; }
    outcome = { text: said.said || said.error, ids: chosenIds().sort((a, b) => a - b).join(), good: answer.ok };
    report();
    if (answer.ok) { await load(head.asked); await showChosen(); }
  });
  panel.addEventListener("click", (event) => { if (event.target.closest("[data-clear]")) { choose([]); } });

  // Tools.
  const TOOLS = { pan: "PanTool", zoom: "BoxZoomTool", box: "BoxSelectTool", lasso: "LassoSelectTool" };
  const setMode = (name) => {
    mode = name;
    for (const { tools } of panels) for (const tool of tools) {
      const wanted = tool.type === TOOLS[name] || tool.type === "WheelZoomTool" && name === "zoom";
      if (tool.active !== wanted) tool.active = wanted;
    }
    for (const button of document.querySelectorAll("#tools [data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    // A finger moves the page, unless a tool was chosen.
    place.dataset.tool = name;
  };
  document.getElementById("tools").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !view) return;
    if (button.dataset.tool) setMode(mode === button.dataset.tool && touch ? "none" : button.dataset.tool);
    else if (button.dataset.act === "reset") reset();
    else if (button.dataset.act === "fit") fit();
    else if (button.dataset.act === "png") png();
  });
  place.addEventListener("keydown", (event) => {
    if (!x_range) return;
    const wide = x_range.end - x_range.start, move = { ArrowLeft: [-.1, -.1], ArrowRight: [.1, .1], "+": [.1, -.1], "-": [-.125, .125] }[event.key];
    if (event.key === "Home") reset(); else if (event.key === "Escape") choose([]); else if (move) x_range.setv({ start: x_range.start + move[0] * wide, end: x_range.end + move[1] * wide }); else return;
    event.preventDefault();
  });
  // The picture for a file is the server's, drawn on a canvas.
  const png = async () => {
    const answer = await fetch(root + "/curves.svg?" + query(show, x_range ? [jdOf(x_range.start), jdOf(x_range.end)] : null));
    if (!answer.ok) return;
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(await answer.text());
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.naturalWidth;
    canvas.height = 2 * image.naturalHeight;
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = "#ffffff";
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.drawImage(image, 0, 0, canvas.width, canvas.height);
    const link = document.createElement("a");
    link.href = canvas.toDataURL("image/png");
    link.download = `light curve of ${show.sources.join(", ")}.png`;
    link.click();
    place.dataset.saved = link.download;
  };

  const ROWS = ["period", "from", "to", "bands", "instruments", "flagged"];
  // On paper the light curve is the server's picture: dark ink, and as wide as the sheet.
  addEventListener("beforeprint", () => {
    if (!head || !x_range) return;
    const asked = new XMLHttpRequest();
    // A browser waits for nothing else before it prints.
    asked.open("GET", root + "/curves.svg?" + query(show, [jdOf(x_range.start), jdOf(x_range.end)]), false);
    try { asked.send(); } catch { return; }
    if (asked.status !== 200) return;
    const picture = document.importNode(new DOMParser().parseFromString(asked.responseText, "image/svg+xml").documentElement, true);
    picture.setAttribute("class", "on-paper");
    place.after(picture);
  });
  addEventListener("afterprint", () => { for (const old of document.querySelectorAll(".on-paper")) old.remove(); });

  // The form: a change is shown at once, and the address has it.
  const address = (name = "") => {
    const words = query(show), own = place.dataset.page, before = new URLSearchParams(location.search);
    if (own) words.delete("source");
    // The page of the table that is open stays, unless other rows are chosen.
    if (own && !ROWS.includes(name)) for (const at of ["before", "after"]) if (before.get(at)) words.set(at, before.get(at));
    history.replaceState(null, "", (own || root + "/curves") + (String(words) ? "?" + words : "") + location.hash);
    for (const link of document.querySelectorAll("[data-svg]")) link.href = root + "/curves.svg?" + query(show) + "&download=1";
    for (const link of document.querySelectorAll("[data-share]")) link.href = root + "/curves?" + query(show);
  };
  // The table below has the results that are chosen here, from the newest on.
  const follow = (name) => {
    const table = document.getElementById("latest");
    if (!table || !ROWS.includes(name)) return;
    clearTimeout(follow.timer);
    // Several boxes are ticked one after the other.
    follow.timer = setTimeout(() => htmx.ajax("GET", location.pathname + location.search, { source: document.getElementById("latest") }), FOLLOW_MS);
  };
  const changed = async (name) => {
    // Nothing chosen is everything, and the boxes say so.
    const boxes = ["bands", "instruments"].includes(name) ? [...form.querySelectorAll(`input[type=checkbox][name=${name}]`)] : [];
    if (!boxes.some((box) => box.checked)) for (const box of boxes) box.checked = true;
    const before = show;
    show = choice();
    if (name === "period") { form.elements.from.value = form.elements.to.value = ""; show = choice(); }
    address(name);
    follow(name);
    if (["bands", "instruments", "bars", "lines", "flagged", "others", "points"].includes(name)) {
      for (const known of sources) for (const renderer of known.renderers) renderer.visible = isShown(known);
      for (const { span, band } of spans) span.visible = show.lines && (!band || !show.bands.length || show.bands.includes(band));
      for (const { figure } of panels) figure.change.emit();
      fit();
      return;
    }
    if (name === "axis" && head) {
      const seen = [x_range.start, x_range.end], after = show;
      show = before; const jds = seen.map(jdOf); show = after;
      await build(jds.map(xOf));
      return;
    }
    if (name === "source") full = null;
    if (name === "quantity") full = null;
    await load(name === "period" || name === "from" || name === "to" || name === "source" ? null : head?.asked, { keep: !["period", "from", "to", "source", "quantity", "pol"].includes(name) });
  };
  form.addEventListener("change", (event) => { changed(event.target.name); });
  form.addEventListener("submit", (event) => { if (form.dataset.live !== "0" && !event.submitter?.name) { event.preventDefault(); changed("from"); } });
  form.addEventListener("click", (event) => {
    const preset = event.target.closest("a[data-period]");
    if (!preset || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    form.elements.period.value = preset.dataset.period;
    for (const other of form.querySelectorAll("a[data-period]")) other.toggleAttribute("aria-current", other === preset);
    changed("period");
  });
  dark.addEventListener("change", () => { if (view) build([x_range.start, x_range.end]); });
  // At once where it rested, and at most once in a while: in a busy night too.
  const NEWS_MS = 1500;
  const news = (event) => {
    // An event says which source it is about; a poll does not.
    let of = null;
    try { of = JSON.parse(event.detail.data).content.source; } catch { /* any */ }
    const drawn = new Set(head ? head.series.map((series) => series.source) : []);
    if (of && drawn.size >= show.sources.length && !drawn.has(of)) return;
    if (news.timer) return;
    news.timer = setTimeout(() => { news.timer = null; if (show.sources.length) load(head ? head.asked : null); }, NEWS_MS);
  };
  for (const kind of ["result", "flag"]) document.body.addEventListener("iop4d-" + kind, news);
  document.body.addEventListener("iop4d-reset", news);

  window.iop4dCurves = { range: () => x_range, panels: () => panels, sources: () => sources, choose, head: () => head, fit, setMode };
  if (place.dataset.points !== "0") note("Loading the light curve…");
  address();
  load();
})();
