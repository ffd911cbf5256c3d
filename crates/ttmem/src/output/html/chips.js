// The chips of the live page: one row each, to be sorted, with the last minutes of each memory.

const reading = (chip, name) => (chip.telemetry[name] && chip.telemetry[name].value !== undefined ? chip.telemetry[name].value : null);
const inUse = (chip, kind) => (chip.memory[kind].used.value === undefined ? null : chip.memory[kind].used.value);
const capacityOf = (chip, kind) => {
  const total = kind === "l1" && chip.memory.l1_total.capacity.value;
  return total || chip.memory[kind].capacity.value || null;
};
const shareOf = (chip, kind) => (inUse(chip, kind) === null || !capacityOf(chip, kind) ? null : inUse(chip, kind) / capacityOf(chip, kind));

const CHIP_COLUMNS = [
  { title: "chip", value: (chip) => chip.index },
  { title: "board", value: (chip) => chip.board || chip.arch || "" },
  { title: "temperature", right: true, falls: true, value: (chip) => reading(chip, "asic_temperature_c"), limit: (chip) => reading(chip, "asic_temperature_limit_c"), unit: " °C" },
  { title: "power", right: true, falls: true, value: (chip) => reading(chip, "power_w"), limit: (chip) => reading(chip, "power_limit_w"), unit: " W" },
  { title: "DRAM", falls: true, kind: "dram", value: (chip) => shareOf(chip, "dram") },
  { title: "L1", falls: true, kind: "l1", value: (chip) => shareOf(chip, "l1") },
  { title: "owners", value: (chip, snapshot) => ownersOf(chip, snapshot) },
];

function ownersOf(chip, snapshot) {
  const names = chip.owners.pids.map((pid) => { const found = snapshot.processes.find((process) => process.pid === pid); return found ? `${found.name} ${pid}` : `${pid}`; });
  const outside = chip.owners.outside_namespace;
  if (outside.value > 0) names.push("outside the namespace");
  return names.length ? names.join(", ") : outside.value === undefined && !chip.remote ? "?" : "";
}

// The memory of a chip over time, on the scale of its capacity.
function sparkline(canvas, used, capacity) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [88, 20];
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = theme.grid; pen.fillRect(0, 0, width, height);
  const last = used.slice(-width);
  pen.fillStyle = theme.accent;
  last.forEach((bytes, column) => { const high = bytes && capacity ? Math.max(1, Math.min(1, bytes / capacity) * height) : 0; pen.fillRect(width - last.length + column, height - high, 1, high); });
}

function chipCell(column, chip, snapshot, series) {
  const value = column.value(chip, snapshot);
  if (column.kind) {
    if (inUse(chip, column.kind) === null) return element("span", { class: "muted", title: chip.memory[column.kind].used.detail || "" }, "–");
    const line = series.chips.find((other) => other.id === chip.id);
    const kind = line && line.kinds.find((other) => other.kind === column.kind);
    const canvas = element("canvas", { class: "spark", "aria-hidden": "true" });
    sparkline(canvas, kind ? kind.used : [], capacityOf(chip, column.kind));
    return [canvas, element("span", { class: "number" }, ` ${size(inUse(chip, column.kind))}${value === null ? "" : ` ${percent(inUse(chip, column.kind), capacityOf(chip, column.kind))}`}`)];
  }
  if (value === null) return element("span", { class: "muted" }, "–");
  if (!column.unit) return String(value);
  const limit = column.limit(chip);
  return element("span", { class: limit && value >= limit ? "bad" : limit && value >= limit * 0.9 ? "warn" : null }, `${Math.round(value)}${limit ? ` / ${Math.round(limit)}` : ""}${column.unit}`);
}

// Returns a function that shows a snapshot.
function chipsSection(host) {
  const order = { column: CHIP_COLUMNS[0], turned: false };
  let shown = null;
  const heads = CHIP_COLUMNS.map((column) => element("th", { scope: "col", class: column.right ? "right" : null }, element("button", { type: "button", class: "sort", onclick: () => { order.turned = order.column === column && !order.turned; order.column = column; draw(); } }, column.title)));
  const body = element("tbody");
  host.append(element("div", { class: "head" }, element("h2", {}, "Chips")),
    element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "chips" }, element("table", {}, element("thead", {}, element("tr", {}, heads)), body)));

  function compare(one, other) {
    const [first, second] = [one, other].map((chip) => order.column.value(chip, shown.snapshot));
    if (first === null || second === null) return (first === null) - (second === null);
    const by = typeof first === "string" ? first.localeCompare(second) : first - second;
    return (Boolean(order.column.falls) !== order.turned ? -by : by) || one.index - other.index;
  }
  function draw() {
    if (!shown) return;
    heads.forEach((head, number) => {
      const sorted = CHIP_COLUMNS[number] === order.column;
      if (sorted) head.setAttribute("aria-sort", Boolean(order.column.falls) !== order.turned ? "descending" : "ascending"); else head.removeAttribute("aria-sort");
    });
    const { snapshot, series } = shown;
    body.replaceChildren(...[...snapshot.chips].sort(compare).map((chip) => element("tr", {}, CHIP_COLUMNS.map((column) => element("td", { class: column.right ? "right number" : null }, chipCell(column, chip, snapshot, series))))));
  }
  return (snapshot, series) => { shown = { snapshot, series }; draw(); };
}
