// The panels of a light curve as Bokeh knows them: axes, figures and series, whose points points.js paints.
"use strict";
window.iop4dCurvesPanels = ((scene) => {
  const one = (name) => Bokeh.require("models/index")[name];

  const styleAxis = (axis) => axis.setv({
    axis_line_color: scene.palette.line, major_tick_line_color: scene.palette.line, minor_tick_line_color: scene.palette.line,
    major_label_text_color: scene.palette.quiet, axis_label_text_color: scene.palette.quiet, axis_label_text_font_style: "normal", major_label_text_font_size: "12px" });
  const timeAxis = () => {
    const axis = scene.show.axis === "utc" ? new (one("DatetimeAxis"))({ formatter: new (one("DatetimeTickFormatter"))({
      seconds: "%H:%M:%S", minsec: "%H:%M:%S", minutes: "%H:%M", hourmin: "%H:%M", hours: "%H:%M", days: "%m-%d", months: "%Y-%m", years: "%Y",
      context: new (one("DatetimeTickFormatter"))({ seconds: "%Y-%m-%d", minsec: "%Y-%m-%d", minutes: "%Y-%m-%d", hourmin: "%Y-%m-%d", hours: "%Y-%m-%d", days: "%Y", months: "", years: "" }),
      context_which: "start", hide_repeats: true }) })
      : new (one("LinearAxis"))({ formatter: new (one("BasicTickFormatter"))({ use_scientific: false, precision: "auto" }) });
    styleAxis(axis);
    return axis;
  };
  const makeFigure = (height, x_range, y_range, title, tools, xAxis) => {
    const figure = new scene.kinds.Panel({
      height, sizing_mode: "stretch_width", x_range, y_range, x_scale: new (one("LinearScale"))(), y_scale: new (one("LinearScale"))(),
      toolbar_location: null, toolbar: new (one("Toolbar"))({ tools, active_drag: null, active_scroll: null, active_tap: null, active_inspect: null, logo: null }),
      background_fill_color: null, border_fill_color: null, outline_line_color: scene.palette.line, min_border_left: 58, min_border_right: 10, min_border_top: 8, min_border_bottom: xAxis ? 20 : 8, lod_threshold: null });
    const left = new (one("LinearAxis"))({ axis_label: title });
    styleAxis(left);
    figure.add_layout(left, "left");
    const below = timeAxis();
    figure.add_layout(below, "below");
    if (!xAxis) below.setv({ major_label_text_color: null, major_label_text_font_size: "0px", major_label_standoff: 0, major_tick_out: 3 });
    for (const axis of [left, below]) figure.add_layout(new (one("Grid"))({ axis, dimension: axis === left ? 1 : 0, grid_line_color: scene.palette.line, grid_line_alpha: .5 }), "center");
    return figure;
  };

  // Bokeh knows of a series where its points are, for choosing them.
  const addSeries = (figure, data_source, value, size, visible) => {
    const glyph = new (one("Scatter"))({ x: { field: "x" }, y: { field: value }, size: { value: size } });
    const renderer = new (one("GlyphRenderer"))({ data_source, glyph, selection_glyph: glyph, nonselection_glyph: glyph, visible });
    figure.add_renderers(renderer);
    return renderer;
  };
  // A range about some values, at least so wide.
  const span = (values, least) => {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return [0, 1];
    const middle = (low + high) / 2, half = Math.max((high - low) * .56, least / 2);
    return [middle - half, middle + half];
  };
  return { one, makeFigure, addSeries, span };
});
