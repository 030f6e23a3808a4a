// Pointing at points of a light curve, and choosing them: their panel, in which they are flagged.
"use strict";
window.iop4dCurvesPoints = ((scene) => {
  const { place, root, isShown, isHidden, say, load, utc } = scene;
  const { EPOCH, MJD, TITLES } = scene, BY_HAND = 2, PROVISIONAL = 4, TOGETHER = 8;

  // Pointing.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const nearest = ({ mine, name, figure }, event) => {
    let best = null, least = 14 ** 2;
    const box = Bokeh.index.find_one(figure)?.frame?.bbox;
    if (!box) return null;
    const perX = (scene.x_range.end - scene.x_range.start) / box.width, panel = scene.panels.find((one) => one.figure === figure), perY = (panel.y_range.end - panel.y_range.start) / box.height;
    for (const known of mine) {
      if (!isShown(known)) continue;
      const { x, state } = known.columns, value = known.columns[name], limit = known.columns[name + "_limit"];
      for (let i = 0; i < x.length; i++) {
        const v = value[i] === value[i] ? value[i] : limit ? limit[i] : NaN;
        if (v !== v || isHidden(state?.[i], limit?.[i])) continue;
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
    if (scene.moving) return;
    const found = nearest(panel, event);
    if (!found) { tip.hidden = true; return; }
    const { series, columns: of, mean } = found.known, { i } = found;
    const all = (name) => Math.hypot(of[name + "_err"][i], of[name + "_common"]?.[i] || 0);
    const jd = of.jd[i], words = [], digits = scene.show.quantity === "flux" ? 4 : 3;
    words.push(`${scene.show.sources.length > 1 ? series.source + " " : ""}${series.band || scene.head.pair} · ${series.telescope}${series.instrument ? " " + series.instrument : ""}`);
    words.push(mean ? `mean of the night of ${utc(of.night[i] + EPOCH, 10)}, ${of.n[i]} magnitudes` : utc(jd) + " UTC");
    words.push(`JD ${jd.toFixed(5)} · MJD ${(jd - MJD).toFixed(5)}`);
    if (of.c) words.push(`${scene.head.pair} ${plusMinus(of.c[i], of.c_err[i], 3)}`);
    else {
      words.push(of.y[i] === of.y[i] || !(of.y_limit && of.y_limit[i] === of.y_limit[i]) ? `${TITLES[scene.show.quantity]} ${plusMinus(of.y[i], all("y"), digits)}` : `fainter than ${of.y_limit[i].toFixed(1)}`);
      if (of.p[i] === of.p[i]) words.push(`p ${plusMinus(of.p[i], all("p"), 2)} %${found.known.other ? "" : " (without bias)"}, χ ${angle(of.chi[i], all("chi"))}`);
      else if (of.p_limit[i] === of.p_limit[i]) words.push(`p < ${of.p_limit[i].toFixed(1)} % (95 %)`);
      if (of.q && of.q[i] === of.q[i]) words.push(`q ${plusMinus(of.q[i], of.q_err[i], 2)} %, u ${plusMinus(of.u[i], of.u_err[i], 2)} %`);
    }
    if (of.state) {
      const bits = of.flags[i], marks = Object.entries(scene.head.flags).filter(([bit]) => bits & Number(bit)).map(([, name]) => name);
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
    if (scene.mode === "lasso" || scene.mode === "box" || scene.mode === "zoom") return;
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
    for (const known of scene.sources) {
      if (!known.columns.id || !isShown(known)) continue;
      for (const i of known.source.selected.indices) if (!isHidden(known.columns.state[i], known.columns.y_limit?.[i])) ids.push(known.columns.id[i]);
    }
    return ids;
  };
  const choose = (ids) => {
    const wanted = new Set(ids);
    quiet = true;
    for (const known of scene.sources) {
      if (!known.columns.id) continue;
      const indices = [];
      if (wanted.size) known.columns.id.forEach((id, i) => { if (wanted.has(id)) indices.push(i); });
      if (indices.length || known.source.selected.indices.length) known.source.selected.indices = indices;
    }
    quiet = false;
    if (scene.ready) chosenChanged();
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
    try { said = await answer.json(); } catch { said = { error: "The site answers with the error " + answer.status }; }
    outcome = { text: said.said || said.error, ids: chosenIds().sort((a, b) => a - b).join(), good: answer.ok };
    report();
    if (answer.ok) { await load(scene.head.asked); await showChosen(); }
  });
  panel.addEventListener("click", (event) => { if (event.target.closest("[data-clear]")) { choose([]); } });
  const hide = () => { tip.hidden = true; };
  return { hover, open, hide, chosenIds, choose, chosenChanged };
});
