// Draws light curves: panels of magnitude, polarisation and colour with one time axis. The form
// #choice says what is shown, and the address has the same (curves_address.js). Points are arrays of
// numbers, which points.js paints. Pointing and choosing is in curves_points.js, what the buttons above
// do in curves_tools.js.
"use strict";
(() => {
  const place = document.getElementById("curves");
  const form = document.getElementById("choice");
  const root = document.body.dataset.root;
  const colours = JSON.parse(place.dataset.colours);
  const named = place.dataset.named.split(" ").map(Number);  // JD that an address can name
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const DAY = 86400e3, EPOCH = 2440587.5, MJD = 2400000.5;
  const SETTLE_MS = 160, FETCH_MS = 350, FOLLOW_MS = 300;
  const SHAPES = ["circle", "square", "triangle", "diamond", "hexagon", "cross"];
  const SIGNS = ["●", "■", "▲", "◆", "⬢", "✚"];
  const HEIGHTS = { y: 360, p: 170, chi: 170, q: 160, u: 160, c: 150 };
  const choice = () => iop4dCurvesAddress.read(form), query = (chosen, limits) => iop4dCurvesAddress.query(chosen, limits, named);

  let moving = false, kinds = null;
  let palette = null, show = choice(), head = null, view = null, panels = [], sources = [], spans = [], x_range = null, ready = false, full = null;

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
    if (!mean && columns.id) source.selected.properties.indices.change.connect(() => pointing.chosenChanged());
    return known;
  };
  const isShown = ({ series, mean, other }) => (!other || show.others) && (!show.bands.length || !series.band || show.bands.includes(series.band))
    && (!show.instruments.length || !series.instrument || show.instruments.includes(series.instrument))
    && (other || !series.band || show.points === "all" || (show.points === "nights") === mean);
  const TITLES = { mag: "magnitude", nucleus: "mag without host", dereddened: "mag dereddened", flux: "flux [mJy]" };
  // Of points with a flag; a limit is flagged as not detected, and that is what it says.
  const isHidden = (state, limit) => !show.flagged && (limit === limit && limit !== undefined ? state & 2 : state & 3);
  const titleOf = (name) => name === "y" ? TITLES[show.quantity] : name === "c" ? (head.pair || "colour") : { p: "p [%]", chi: "χ [°]", q: "q [%]", u: "u [%]" }[name];
  const hasValue = (array) => array && array.some((v) => v === v);

  // Build the document: its panels, axis and series.
  const build = async (limits) => {
    if (!kinds) kinds = iop4dPoints.make({ show: () => show, palette: () => palette, isMoving: () => moving, isShown, shown: () => head.shown });
    palette = readPalette();
    ready = false;
    const had = pointing.chosenIds();
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
      const figure = makeFigure(height, x_range, y_range, (many ? source + "  " : "") + titleOf(name), tools, at === list.length - 1);
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
      figure.on_event("mousemove", (event) => pointing.hover(panel, event));
      figure.on_event("mouseleave", () => pointing.hide());
      figure.on_event("tap", (event) => pointing.open(panel, event));
      figure.on_event("doubletap", () => reset());
      panels.push(panel);
    });
    x_range.properties.start.change.connect(() => moved());
    const doc = new (Bokeh.require("document").Document)();
    doc.add_root(new (one("Column"))({ children: [...panels.map((panel) => panel.figure), ...makeStrip()], sizing_mode: "stretch_width", spacing: 0 }));
    fit();
    pointing.choose(had);
    place.replaceChildren();
    await Bokeh.embed.add_document_standalone(doc, place);
    view = doc;
    drawing.setMode(drawing.mode());
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
    const tool = new (one("RangeTool"))({ x_range, start_gesture: "none" });
    tool.overlay.setv({ fill_color: palette.link, fill_alpha: .15, line_color: palette.link });
    const values = full.nights.flatMap((series) => [...series.columns.y].filter((v) => v === v));
    const ys = span(values, .1);
    const figure = makeFigure(74, range, new (one("Range1d"))(isLow("y") ? { start: ys[1], end: ys[0] } : { start: ys[0], end: ys[1] }), "", [tool], true);
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

  // The vertical ranges of what is shown within the times shown.
  const fit = () => {
    for (const { name, mine, y_range } of panels) {
      const values = [];
      for (const known of mine) {
        if (!isShown(known)) continue;
        const { x, state } = known.columns, value = known.columns[name], limit = known.columns[name + "_limit"], err = known.columns[name + "_err"];
        for (let i = 0; i < x.length; i++) {
          if (x[i] < x_range.start || x[i] > x_range.end || isHidden(state?.[i], limit?.[i])) continue;
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
    pointing.hide();
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
  let turn = 0, tag = "", tagOf = "", later = null, stated = "";
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
      if (answer.status === 304) { say(stated); return; }
      if (answer.status === 503) { retry(Number(answer.headers.get("Retry-After")) || 5); return; }
      if (answer.status === 400) { lost(`The light curve cannot be shown: ${(await answer.json()).error}`); return; }
      if (!answer.ok) { lost("The light curve is not available now."); return; }
      fresh = iop4dCurvesAddress.unpack(await answer.arrayBuffer());
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
    const has = head.series.some(({ columns }) => hasValue(columns.y) || hasValue(columns.y_limit));
    stated = (head.shown < head.total ? `${head.shown} of ${head.total} points are drawn: of each stretch of time the first, the extremes, and what people flagged. Zoom in to see all of them.`
      : head.total ? `${head.total} point${head.total === 1 ? "" : "s"}.` : "No point in this period.")
      + (head.total && !has && show.quantity !== "mag" ? ` None of them has a value of ${TITLES[show.quantity]}.` : "");
    say(stated);
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
      whole = iop4dCurvesAddress.unpack(await answer.arrayBuffer());
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

  // What the other files know of this light curve.
  const scene = {
    place, root, touch, isShown, isHidden, say, utc, jdOf, query, reset, fit, TITLES, EPOCH, MJD, load: (limits) => load(limits),
    choose: (ids) => pointing.choose(ids),
    get show() { return show; }, get head() { return head; }, get view() { return view; }, get panels() { return panels; },
    get sources() { return sources; }, get x_range() { return x_range; }, get palette() { return palette; }, get kinds() { return kinds; },
    get moving() { return moving; }, get ready() { return ready; }, get mode() { return drawing.mode(); },
  };
  const { one, makeFigure, addSeries, span } = iop4dCurvesPanels(scene);
  const pointing = iop4dCurvesPoints(scene), drawing = iop4dCurvesTools(scene);

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

  const ROWS = ["period", "from", "to", "bands", "instruments", "flagged"];
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

  window.iop4dCurves = { range: () => x_range, panels: () => panels, sources: () => sources, choose: pointing.choose, head: () => head, fit, setMode: drawing.setMode };
  if (place.dataset.points !== "0") note("Loading the light curve…");
  address();
  load();
})();
