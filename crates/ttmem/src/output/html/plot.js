// What every picture needs: colours, sizes, times, the shared stretch of time, and the box beside the pointer.

const root = document.documentElement;
const NAMES = { dram: "DRAM", l1: "L1", l1_small: "L1_SMALL", trace: "trace", circular_buffers: "circular buffers", kernels: "kernels", reserved: "reserved" };
const HUES = [260, 50, 150, 305, 10, 215, 90, 125, 340, 185];

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  // Text only: nothing that a process calls itself becomes markup.
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

const theme = {};
function readTheme() {
  const style = getComputedStyle(root);
  for (const name of ["page", "card", "line", "grid", "text", "muted", "accent", "alarm", "notice", "select", "shade"]) {
    theme[name] = style.getPropertyValue(`--${name}`).trim();
  }
}
readTheme();

function hueOf(text) {
  let hash = 2166136261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  return ((hash >>> 8) % 360 + 360) % 360;
}
// Colours of one lightness, so that each is told from the page. The page's own follow the theme by themselves; a
// canvas is drawn again.
const PAGE_SHADE = "var(--shade)";
const processColour = (number, shade = theme.shade) => `oklch(${shade} 0.13 ${HUES[number % HUES.length]})`;
const opColour = (name, shade = theme.shade) => (name ? `oklch(${shade} 0.1 ${hueOf(name)})` : shade === PAGE_SHADE ? "var(--muted)" : theme.muted);

function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

// 1234567 as 1,234,567. The browser's own way loads its languages first, which takes longer than all else.
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1023.5 && unit < units.length - 1) { value /= 1024; unit++; }
  if (unit === 0) return `${bytes} B`;
  return `${value.toPrecision(value >= 1000 ? 4 : 3)} ${units[unit]}`;
}

function span(micros) {
  const sign = micros < 0 ? "-" : "";
  const us = Math.abs(micros);
  if (us < 1000) return `${sign}${Math.round(us)} µs`;
  if (us < 1e6) return `${sign}${+(us / 1e3).toPrecision(3)} ms`;
  if (us < 120e6) return `${sign}${+(us / 1e6).toPrecision(3)} s`;
  const seconds = Math.round(us / 1e6);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h >= 48) return `${sign}${Math.floor(h / 24)} d ${h % 24} h`;
  return h ? `${sign}${h} h ${String(m).padStart(2, "0")} min` : `${sign}${m} min ${String(s).padStart(2, "0")} s`;
}

function iso(us) {
  const date = new Date(us / 1000);
  return Number.isNaN(date.getTime()) ? "????-??-??T??:??:??.???" : date.toISOString();
}
// How long after the beginning, or before it.
const since = (us) => `${us < view.origin ? "" : "+"}${span(us - view.origin)}`;
const clock = (us) => iso(us).slice(-13).slice(0, 12);
const day = (us) => `${iso(us).slice(0, 19).replace("T", " ")} UTC`;
function percent(part, whole) {
  if (!whole) return "";
  const share = (part / whole) * 100;
  return share > 0 && share < 1 ? "<1 %" : `${Math.round(share)} %`;
}
// TT-Metal prints addresses as decimal numbers.
const hex = (address) => `0x${address.toString(16).padStart(8, "0")}`;
const addressText = (address) => `${hex(address)} (${grouped(address)})`;

// Numbers with runs drawn together, as in 0-3, 7.
function runsOf(numbers) {
  const runs = [];
  for (const number of [...numbers].sort((one, other) => one - other)) {
    const last = runs[runs.length - 1];
    if (last && number - last[1] <= 1) last[1] = number; else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}

// The stretch of time that all pictures show. A long beginning without memory, up to `quiet`, is folded unless it is
// asked for: then `min` is its end.
const view = {
  min: 0, max: 1, from: 0, to: 1, origin: 0, begin: 0, quiet: null, unfolded: false, watchers: new Set(), due: false,
  span(min, max, origin = min) {
    this.origin = origin;
    const follows = this.from === this.min && this.to === this.max;
    [this.begin, this.max] = [min, Math.max(max, min + 1000)];
    this.min = this.isFolded() ? this.quiet : min;
    if (follows || this.to <= this.min) [this.from, this.to] = [this.min, this.max];
    this.changed();
  },
  // `busy` is the first moment with memory, null if there is none. A short beginning is shown as it is.
  fold(busy) {
    const lead = busy === null ? 0 : (this.max - busy) * 0.03;
    const length = busy === null ? 0 : busy - lead - this.begin;
    this.quiet = length > Math.max(2e6, (this.max - this.begin) * 0.15) ? busy - lead : null;
    this.span(this.begin, this.max, this.origin);
  },
  isFolded() { return this.quiet !== null && !this.unfolded; },
  unfold(unfolded) {
    this.unfolded = unfolded;
    this.span(this.begin, this.max, this.origin);
    this.all();
  },
  show(from, to) {
    const least = Math.min(50, this.max - this.min);
    if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
    const width = Math.min(to - from, this.max - this.min);
    this.from = Math.max(this.min, Math.min(from, this.max - width));
    this.to = this.from + width;
    this.changed();
  },
  zoom(factor, at) {
    const middle = at === undefined ? (this.from + this.to) / 2 : at;
    this.show(middle - (middle - this.from) * factor, middle + (this.to - middle) * factor);
  },
  pan(share) { const by = (this.to - this.from) * share; this.show(this.from + by, this.to + by); },
  all() { this.show(this.min, this.max); },
  isWhole() { return this.from === this.min && this.to === this.max; },
  changed() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; for (const watcher of this.watchers) watcher(); });
  },
};

const tip = element("div", { class: "tip", hidden: true, role: "presentation" });
function showTip(x, y, children) {
  tip.replaceChildren(...children);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - box.width - 12 : x + 16;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - box.height - 6))}px`;
}
// What is read by key, for those who hear it.
const spoken = element("div", { class: "spoken", "aria-live": "polite" });
const hideTip = () => { tip.hidden = true; };
const tipLine = (colour, label, value) => element("div", {}, colour ? swatch(colour) : null, element("span", {}, label), element("span", { class: "number" }, value));

// Room for labels at the left of a canvas and below it; a small one has none.
const MARGIN = { left: 84, right: 10, top: 10, bottom: 24 };
const SMALL_MARGIN = { left: 1, right: 1, top: 3, bottom: 1 };
const isSmall = (canvas) => canvas.classList.contains("small");
// The width of the mark that stands for the folded beginning.
const FOLD = 18;

// A canvas as sharp as the screen.
function fitted(canvas) {
  const scale = Math.min(devicePixelRatio || 1, 3);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "11.5px system-ui, sans-serif";
  return { pen, area: areaOf(canvas), width, height };
}

function areaOf(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const margin = isSmall(canvas) ? SMALL_MARGIN : MARGIN;
  const fold = view.isFolded() && view.from === view.min ? FOLD : 0;
  const left = margin.left + fold;
  const area = { left, top: margin.top, right: Math.max(width - margin.right, left + 1), bottom: height - margin.bottom, fold };
  area.x = (time) => area.left + ((time - view.from) / (view.to - view.from)) * (area.right - area.left);
  area.time = (x) => view.from + ((x - area.left) / (area.right - area.left)) * (view.to - view.from);
  return area;
}

function timeTicks(from, to, count) {
  const rough = (to - from) / Math.max(count, 1);
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6, 120e6, 300e6, 600e6, 900e6, 1800e6, 3600e6, 7200e6, 14400e6, 43200e6, 86400e6];
  const step = steps.find((candidate) => candidate >= rough) || Math.ceil(rough / 86400e6) * 86400e6;
  const first = Math.ceil((from - view.origin) / step) * step + view.origin;
  const ticks = [];
  for (let tick = first; tick <= to && ticks.length < 40; tick += step) ticks.push(tick);
  return ticks;
}

function drawTimeAxis({ pen, area, height }) {
  pen.textBaseline = "alphabetic";
  for (const tick of timeTicks(view.from, view.to, (area.right - area.left) / 110)) {
    const x = area.x(tick);
    pen.strokeStyle = theme.grid;
    pen.beginPath(); pen.moveTo(x, area.top); pen.lineTo(x, area.bottom); pen.stroke();
    pen.fillStyle = theme.muted;
    pen.textAlign = x > area.right - 30 ? "right" : x < area.left + 20 ? "left" : "center";
    pen.fillText(tick === view.origin ? "start" : since(tick), x, height - 7);
  }
}

// The mark of the folded beginning: a torn stripe. The button in the head of the section says how long it is.
function drawFold({ pen, area }) {
  if (!area.fold) return;
  const [left, middle] = [area.left - area.fold, area.left - area.fold / 2];
  pen.fillStyle = theme.grid;
  pen.fillRect(left, area.top, area.fold - 2, area.bottom - area.top);
  pen.strokeStyle = theme.muted;
  pen.beginPath();
  for (let [y, side] = [area.top, -1]; y <= area.bottom; y += 5, side = -side) pen.lineTo(middle - 1 + side * 3, y);
  pen.stroke();
}

// Steps of a power of two, so that labels are round.
function byteTicks(most, count) {
  let step = 1;
  while (most / step > count) step *= 2;
  const ticks = [];
  for (let tick = 0; tick <= most; tick += step) ticks.push(tick);
  return ticks;
}

// Zooming and moving, by pointer and by key. A plot gives { draw, hover(x, y, event), leave, key(event) }.
function interactive(canvas, plot) {
  let pressed = null;
  const pointer = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pressed = { x: pointer(event)[0], now: pointer(event)[0] };
    try { canvas.setPointerCapture(event.pointerId); } catch { /* A pointer that is gone already. */ }
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = pointer(event);
    if (pressed) { pressed.now = x; plot.selected = Math.abs(pressed.now - pressed.x) > 4 ? [pressed.x, pressed.now] : null; plot.draw(); }
    plot.hover(x, y, event);
  });
  const release = (event) => {
    if (!pressed) return;
    const [from, to] = [Math.min(pressed.x, pressed.now), Math.max(pressed.x, pressed.now)];
    pressed = null;
    plot.selected = null;
    const area = areaOf(canvas);
    if (event.type === "pointerup" && to < area.left && from >= area.left - area.fold) view.unfold(true);
    else if (event.type === "pointerup" && to - from > 4) view.show(area.time(from), area.time(to));
    else if (event.type === "pointerup" && plot.pick) plot.pick(...pointer(event));
    plot.draw();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { hideTip(); plot.leave(); });
  canvas.addEventListener("dblclick", () => view.all());
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    view.zoom(Math.exp(event.deltaY / 240), areaOf(canvas).time(pointer(event)[0]));
    plot.draw();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "+": () => view.zoom(0.6), "=": () => view.zoom(0.6), "-": () => view.zoom(1 / 0.6), 0: () => view.all(), PageUp: () => view.pan(-0.8), PageDown: () => view.pan(0.8) };
    const act = (plot.key && plot.key(event)) || keys[event.key];
    if (!act) return;
    event.preventDefault();
    if (typeof act === "function") act();
  });
  view.watchers.add(plot.draw);
  new ResizeObserver(() => plot.draw()).observe(canvas);
  return () => view.watchers.delete(plot.draw);
}

function drawSelection(pen, area, selected) {
  if (!selected) return;
  pen.fillStyle = theme.select;
  pen.fillRect(selected[0], area.top, selected[1] - selected[0], area.bottom - area.top);
}

function clipped(pen, area, draw) {
  pen.save();
  pen.beginPath();
  pen.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
  pen.clip();
  draw();
  pen.restore();
}

// The last index of a sorted list that is not behind a value.
function lastAt(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] <= value) low = middle + 1; else high = middle; }
  return low - 1;
}
