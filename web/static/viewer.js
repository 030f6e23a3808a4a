// Shows an image from tiles of its pixels: zoom, cuts, stretch and colours are made at once, in the
// browser. What is drawn over it is in viewer_marks.js, how its pixels look in viewer_looks.js.
// Without it the page shows the preview picture.
"use strict";
const showImages = (box, known) => {
  const images = known();
  const { CUTS, cutsOf, value } = iop4dLooks, { toSky, sexagesimal } = iop4dSky;
  const REFRESH_MS = 1000, BLINK_MS = 700, EXACT_MS = 160, TILES_HELD = 240, NEAR_PX = 14;

  // The parts of the page.
  const make = (tag, set = {}, ...inside) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(set)) {
      if (name in node && name !== "list") node[name] = value; else node.setAttribute(name, value);
    }
    node.append(...inside);
    return node;
  };
  const choice = (label, options, act) => {
    const list = make("select", {}, ...options.map(([value, name]) => make("option", { value }, name)));
    list.addEventListener("change", () => act(list.value));
    return [make("label", {}, label + " ", list), list];
  };
  const button = (name, title, act) => {
    const made = make("button", { type: "button", title }, name);
    made.addEventListener("click", act);
    return made;
  };
  const canvas = make("canvas", { tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", box.dataset.name + ". Arrow keys move, with Shift by one pixel, and tell the pixel in the middle; plus and minus zoom, 0 fits the whole image, 1 shows one pixel as one pixel, B blinks.");
  const context = canvas.getContext("2d", { alpha: false });
  const readout = make("p", { className: "readout num" }, "\u00a0");
  const graph = make("canvas", { className: "histogram" });
  graph.setAttribute("aria-hidden", "true");
  const low = make("input", { type: "number", step: "any", className: "cut" });
  const high = make("input", { type: "number", step: "any", className: "cut" });
  const trouble = make("p", { className: "banner bad" });
  trouble.hidden = true;

  const state = { image: images[0].name, x: 0, y: 0, zoom: 0, stretch: "asinh", colours: "grey", blinking: null, overlays: new Set(["sources", "apertures"]) };
  const views = new Map();   // by name: its description, cuts, tiles
  let marks = { sources: [], stars: [], pairs: [], matched: [] }, wanted = false, pointer = null, keyed = false;

  const view = () => views.get(state.image);
  const paint = (of, tile) => {
    iop4dLooks.table(of, { stretch: state.stretch, colours: state.colours, isMasked: state.overlays.has("masked") });
    if (tile.painted === of.tableOf) return;
    tile.canvas = tile.canvas || make("canvas", { width: tile.nx, height: tile.ny });
    const inside = tile.canvas.getContext("2d"), picture = inside.createImageData(tile.nx, tile.ny);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let row = 0, at = 0; row < tile.ny; row++) {
      let to = (tile.ny - 1 - row) * tile.nx;
      for (let i = 0; i < tile.nx; i++, at++, to++) {
        const number = tile.codes[at];
        pixels[to] = number === of.none ? of.gap : of.table[Math.max(-1024, Math.min(1024, number)) + 1024];
      }
    }
    inside.putImageData(picture, 0, 0);
    tile.painted = of.tableOf;
  };

  const say = (text) => { trouble.textContent = text; trouble.hidden = !text; };

  const fetchTile = async (of, key, level, column, row) => {
    const tile = { codes: null, failed: false };
    of.tiles.set(key, tile);
    try {
      const answer = await fetch(of.tileAddress.replace("{level}", level).replace("{column}", column).replace("{row}", row), { credentials: "same-origin" });
      if (!answer.ok) throw new Error(answer.status);
      const bytes = new Uint8Array(await answer.arrayBuffer()), count = bytes.length / 2;
      const shown = of.tile << level;
      tile.nx = Math.ceil(Math.min(shown, of.width - column * shown) / (1 << level));
      tile.ny = count / tile.nx;
      const codes = new Int16Array(count);
      for (let i = 0; i < count; i++) codes[i] = bytes[i] | bytes[count + i] << 8;
      tile.codes = codes;
      say("");
    } catch {
      tile.failed = true;
      setTimeout(() => { of.tiles.delete(key); redraw(); }, 4000);
      say("Parts of the image could not be read; the page tries again.");
    }
    while (of.tiles.size > TILES_HELD) of.tiles.delete(of.tiles.keys().next().value);
    redraw();
  };

  const redraw = () => { if (!wanted) { wanted = true; requestAnimationFrame(draw); } };
  const ratio = () => Math.min(devicePixelRatio || 1, 2);

  const draw = () => {
    wanted = false;
    const of = view();
    if (!of || !canvas.clientWidth) return;
    const scale = ratio(), wide = Math.round(canvas.clientWidth * scale), tall = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== wide || canvas.height !== tall) { canvas.width = wide; canvas.height = tall; }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#05080c";
    context.fillRect(0, 0, wide, tall);
    const zoom = state.zoom * scale;
    const level = Math.max(0, Math.min(of.depth, Math.round(Math.log2(1 / zoom))));
    context.imageSmoothingEnabled = zoom * (1 << level) < 1;
    // From the coarsest tiles that are there to those that are wanted.
    for (let one = of.depth; one >= level; one--) {
      const side = of.tile << one;
      const left = (state.x - wide / 2 / zoom), bottom = (state.y - tall / 2 / zoom);
      const columns = [Math.max(0, Math.floor(left / side)), Math.min(Math.ceil(of.width / side) - 1, Math.floor((left + wide / zoom) / side))];
      const rows = [Math.max(0, Math.floor(bottom / side)), Math.min(Math.ceil(of.height / side) - 1, Math.floor((bottom + tall / zoom) / side))];
      for (let row = rows[0]; row <= rows[1]; row++) {
        for (let column = columns[0]; column <= columns[1]; column++) {
          const key = one + "/" + column + "/" + row, tile = of.tiles.get(key);
          if (!tile) {
            if (one === level || one === of.depth) fetchTile(of, key, one, column, row);
            continue;
          }
          if (!tile.codes) continue;
          of.tiles.delete(key);
          of.tiles.set(key, tile);   // used last
          paint(of, tile);
          const size = 1 << one;
          const x0 = (column * side - state.x) * zoom + wide / 2, y0 = tall / 2 - (row * side + tile.ny * size - state.y) * zoom;
          const x1 = x0 + tile.nx * size * zoom, y1 = y0 + tile.ny * size * zoom;
          context.drawImage(tile.canvas, Math.floor(x0), Math.floor(y0), Math.ceil(x1) - Math.floor(x0), Math.ceil(y1) - Math.floor(y0));
        }
      }
    }
    overlay.draw(scale);
    histogram.draw();
    box.dataset.shown = [...of.tiles].some(([key, tile]) => tile.codes && key.startsWith(level + "/")) ? state.image : "";
  };

  // Places: pixels of the image have their centres at whole numbers; the screen's y grows downwards.
  const toScreen = (x, y) => [(x + 0.5 - state.x) * state.zoom + canvas.clientWidth / 2, canvas.clientHeight / 2 - (y + 0.5 - state.y) * state.zoom];
  const toImage = (i, j) => [(i - canvas.clientWidth / 2) / state.zoom + state.x - 0.5, (canvas.clientHeight / 2 - j) / state.zoom + state.y - 0.5];

  const histogram = iop4dHistogram({ graph, view, ratio, setCuts: (cuts, name) => setCuts(cuts, name) });
  const overlay = iop4dMarks({ canvas, context, state, toScreen, toImage, get marks() { return marks; }, get keyed() { return keyed; } });

  const setCuts = (cuts, name) => {
    const of = view();
    of.cuts = cuts[1] > cuts[0] ? cuts : [cuts[0], cuts[0] + of.sigma];
    of.cutsName = name;
    showControls();
    redraw();
  };
  const short = (number) => Number(Number(number).toPrecision(6));
  const ownCuts = () => { if (low.value !== "" && high.value !== "" && Number(high.value) > Number(low.value)) setCuts([Number(low.value), Number(high.value)], "own"); };
  low.addEventListener("change", ownCuts);
  high.addEventListener("change", ownCuts);

  // Moving about.
  const fitZoom = () => { const of = view(); return Math.min(canvas.clientWidth / of.width, canvas.clientHeight / of.height); };
  const fit = () => { const of = view(); state.x = of.width / 2; state.y = of.height / 2; state.zoom = fitZoom(); moved(); };
  const moved = () => {
    const of = view();
    state.zoom = Math.max(Math.min(fitZoom(), 1) * 0.8, Math.min(64, state.zoom));
    state.x = Math.max(0, Math.min(of.width, state.x));
    state.y = Math.max(0, Math.min(of.height, state.y));
    // At first a swipe scrolls the page; in an enlarged image it moves the image.
    canvas.style.touchAction = state.zoom > fitZoom() * 1.05 ? "none" : "pan-y";
    redraw();
  };
  const zoomBy = (factor, i = canvas.clientWidth / 2, j = canvas.clientHeight / 2) => {
    const [x, y] = toImage(i, j);
    state.zoom *= factor;
    const of = view();
    state.zoom = Math.max(Math.min(fitZoom(), 1) * 0.8, Math.min(64, state.zoom));
    state.x = x + 0.5 - (i - canvas.clientWidth / 2) / state.zoom;
    state.y = y + 0.5 + (j - canvas.clientHeight / 2) / state.zoom;
    if (of) moved();
  };
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    point(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    keyed = false;
    readout.removeAttribute("aria-live");
    const before = fingers.get(event.pointerId);
    if (before) {
      const now = [event.offsetX, event.offsetY];
      if (fingers.size === 2) {
        const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const far = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
        zoomBy(far(now) / Math.max(far(before), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
        state.x -= (now[0] - before[0]) / 2 / state.zoom;
        state.y += (now[1] - before[1]) / 2 / state.zoom;
      } else if (event.pointerType !== "touch" || canvas.style.touchAction === "none") {
        state.x -= (now[0] - before[0]) / state.zoom;
        state.y += (now[1] - before[1]) / state.zoom;
      }
      fingers.set(event.pointerId, now);
      moved();
    }
    point(event);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    // A wheel scrolls the page unless the image has the focus or is enlarged, so that the page can be scrolled past it.
    if (document.activeElement !== canvas && !event.ctrlKey && state.zoom <= fitZoom() * 1.05) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoomBy(2, event.offsetX, event.offsetY));
  canvas.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 1 : 60 / state.zoom;
    const keys = {
      ArrowLeft: () => { state.x -= far; moved(); }, ArrowRight: () => { state.x += far; moved(); },
      ArrowUp: () => { state.y += far; moved(); }, ArrowDown: () => { state.y -= far; moved(); },
      "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), 0: fit, 1: () => zoomBy(1 / state.zoom),
      b: () => blink(), i: () => { state.colours = state.colours === "inverted" ? "grey" : "inverted"; showControls(); redraw(); },
    };
    const act = keys[event.key] || keys[event.key.toLowerCase()];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      act();
      keyed = true;
      readout.setAttribute("aria-live", "polite");
      point({ offsetX: canvas.clientWidth / 2, offsetY: canvas.clientHeight / 2 });
    }
  });

  // What lies under the pointer: at once what the tile says, then the pixel itself.
  let exact = null;
  const point = (event) => {
    const [x, y] = toImage(event.offsetX, event.offsetY);
    pointer = [Math.round(x), Math.round(y), x, y];
    tellPointer();
    clearTimeout(exact);
    exact = setTimeout(askExact, EXACT_MS);
  };
  const tellPointer = (known) => {
    const of = view();
    if (!of || !pointer) return;
    const [x, y, fx, fy] = pointer;
    if (x < 0 || y < 0 || x >= of.width || y >= of.height) { readout.textContent = "\u00a0"; return; }
    let text = `x ${x}, y ${y}`, found = known;
    for (let level = 0; found === undefined && level <= of.depth; level++) {
      const side = of.tile << level, tile = of.tiles.get(level + "/" + Math.floor(x / side) + "/" + Math.floor(y / side));
      if (tile && tile.codes) {
        const number = tile.codes[Math.floor(y % side / (1 << level)) * tile.nx + Math.floor(x % side / (1 << level))];
        found = number === of.none ? null : value(of, number);
        text += found === null ? " · masked" : ` · ≈ ${short(Number(found).toPrecision(3))} ${of.unit}`;
        break;
      }
    }
    if (known !== undefined) text += known === null ? " · masked" : ` · ${short(known)} ${of.unit}`;
    if (marks.wcs) { const [ra, dec] = toSky(marks.wcs, fx, fy); text += ` · ${sexagesimal(ra, true)} ${sexagesimal(dec, false)}`; }
    const near = marks.sources.filter((one) => Math.hypot(one.x - fx, one.y - fy) * state.zoom < Math.max(NEAR_PX, (marks.aperture || 0) * state.zoom));
    if (near.length) text += " · " + near.map((one) => one.name + (one.beam ? " " + one.beam : "") + (one.said ? " " + one.said : "")).join(", ");
    readout.textContent = text;
  };
  const askExact = async () => {
    const of = view(), at = pointer;
    if (!of || !at || at[0] < 0 || at[1] < 0 || at[0] >= of.width || at[1] >= of.height) return;
    try {
      const answer = await fetch(`${of.pixelAddress}&x=${at[0]}&y=${at[1]}`, { credentials: "same-origin" });
      if (answer.ok) { const found = (await answer.json()).value; if (pointer === at) tellPointer(found); }
    } catch { /* the rounded value stays */ }
  };

  // Images.
  const load = async (name) => {
    if (!views.has(name)) {
      const answer = await fetch(images.find((one) => one.name === name).address, { credentials: "same-origin" });
      const of = answer.ok ? await answer.json() : { wrong: "The image cannot be read." };
      if (of.wrong) throw new Error(of.wrong);
      of.tiles = new Map();
      of.cutsName = box.dataset.cutsName || "zscale";
      const cuts = of.counts.length ? cutsOf(of, of.cutsName) : [0, 1];
      of.cuts = cuts[1] > cuts[0] ? cuts : [of.sky - 3 * of.sigma, of.sky + 10 * of.sigma];
      views.set(name, of);
    }
    return views.get(name);
  };
  const show = async (name) => {
    try {
      const of = await load(name), before = view();
      state.image = name;
      if (!state.zoom || !before || (before !== of && (before.width !== of.width || before.height !== of.height))) fit();
      showControls();
      redraw();
    } catch (error) { say(error.message); }
  };
  const blink = () => {
    if (state.blinking) { clearInterval(state.blinking); state.blinking = null; }
    else if (images.length > 1) {
      state.blinking = setInterval(() => show(images[(images.findIndex((one) => one.name === state.image) + 1) % images.length].name), BLINK_MS);
    }
    showControls();
  };

  // Controls.
  const tabOf = (one) => button(one.label, "Show the " + one.label.toLowerCase() + " image", () => { if (state.blinking) blink(); show(one.name); });
  const tabs = images.map(tabOf);
  const blinker = button("Blink", "Show one image after the other", blink);
  const [stretchLabel, stretches] = choice("Stretch", ["linear", "sqrt", "asinh", "log"].map((one) => [one, one]), (name) => { state.stretch = name; redraw(); });
  const [coloursLabel, palettes] = choice("Colours", ["grey", "inverted", "viridis", "heat"].map((one) => [one, one]), (name) => { state.colours = name; redraw(); });
  const [cutsLabel, cutsList] = choice("Cuts", CUTS, (name) => { if (name !== "own") setCuts(cutsOf(view(), name), name); });
  const OVERLAYS = [["sources", "sources"], ["apertures", "apertures"], ["annuli", "annuli"], ["pairs", "pairs"], ["stars", "field stars"], ["matched", "matched stars"], ["masked", "masked pixels"], ["grid", "grid"]];
  const has = { sources: () => marks.sources.length, apertures: () => marks.aperture, annuli: () => marks.annulus, pairs: () => marks.pairs.length, stars: () => marks.stars.length, matched: () => marks.matched.length, masked: () => true, grid: () => marks.wcs };
  const boxes = make("fieldset", { className: "overlays" }, make("legend", {}, "Overlays"));
  const listOverlays = () => {
    boxes.replaceChildren(boxes.firstChild, ...OVERLAYS.filter(([name]) => has[name]()).map(([name, label]) => {
      const tick = make("input", { type: "checkbox", checked: state.overlays.has(name), name: "overlay-" + name });
      tick.addEventListener("change", () => { if (tick.checked) state.overlays.add(name); else state.overlays.delete(name); redraw(); });
      return make("label", {}, tick, " " + label);
    }));
  };
  const showControls = () => {
    const of = view();
    tabs.forEach((tab, n) => tab.setAttribute("aria-pressed", String(images[n].name === state.image)));
    blinker.setAttribute("aria-pressed", String(Boolean(state.blinking)));
    stretches.value = state.stretch;
    palettes.value = state.colours;
    if (!of) return;
    cutsList.value = of.cutsName;
    low.value = short(of.cuts[0]);
    high.value = short(of.cuts[1]);
    box.dataset.cuts = of.cuts.map(short).join(" ");
  };
  const whole = button("Full screen", "Show the image on the whole screen", () => { if (document.fullscreenElement) document.exitFullscreen(); else box.requestFullscreen(); });
  const group = make("span", { className: "group" }, ...(images.length > 1 ? [...tabs, blinker] : []));
  const bar = make("div", { className: "viewbar" },
    group,
    make("span", { className: "group" }, button("−", "Zoom out", () => zoomBy(1 / 1.5)), button("+", "Zoom in", () => zoomBy(1.5)), button("Fit", "Show the whole image", fit), button("1:1", "One pixel as one pixel", () => zoomBy(1 / state.zoom)), whole));
  const looks = make("div", { className: "viewbar" }, stretchLabel, coloursLabel, cutsLabel,
    make("span", { className: "group" }, make("label", {}, "from ", low), make("label", {}, "to ", high)));
  const fallback = [...box.childNodes];
  const start = async () => {
    try {
      await load(state.image);
    } catch (error) {
      // The preview stays, and the next image is tried.
      const next = images.find((one) => one.name !== state.image);
      try { if (!next) throw error; await load(next.name); state.image = next.name; } catch { box.append(trouble); say(error.message); return; }
    }
    if (box.dataset.marks) {
      try { const answer = await fetch(box.dataset.marks, { credentials: "same-origin" }); if (answer.ok) marks = await answer.json(); } catch { /* without overlays */ }
    }
    for (const node of fallback) node.remove();
    box.append(bar, canvas, readout, trouble, looks, make("div", { className: "underview" }, graph, boxes));
    const of = view();
    canvas.style.aspectRatio = String(Math.max(0.75, Math.min(2.2, of.width / of.height)));
    box.classList.add("on");
    listOverlays();
    fit();
    showControls();
    new ResizeObserver(() => { const was = state.zoom; if (!was || was < fitZoom()) fit(); else moved(); }).observe(canvas);
  };
  // A frame that was reduced again has other images, and perhaps more of them: the page says which.
  const refresh = async () => {
    const now = known();
    for (const one of now.filter(({ name }) => !images.some((old) => old.name === name))) {
      images.push(one);
      tabs.push(tabOf(one));
    }
    group.replaceChildren(...(images.length > 1 ? [...tabs, blinker] : []));
    for (const [name, of] of views) {
      try {
        const answer = await fetch(images.find((one) => one.name === name).address, { credentials: "same-origin" });
        const fresh = answer.ok ? await answer.json() : of;
        if (fresh.tileAddress && fresh.tileAddress !== of.tileAddress) Object.assign(of, fresh, { tiles: new Map(), tableOf: "" });
      } catch { /* what is shown stays */ }
    }
    showControls();
    redraw();
  };
  // The page fetches its part again at what concerns it, and after a pause of the stream.
  let due = null;
  document.addEventListener("htmx:after:swap", () => {
    if (due === null) due = setTimeout(() => { due = null; refresh(); }, REFRESH_MS);
  });
  start();
};
(() => {
  const box = document.getElementById("viewer");
  if (!box || !box.dataset.images) return;
  // The box itself is left alone by what the page fetches again; the list beside it is not.
  const known = () => JSON.parse((document.getElementById("viewer-images") || box).dataset.images);
  if (known().length) { showImages(box, known); return; }
  const wait = () => { if (known().length) { document.removeEventListener("htmx:after:swap", wait); showImages(box, known); } };
  document.addEventListener("htmx:after:swap", wait);
})();
