// Draws what is in #data. Everything that comes from run files becomes text, never markup.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);

const words = {
  en: {
    title: n => n === 1 ? "Run " + data.runs[0].run : n + " runs compared",
    language: "Language", theme: "Colours", auto: "as the system", light: "light", dark: "dark",
    summary: "What differs, and how far each came",
    seedsNote: "Runs that differ in their seed alone are one line: mean ± standard deviation.",
    textNote: "These runs were not, or not surely, evaluated on the same text: their losses do not compare.",
    run: "run", seeds: "seeds", parameters: "parameters", step: "step", tokens: "tokens", time: "time",
    bestStep: "best step", nats: "nats/token", character: "nats/character", byte: "bits/byte",
    curves: "Loss by", steps: "steps", seconds: "time (s)", x: "across", xLog: "scale across", yLog: "scale of loss",
    linear: "linear", log: "logarithmic", smoothing: "smoothing", show: "show", training: "training", validation: "validation",
    loss: "loss, nats per token", nothing: "There is nothing to draw.", at: "at",
    hint: "Point at the curves, or focus them and press the arrow keys, to read values. Solid and thick: validation; thin: training; bands: the spread of seeds.",
    samples: "Samples side by side", sampleStep: "up to step", none: "No sample yet at this step.",
    options: "All options",
  },
  zh: {
    title: n => n === 1 ? "训练 " + data.runs[0].run : "比较 " + n + " 次训练",
    language: "语言", theme: "配色", auto: "跟随系统", light: "浅色", dark: "深色",
    summary: "差异与结果",
    seedsNote: "仅随机种子不同的训练合为一行：均值 ± 标准差。",
    textNote: "这些训练未必在同一文本上评估，因此损失不可比较。",
    run: "训练", seeds: "种子数", parameters: "参数量", step: "步", tokens: "词元", time: "时间",
    bestStep: "最佳步", nats: "奈特/词元", character: "奈特/字符", byte: "比特/字节",
    curves: "损失曲线，横轴为", steps: "步数", seconds: "时间（秒）", x: "横轴", xLog: "横轴刻度", yLog: "损失刻度",
    linear: "线性", log: "对数", smoothing: "平滑", show: "显示", training: "训练", validation: "验证",
    loss: "损失（奈特/词元）", nothing: "没有可绘制的数据。", at: "位于",
    hint: "将指针移到曲线上，或选中曲线后按方向键，即可读取数值。粗线为验证，细线为训练，色带为种子间的标准差。",
    samples: "样本对照", sampleStep: "截至第几步", none: "此步尚无样本。",
    options: "全部选项",
  },
};

// Colours that colour-blind people tell apart (after Okabe and Ito), then the same with dashes.
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#999933"];
const dashes = ["", "7 3", "2 3"];

const state = {
  language: words[data.language] ? data.language
    : (navigator.languages || [navigator.language || "en"]).some(l => /^zh/i.test(l)) ? "zh" : "en",
  theme: "auto", x: "step", xLog: false, yLog: false, smoothing: 0,
  training: true, validation: true, hidden: new Set(), sort: {column: null, down: false}, sampleStep: Infinity,
};
const say = key => words[state.language][key];

// --- elements ---
function make(space, name, attributes, children) {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}
const el = (name, attributes, ...children) => make(null, name, attributes, children);
const svg = (name, attributes, ...children) => make("http://www.w3.org/2000/svg", name, attributes, children);

// A row of buttons of which one is pressed: that of state[name].
function choice(name, options) {
  return el("span", {class: "choice", role: "group", "aria-label": say(name)}, el("span", {}, say(name)),
    ...options.map(([value, text]) => el("button",
      {type: "button", "data-key": name + " " + value, "aria-pressed": String(value === state[name]),
       onclick: () => { state[name] = value; draw(); }}, text)));
}

// --- numbers ---
const mean = values => values.reduce((a, b) => a + b, 0) / values.length;
function deviation(values) {
  if (values.length < 2) return 0;
  const m = mean(values);
  return Math.sqrt(values.reduce((a, b) => a + (b - m) ** 2, 0) / (values.length - 1));
}
const digits = value => value === undefined || value === null ? "-" : value.toFixed(4);
function duration(seconds) {
  const s = Math.round(seconds);
  if (s >= 3600) return Math.floor(s / 3600) + "h" + String(Math.floor(s / 60) % 60).padStart(2, "0") + "m";
  return s >= 60 ? Math.floor(s / 60) + "m" + String(s % 60).padStart(2, "0") + "s" : s + "s";
}
function optionText(value) {
  if (value === undefined || value === null || value === "") return "-";
  if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  return typeof value === "string" ? value : JSON.stringify(value);
}

// --- groups: runs that differ in their seed alone ---
const keysOfGroups = data.differing.filter(key => key !== "seed");
const groups = data.groups.map((members, i) => {
  const runs = members.map(k => data.runs[k]);
  const bests = runs.filter(run => run.best).map(run => run.best);
  const of = key => bests.map(best => best[key]).filter(value => value !== undefined);
  return {
    runs, colour: colours[i % colours.length], dash: dashes[Math.floor(i / colours.length) % dashes.length],
    name: runs.length === 1 ? runs[0].run : runs[0].run + " × " + runs.length,
    options: runs[0].options, parameters: runs[0].parameters,
    step: Math.max(...runs.map(run => run.step)), tokens: Math.max(...runs.map(run => run.tokens || 0)),
    time: mean(runs.map(run => run.elapsed_s)),
    best: {step: of("step"), nats: of("val_loss"), character: of("val_nats_per_character"), byte: of("val_bits_per_byte")},
  };
});

// A run's column at a step, between the points around it; undefined outside of them.
function valueAt(curve, column, step) {
  const steps = curve.step;
  if (!steps.length || step < steps[0] || step > steps[steps.length - 1]) return undefined;
  let low = 0, high = steps.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle; else high = middle;
  }
  const [from, to] = [curve[column][low], curve[column][high]], width = steps[high] - steps[low];
  return width === 0 ? to : from + (to - from) * (step - steps[low]) / width;
}

// The mean over a group's runs, at the steps of the one with the most points.
function curveOf(group, kind) {
  const all = group.runs.map(run => run[kind]).filter(curve => curve.step.length);
  if (!all.length) return [];
  const longest = all.reduce((a, b) => b.step.length > a.step.length ? b : a);
  return longest.step.map((step, i) => {
    if (all.length === 1)
      return {step, tokens: longest.tokens[i], time: longest.time[i], y: longest.loss[i], spread: 0};
    const at = column => all.map(curve => valueAt(curve, column, step)).filter(value => value !== undefined);
    const losses = at("loss");
    return {step, tokens: mean(at("tokens")), time: mean(at("time")), y: mean(losses), spread: deviation(losses)};
  });
}
for (const group of groups) {
  group.training = curveOf(group, "training");
  group.validation = curveOf(group, "validation");
}

// Exponential mean, corrected for its beginning.
function smoothed(points, weight) {
  if (weight === 0) return points;
  let sum = 0, spread = 0, norm = 0;
  return points.map(point => {
    sum = weight * sum + (1 - weight) * point.y;
    spread = weight * spread + (1 - weight) * point.spread;
    norm = weight * norm + (1 - weight);
    return {...point, y: sum / norm, spread: spread / norm};
  });
}

// --- the table ---
// Losses compare on one text, and those per token with one vocabulary.
function isMarked(key) {
  return groups.length > 1 && data.same_text && (key !== "nats" || !data.differing.includes("model.vocab_size"));
}

// Columns: heading, what is sorted by, what is shown, whether the lowest is marked.
function columns() {
  const measure = key => ({
    key, heading: say(key), lowest: isMarked(key),
    value: group => group.best[key].length ? mean(group.best[key]) : undefined,
    cell: group => {
      const values = group.best[key];
      if (!values.length) return ["-"];
      if (values.length === 1) return [digits(values[0])];
      return [digits(mean(values)), el("span", {class: "spread"}, " ± " + digits(deviation(values)))];
    },
  });
  const plain = (key, value, text) => ({key, heading: say(key), value, cell: group => [text(value(group))]});
  return [
    plain("run", group => group.name, String),
    ...keysOfGroups.map(key => ({key: "option " + key, heading: key, value: group => group.options[key],
                                 cell: group => [optionText(group.options[key])], differs: true})),
    measure("nats"), measure("character"), measure("byte"),
    plain("bestStep", group => group.best.step.length ? Math.round(mean(group.best.step)) : undefined,
          value => value === undefined ? "-" : String(value)),
    plain("step", group => group.step, String),
    plain("tokens", group => group.tokens, value => value ? String(value) : "-"),
    plain("time", group => group.time, duration),
    plain("parameters", group => group.parameters, String),
  ];
}

function compareValues(a, b) {
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, {numeric: true});
}

function sortedGroups(all) {
  const measured = ["character", "nats"].map(key => all.find(column => column.key === key))
    .find(column => groups.every(group => column.value(group) !== undefined));
  const chosen = all.find(column => column.key === state.sort.column);
  const by = chosen || (data.same_text ? measured : null);
  if (!by) return groups;
  const sign = chosen && state.sort.down ? -1 : 1;
  return [...groups].sort((a, b) => {
    const [x, y] = [by.value(a), by.value(b)];
    return x === undefined || y === undefined ? compareValues(x, y) : sign * compareValues(x, y);
  });
}

function headingCell(column) {
  const sorted = state.sort.column === column.key;
  const press = () => { state.sort = {column: column.key, down: sorted && !state.sort.down}; draw(); };
  return el("th", {scope: "col", "aria-sort": sorted ? (state.sort.down ? "descending" : "ascending") : "none"},
            el("button", {type: "button", "data-key": "sort " + column.key, onclick: press}, column.heading));
}

function drawSummary() {
  const all = columns();
  const lowest = new Map(all.filter(column => column.lowest).map(column =>
    [column, Math.min(...groups.map(column.value).filter(value => value !== undefined))]));
  const rows = sortedGroups(all).map(group => el("tr", {}, ...all.map((column, i) => {
    const isBest = lowest.has(column) && column.value(group) === lowest.get(column);
    return el(i ? "td" : "th", {class: isBest ? "best" : column.differs ? "differs" : false, scope: i ? false : "row"},
              ...column.cell(group));
  })));
  document.getElementById("summary").replaceChildren(
    el("h2", {id: "summary-heading"}, say("summary")),
    el("div", {class: "scroll"}, el("table", {},
      el("thead", {}, el("tr", {}, ...all.map(headingCell))), el("tbody", {}, ...rows))),
    groups.some(group => group.runs.length > 1) ? el("p", {class: "note"}, say("seedsNote")) : "",
    data.same_text ? "" : el("p", {class: "note"}, say("textNote")));
}

// --- curves ---
const box = {width: 960, height: 420, left: 62, right: 14, top: 12, bottom: 42};
const inner = {width: box.width - box.left - box.right, height: box.height - box.top - box.bottom};

// Visible curves with the points that the scales can show.
function visibleCurves() {
  const curves = [];
  groups.forEach((group, index) => {
    if (state.hidden.has(index)) return;
    for (const kind of ["training", "validation"]) {
      if (!state[kind]) continue;
      const points = (kind === "training" ? smoothed(group[kind], state.smoothing) : group[kind])
        .map(point => ({...point, x: point[state.x]}))
        .filter(point => (!state.xLog || point.x > 0) && (!state.yLog || point.y > 0));
      if (points.length) curves.push({group, kind, points});
    }
  });
  return curves;
}

function range(values, isLog) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low === high) return isLog ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  if (isLog) return [low, high];
  const margin = (high - low) * 0.03;
  return [low - margin, high + margin];
}

// Maps a value to 0..1 and says which lines of a grid to draw.
function scaleOf([low, high], isLog) {
  const f = isLog ? Math.log10 : value => value;
  const [a, b] = [f(low), f(high)];
  return {place: value => (f(Math.max(value, isLog ? low : -Infinity)) - a) / (b - a), ticks: isLog ? logTicks(low, high) : linearTicks(low, high)};
}
function linearTicks(low, high) {
  const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(k => k * power).find(k => k >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high && ticks.length < 20; ++k) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}
function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power)
    for (const k of [1, 2, 5]) ticks.push(Number((k * 10 ** power).toPrecision(12)));
  const inside = ticks.filter(tick => tick >= low && tick <= high);
  if (inside.length < 3) return linearTicks(low, high).filter(tick => tick > 0);
  return inside.length > 12 ? inside.filter(tick => /^1(e|0*$)|^0\.0*1$/.test(String(tick))) : inside;
}
function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return Number((value / 1e6).toPrecision(4)) + "M";
  if (size >= 1e4) return Number((value / 1e3).toPrecision(4)) + "k";
  return String(value);
}

const at = (scale, value, span, start) => (start + span * scale.place(value)).toFixed(1);
function pathOf(points, xs, y) {
  return points.map((point, i) => (i ? "L" : "M") + xs(point) + " " + y(point)).join("");
}

function drawChart(curves) {
  const xScale = scaleOf(range(curves.flatMap(c => c.points.map(p => p.x)), state.xLog), state.xLog);
  const yScale = scaleOf(range(curves.flatMap(c => c.points.map(p => p.y)), state.yLog), state.yLog);
  const x = value => at(xScale, value, inner.width, box.left);
  const y = value => at(yScale, value, -inner.height, box.top + inner.height);
  const clamp = value => Math.min(box.top + inner.height, Math.max(box.top, Number(y(value)))).toFixed(1);
  const grid = [
    ...xScale.ticks.flatMap(tick => [
      svg("line", {class: "grid", x1: x(tick), x2: x(tick), y1: box.top, y2: box.top + inner.height}),
      svg("text", {x: x(tick), y: box.height - 24, "text-anchor": "middle"}, tickText(tick))]),
    ...yScale.ticks.flatMap(tick => [
      svg("line", {class: "grid", x1: box.left, x2: box.left + inner.width, y1: y(tick), y2: y(tick)}),
      svg("text", {x: box.left - 6, y: Number(y(tick)) + 4, "text-anchor": "end"}, tickText(tick))]),
    svg("text", {x: box.left + inner.width / 2, y: box.height - 6, "text-anchor": "middle"}, say({step: "steps", tokens: "tokens", time: "seconds"}[state.x])),
    svg("text", {x: 14, y: box.top + inner.height / 2, "text-anchor": "middle", transform: "rotate(-90 14 " + (box.top + inner.height / 2) + ")"}, say("loss")),
    svg("rect", {class: "frame", x: box.left, y: box.top, width: inner.width, height: inner.height})];
  const bands = curves.filter(c => c.group.runs.length > 1).map(c => svg("path", {
    class: "band", fill: c.group.colour,
    d: pathOf(c.points, p => x(p.x), p => clamp(p.y + p.spread)) +
       pathOf([...c.points].reverse(), p => x(p.x), p => clamp(p.y - p.spread)).replace("M", "L") + "Z"}));
  const lines = curves.map(c => c.points.length > 1
    ? svg("path", {class: "curve " + c.kind, stroke: c.group.colour, "stroke-dasharray": c.group.dash || false,
                   opacity: c.kind === "training" && state.validation && c.group.validation.length ? 0.55 : false,
                   d: pathOf(c.points, p => x(p.x), p => y(p.y))})
    : svg("circle", {fill: c.group.colour, r: 3.5, cx: x(c.points[0].x), cy: y(c.points[0].y)}));
  const chart = svg("svg", {class: "chart", viewBox: "0 0 " + box.width + " " + box.height, role: "img", tabindex: "0", "aria-label": say("loss")},
                    ...grid, ...bands, ...lines);
  addReading(chart, curves, x);
  return chart;
}

// The point whose x is nearest; points are in the order of their x.
function nearest(points, value) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x <= value) low = middle; else high = middle;
  }
  return Math.abs(points[low].x - value) <= Math.abs(points[high].x - value) ? points[low] : points[high];
}

// What the curves have where one points, below the chart.
function addReading(chart, curves, x) {
  const all = [...new Set(curves.flatMap(c => c.points.map(p => p.x)))].sort((a, b) => a - b);
  const cursor = svg("line", {class: "cursor", y1: box.top, y2: box.top + inner.height, visibility: "hidden"});
  chart.append(cursor);
  const places = all.map(value => Number(x(value)));
  let place = all.length - 1;
  const read = value => {
    cursor.setAttribute("visibility", "visible");
    cursor.setAttribute("x1", x(value));
    cursor.setAttribute("x2", x(value));
    const rows = curves.filter(c => value >= c.points[0].x && value <= c.points[c.points.length - 1].x)
      .map(c => ({c, point: nearest(c.points, value)})).sort((a, b) => a.point.y - b.point.y)
      .map(({c, point}) => el("tr", {}, el("th", {scope: "row"}, swatch(c.group), " " + c.group.name), el("td", {}, say(c.kind)),
        el("td", {}, digits(point.y) + (c.group.runs.length > 1 ? " ± " + digits(point.spread) : "")),
        el("td", {}, say("step") + " " + point.step), el("td", {}, point.tokens ? Math.round(point.tokens) + " " + say("tokens") : ""),
        el("td", {}, duration(point.time))));
    document.getElementById("readout").replaceChildren(el("table", {}, el("tbody", {}, ...rows)));
  };
  chart.addEventListener("pointermove", event => {
    const rectangle = chart.getBoundingClientRect();
    if (!rectangle.width) return;
    const wanted = (event.clientX - rectangle.left) * box.width / rectangle.width;
    place = places.reduce((best, at, i) => Math.abs(at - wanted) < Math.abs(places[best] - wanted) ? i : best, 0);
    read(all[place]);
  });
  chart.addEventListener("keydown", event => {
    const move = {ArrowLeft: -1, ArrowRight: 1, Home: -all.length, End: all.length}[event.key];
    if (!move) return;
    event.preventDefault();
    place = Math.min(all.length - 1, Math.max(0, place + move));
    read(all[place]);
  });
}

function swatch(group) {
  return svg("svg", {class: "swatch", viewBox: "0 0 22 8", "aria-hidden": "true"},
    svg("line", {x1: 0, x2: 22, y1: 4, y2: 4, stroke: group.colour, "stroke-width": 3, "stroke-dasharray": group.dash || false}));
}

function controls() {
  const scales = [[false, say("linear")], [true, say("log")]];
  const kinds = ["training", "validation"].map(kind => el("label", {},
    el("input", {type: "checkbox", checked: state[kind], onchange: event => { state[kind] = event.target.checked; draw(); }}), " " + say(kind)));
  const slider = el("input", {type: "range", min: 0, max: 0.99, step: 0.01, value: state.smoothing, "aria-label": say("smoothing"),
                              oninput: event => { state.smoothing = Number(event.target.value); drawFigure(); }});
  return el("div", {class: "controls"},
    choice("x", [["step", say("steps")], ["tokens", say("tokens")], ["time", say("time")]]),
    choice("xLog", scales),
    choice("yLog", scales),
    el("span", {class: "choice"}, el("span", {}, say("show")), ...kinds),
    el("label", {class: "choice"}, el("span", {}, say("smoothing")), slider));
}

function legend() {
  return el("ul", {class: "legend"}, ...groups.map((group, i) => el("li", {}, el("label", {},
    el("input", {type: "checkbox", checked: !state.hidden.has(i), onchange: event => {
      if (event.target.checked) state.hidden.delete(i); else state.hidden.add(i);
      drawFigure();
    }}), swatch(group), group.name))));
}

// The curves alone: a slider that moves must stay the same element.
function drawFigure() {
  const curves = visibleCurves();
  document.getElementById("figure").replaceChildren(
    curves.length ? drawChart(curves) : el("p", {class: "note"}, say("nothing")),
    el("div", {class: "readout", id: "readout"}, el("p", {class: "note"}, say("hint"))));
}

function drawCurves() {
  document.getElementById("curves").replaceChildren(
    el("h2", {id: "curves-heading"}, say("curves") + " " + say({step: "steps", tokens: "tokens", time: "time"}[state.x])),
    controls(), legend(), el("figure", {id: "figure"}));
  drawFigure();
}

// --- samples ---
function drawSamples() {
  const section = document.getElementById("samples");
  const steps = [...new Set(data.runs.flatMap(run => run.samples.map(sample => sample.step)))].sort((a, b) => a - b);
  if (!steps.length) return section.replaceChildren();
  const current = steps.includes(state.sampleStep) ? state.sampleStep : steps[steps.length - 1];
  const select = el("select", {onchange: event => { state.sampleStep = Number(event.target.value); drawSamples(); }},
    ...steps.map(step => el("option", {value: step, selected: step === current}, String(step))));
  const articles = data.runs.filter(run => run.samples.length).map(run => {
    const sample = run.samples.filter(candidate => candidate.step <= current).pop();
    return el("article", {}, el("h3", {}, run.run + (sample ? " · " + say("step") + " " + sample.step : "")),
              sample ? el("pre", {}, sample.text) : el("p", {class: "note"}, say("none")));
  });
  section.replaceChildren(el("h2", {id: "samples-heading"}, say("samples")),
    el("div", {class: "controls"}, el("label", {class: "choice"}, el("span", {}, say("sampleStep")), select)),
    el("div", {class: "texts"}, ...articles));
}

// --- all options, those that differ first ---
function drawOptions() {
  const others = [...new Set(data.runs.flatMap(run => Object.keys(run.options)))].filter(key => !data.differing.includes(key));
  const rows = [...data.differing, ...others].map(key => el("tr", {}, el("th", {scope: "row"}, key),
    ...data.runs.map(run => el("td", {class: data.differing.includes(key) ? "differs" : false}, optionText(run.options[key])))));
  const open = document.querySelector("#options details");
  document.getElementById("options").replaceChildren(el("details", {open: Boolean(open && open.open)},
    el("summary", {id: "options-heading"}, say("options")),
    el("div", {class: "scroll"}, el("table", {},
      el("thead", {}, el("tr", {}, el("th", {}), ...data.runs.map(run => el("th", {scope: "col"}, run.run)))),
      el("tbody", {}, ...rows)))));
}

// --- everything ---
// Draws anew; the focus stays on the button that was pressed.
function draw() {
  const focused = document.activeElement && document.activeElement.getAttribute("data-key");
  document.documentElement.lang = state.language;
  if (state.theme === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", state.theme);
  const title = say("title")(data.runs.length);
  document.title = title;
  document.getElementById("title").textContent = title;
  document.getElementById("switches").replaceChildren(
    choice("language", [["en", "English"], ["zh", "中文"]]),
    choice("theme", ["auto", "light", "dark"].map(name => [name, say(name)])));
  drawSummary();
  drawCurves();
  drawSamples();
  drawOptions();
  for (const button of document.querySelectorAll("[data-key]"))
    if (focused && button.getAttribute("data-key") === focused) button.focus();
}
draw();
})();
