// What the form of a light curve says, as the words of an address, and the arrays that come for it.
"use strict";
window.iop4dCurvesAddress = (() => {
  const NOTHING = -(2 ** 31);

  // What the form says.
  const read = (form) => {
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
  const query = (chosen, limits, [FIRST, LAST]) => {
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
  return { read, query, unpack };
})();
