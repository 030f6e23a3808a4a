// The points of light curves, painted on Bokeh's canvas: all points of a series in a few strokes.
// A panel that is moved, and not zoomed, is a picture of its points that is moved.
"use strict";
window.iop4dPoints = (() => {
  const FLAGGED = 3, BY_HAND = 2, PROVISIONAL = 4;

  const outline = (ctx, shape, x, y, r) => {
    switch (shape) {
      case "square": ctx.rect(x - r * .88, y - r * .88, r * 1.76, r * 1.76); break;
      case "triangle": ctx.moveTo(x, y - r * 1.2); ctx.lineTo(x + r * 1.1, y + r * .85); ctx.lineTo(x - r * 1.1, y + r * .85); ctx.closePath(); break;
      case "diamond": ctx.moveTo(x, y - r * 1.3); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r * 1.3); ctx.lineTo(x - r, y); ctx.closePath(); break;
      case "hexagon": ctx.moveTo(x - r, y - r * .6); ctx.lineTo(x, y - r * 1.2); ctx.lineTo(x + r, y - r * .6); ctx.lineTo(x + r, y + r * .6); ctx.lineTo(x, y + r * 1.2); ctx.lineTo(x - r, y + r * .6); ctx.closePath(); break;
      case "cross": ctx.rect(x - r * .4, y - r * 1.2, r * .8, r * 2.4); ctx.rect(x - r * 1.2, y - r * .4, r * 2.4, r * .8); break;
      default: ctx.moveTo(x + r, y); ctx.arc(x, y, r, 0, 6.2832);
    }
  };
  const crossed = (ctx, x, y, r) => { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r); };
  const stroke = (ctx, indices, line) => { ctx.beginPath(); for (const i of indices) line(i); ctx.stroke(); };
  const faded = (ctx, alpha, paint) => { ctx.globalAlpha *= alpha; paint(); ctx.globalAlpha /= alpha; };

  // Those of the points whose part it is: of a panel without a selection, "all" of them.
  const paintPart = (ctx, known, name, to, how, indices, part) => {
    const { columns, look } = known, { state } = columns, { sx, sy } = to, { r } = look, x = columns.x, y = columns[name];
    ctx.globalAlpha = part === "others" ? .25 : 1;
    ctx.fillStyle = ctx.strokeStyle = look.colour;
    ctx.lineWidth = 1.1;
    if (how.squares && indices.length > how.squares) {
      for (const i of indices) ctx.fillRect(sx(x[i]) - r + 1, sy(y[i]) - r + 1, 2 * r - 2, 2 * r - 2);
      return;
    }
    const low = columns[name + "_lo"], high = columns[name + "_hi"];
    if (how.bars && low) faded(ctx, .6, () => stroke(ctx, indices, (i) => { if (low[i] === low[i]) { const at = sx(x[i]); ctx.moveTo(at, sy(low[i])); ctx.lineTo(at, sy(high[i])); } }));
    // Of others: a thin cross.
    if (look.other) {
      faded(ctx, .8, () => stroke(ctx, indices, (i) => crossed(ctx, sx(x[i]), sy(y[i]), r)));
      return;
    }
    // Hollow: flagged. Pale: provisional. With a cross: flagged by hand.
    const fill = (alpha, which) => {
      ctx.beginPath();
      for (const i of indices) if (which(state ? state[i] : 0)) outline(ctx, look.shape, sx(x[i]), sy(y[i]), r);
      if (alpha) faded(ctx, alpha, () => ctx.fill());
      if (alpha < .9 || look.mean) ctx.stroke();
    };
    fill(.9, (bits) => !(bits & 7));
    if (state) {
      fill(.35, (bits) => (bits & 7) === PROVISIONAL);
      fill(0, (bits) => bits & FLAGGED);
      stroke(ctx, indices, (i) => { if (state[i] & BY_HAND) crossed(ctx, sx(x[i]), sy(y[i]), r); });
    }
    if (look.mean || part === "selected") {
      ctx.strokeStyle = part === "selected" ? how.palette.text : how.palette.paper;
      ctx.lineWidth = part === "selected" ? 1.6 : 1.2;
      stroke(ctx, indices, (i) => outline(ctx, look.shape, sx(x[i]), sy(y[i]), r + 1));
    }
  };
  const paintLimits = (ctx, { columns, look }, name, { sx, sy, left, right }, how) => {
    const { x, state } = columns, limit = columns[name + "_limit"], shown = [];
    for (let i = 0; i < x.length; i++) if (limit[i] === limit[i] && (how.flagged || !(state && state[i] & BY_HAND)) && x[i] > left && x[i] < right) shown.push(i);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = look.colour;
    ctx.lineWidth = 1.2;
    stroke(ctx, shown, (i) => {
      const at = sx(x[i]), y = sy(limit[i]);
      ctx.moveTo(at - 4, y); ctx.lineTo(at + 4, y); ctx.moveTo(at, y); ctx.lineTo(at, y + 9);
      ctx.moveTo(at - 3, y + 6); ctx.lineTo(at, y + 9); ctx.lineTo(at + 3, y + 6);
    });
  };
  const paintSeries = (ctx, known, name, to, how) => {
    const { columns, source } = known, { x, state } = columns, y = columns[name], drawn = [];
    if (y) {
      for (let i = 0; i < x.length; i++) if (y[i] === y[i] && x[i] > to.left && x[i] < to.right && (how.flagged || !(state && state[i] & FLAGGED))) drawn.push(i);
      const chosen = new Set(source.selected.indices);
      // Where a point of any series is chosen, all others are pale.
      if (!how.isChosen) paintPart(ctx, known, name, to, how, drawn, "all");
      else {
        paintPart(ctx, known, name, to, how, drawn.filter((i) => !chosen.has(i)), "others");
        paintPart(ctx, known, name, to, how, drawn.filter((i) => chosen.has(i)), "selected");
      }
    }
    if (columns[name + "_limit"]) paintLimits(ctx, known, name, to, how);
  };
  const isSame = (one, other) => one.length === other.length && one.every((value, at) => value === other[at]);

  // From times and values to pixels, for a box of these times whose left upper corner is at dx, dy.
  const mapping = ([start, perX], [top, perY], dx, dy, width) => ({
    sx: (x) => dx + (x - start) * perX, sy: (y) => dy + (y - top) * perY, left: start - 20 / perX, right: start + (width + 20) / perX });

  // Bokeh's own work of each frame that has no use here: it asks for each line and letter which colour
  // a style sheet of the page gives it, writes the style sheet of the element of each renderer, and
  // measures all labels of all axes several times. The browser lays the page out again after most of it.
  const remember = (of, name, keyOf) => {
    const { get, value } = Object.getOwnPropertyDescriptor(of, name), at = Symbol(name);
    const ask = function (...given) {
      const key = keyOf.call(this, ...given);
      if (this[at]?.key !== key) this[at] = { key, value: (get || value).apply(this, given) };
      return this[at].value;
    };
    Object.defineProperty(of, name, get ? { get: ask, configurable: true } : { value: ask, configurable: true, writable: true });
  };
  const hasten = () => {
    const { VisualProperties } = Bokeh.require("core/visuals/visual");
    VisualProperties.prototype._get_css_value = () => "";
    const { PlotView } = Bokeh.require("models/plots/plot_canvas");
    Object.defineProperty(PlotView.prototype, "base_font_size", { get: () => 13 });
    const sheet = Bokeh.require("core/dom").InlineStyleSheet.prototype, update = sheet._update;
    sheet._update = function (css) { if (this.iop4dCss !== css) { this.iop4dCss = css; update.call(this, css); } };
    // Where points are on the screen is asked for where they are chosen, and then alone.
    const { prototype: series } = Bokeh.require("models/renderers/glyph_renderer").GlyphRendererView, hit = series.hit_test;
    series.hit_test = function (geometry) { this.map_data(); return hit.call(this, geometry); };
    const { prototype: axis } = Bokeh.require("models/axes/axis").AxisView;
    const ends = function () { const [range] = this.ranges; return `${range.start} ${range.end} ${this.loc}`; };
    remember(axis, "tick_coords", ends);
    remember(axis, "extents", ends);
    remember(axis, "compute_labels", (ticks) => ticks.join());
  };

  // `scene` has functions: show() what the form says, palette(), isMoving(), isShown(series), shown() points.
  const make = (scene) => {
    hasten();
    const { Figure, FigureView } = Bokeh.require("models/plots/figure");
    class PanelView extends FigureView {
      _paint_levels(ctx, level, box, clip) {
        if (level !== "glyph") { super._paint_levels(ctx, level, box, clip); return; }
        for (const view of this.computed_renderer_views) if (view.model.level === level) view.force_finished();
        ctx.save();
        ctx.beginPath();
        ctx.rect(...box.args);
        ctx.clip();
        this.paintPoints(ctx, box);
        ctx.restore();
      }
      // A canvas that has nothing costs as much as another.
      _paint_overlays(ctx) {
        super._paint_overlays(ctx);
        const used = this.computed_renderer_views.some((view) => view.model.level === "overlay" && view.displayed);
        this.canvas_view.overlays.el.style.display = used ? "" : "none";
      }
      paintPoints(ctx, box) {
        const { panel, x_range, y_range } = this.model, mine = panel.every ? panel.mine : panel.mine.filter(scene.isShown);
        const { bars, flagged } = scene.show(), how = { bars, flagged, palette: scene.palette(), squares: 0, isChosen: mine.some((known) => known.source.selected.indices.length) };
        const x = [x_range.start, box.width / (x_range.end - x_range.start)], y = [y_range.end, box.height / (y_range.start - y_range.end)];
        // What a picture of it depends on, beside the time where it starts.
        const of = [...y, box.x, box.y, box.width, this.canvas_view.pixel_ratio, bars, flagged, ...mine, ...mine.map((known) => known.source.selected.indices)];
        const isStill = this.last && Math.abs(this.last.perX / x[1] - 1) * box.width < .1 && isSame(of, this.last.of);
        this.last = { of, perX: x[1] };
        if (!scene.isMoving() || !isStill) this.picture = null;
        if (scene.isMoving() && isStill) { this.blit(ctx, box, x, y, mine, how); return; }
        if (scene.isMoving()) how.squares = scene.shown() > 1000 ? 1 : 150;
        for (const known of mine) paintSeries(ctx, known, panel.name, mapping(x, y, box.x, box.y, box.width), how);
      }
      // The picture has half the box's width more on each side.
      blit(ctx, box, [start, perX], y, mine, how) {
        const ratio = this.canvas_view.pixel_ratio, at = () => (this.picture.start - start) * perX;
        if (!this.picture || at() > 0 || at() + 2 * box.width < box.width) {
          const canvas = document.createElement("canvas"), from = start - box.width / 2 / perX;
          canvas.width = Math.ceil(2 * box.width * ratio);
          canvas.height = Math.ceil(box.height * ratio);
          const own = canvas.getContext("2d");
          own.scale(ratio, ratio);
          own.translate(.5, .5);
          for (const known of mine) paintSeries(own, known, this.model.panel.name, mapping([from, perX], y, 0, 0, 2 * box.width), how);
          this.picture = { canvas, start: from };
        }
        ctx.setTransform(1, 0, 0, 1, 0, 0);
        ctx.drawImage(this.picture.canvas, Math.round((box.x + at()) * ratio), Math.round(box.y * ratio));
      }
    }
    class Panel extends Figure { static __name__ = "iop4d.Panel"; }
    Panel.prototype.default_view = PanelView;
    return { Panel };
  };
  return { make };
})();
