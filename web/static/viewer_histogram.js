// The histogram of an image, in which its cuts can be drawn to and fro.
"use strict";
window.iop4dHistogram = ((scene) => {
  const { graph } = scene, { value, code } = iop4dLooks;

  // The histogram, with the cuts as lines that can be drawn to and fro.
  const draw = () => {
    const of = scene.view(), wide = graph.clientWidth, tall = graph.clientHeight;
    if (!wide || !of.counts.length) return;
    const scale = scene.ratio();
    graph.width = wide * scale; graph.height = tall * scale;
    const inside = graph.getContext("2d");
    inside.setTransform(scale, 0, 0, scale, 0, 0);
    const colour = getComputedStyle(graph);
    inside.fillStyle = colour.color;
    const most = Math.log1p(Math.max(...of.counts)), step = wide / of.counts.length;
    of.counts.forEach((count, n) => { const h = Math.log1p(count) / most * (tall - 4); inside.fillRect(n * step, tall - h, Math.max(step - 0.4, 0.6), h); });
    inside.fillStyle = colour.borderTopColor;
    for (const cut of of.cuts) {
      const at = (code(of, cut) - of.first) / of.codes * step;
      inside.fillRect(Math.max(0, Math.min(wide - 2, at - 1)), 0, 2, tall);
    }
  };
  let dragged = -1;
  const dragCut = (event) => {
    const of = scene.view(), part = event.offsetX / graph.clientWidth;
    const level = value(of, of.first + part * of.counts.length * of.codes);
    if (dragged < 0) dragged = Math.abs(code(of, of.cuts[0]) - code(of, level)) < Math.abs(code(of, of.cuts[1]) - code(of, level)) ? 0 : 1;
    const cuts = [...of.cuts];
    cuts[dragged] = level;
    if (cuts[1] > cuts[0]) scene.setCuts(cuts, "own");
  };
  graph.addEventListener("pointerdown", (event) => { graph.setPointerCapture(event.pointerId); dragged = -1; dragCut(event); });
  graph.addEventListener("pointermove", (event) => { if (graph.hasPointerCapture(event.pointerId)) dragCut(event); });
  return { draw };
});
