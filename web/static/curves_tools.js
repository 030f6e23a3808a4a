// The tools of a light curve: what a drag does, the keyboard, and its picture for a file and on paper.
"use strict";
window.iop4dCurvesTools = ((scene) => {
  const { place, root, touch, query, jdOf, reset, fit, choose } = scene;
  let mode = touch ? "none" : "pan";

  // Tools.
  const TOOLS = { pan: "PanTool", zoom: "BoxZoomTool", box: "BoxSelectTool", lasso: "LassoSelectTool" };
  const setMode = (name) => {
    mode = name;
    for (const { tools } of scene.panels) for (const tool of tools) {
      const wanted = tool.type === TOOLS[name] || tool.type === "WheelZoomTool" && name === "zoom";
      if (tool.active !== wanted) tool.active = wanted;
    }
    for (const button of document.querySelectorAll("#tools [data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    // A finger moves the page, unless a tool was chosen.
    place.dataset.tool = name;
  };
  document.getElementById("tools").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !scene.view) return;
    if (button.dataset.tool) setMode(mode === button.dataset.tool && touch ? "none" : button.dataset.tool);
    else if (button.dataset.act === "reset") reset();
    else if (button.dataset.act === "fit") fit();
    else if (button.dataset.act === "png") png();
  });
  place.addEventListener("keydown", (event) => {
    if (!scene.x_range) return;
    const wide = scene.x_range.end - scene.x_range.start, move = { ArrowLeft: [-.1, -.1], ArrowRight: [.1, .1], "+": [.1, -.1], "-": [-.125, .125] }[event.key];
    if (event.key === "Home") reset(); else if (event.key === "Escape") choose([]); else if (move) scene.x_range.setv({ start: scene.x_range.start + move[0] * wide, end: scene.x_range.end + move[1] * wide }); else return;
    event.preventDefault();
  });
  // The picture for a file is the server's, drawn on a canvas.
  const png = async () => {
    const answer = await fetch(root + "/curves.svg?" + query(scene.show, scene.x_range ? [jdOf(scene.x_range.start), jdOf(scene.x_range.end)] : null));
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
    link.download = `light curve of ${scene.show.sources.join(", ")}.png`;
    link.click();
    place.dataset.saved = link.download;
  };

  // On paper the light curve is the server's picture: dark ink, and as wide as the sheet.
  addEventListener("beforeprint", () => {
    if (!scene.head || !scene.x_range) return;
    const asked = new XMLHttpRequest();
    // A browser waits for nothing else before it prints.
    asked.open("GET", root + "/curves.svg?" + query(scene.show, [jdOf(scene.x_range.start), jdOf(scene.x_range.end)]), false);
    try { asked.send(); } catch { return; }
    if (asked.status !== 200) return;
    const picture = document.importNode(new DOMParser().parseFromString(asked.responseText, "image/svg+xml").documentElement, true);
    picture.setAttribute("class", "on-paper");
    place.after(picture);
  });
  addEventListener("afterprint", () => { for (const old of document.querySelectorAll(".on-paper")) old.remove(); });
  return { setMode, mode: () => mode };
});
