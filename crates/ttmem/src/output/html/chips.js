// The chips: one row each, to be sorted, with each memory over time; a row shows its chip in the charts.

const reading = (chip, name) => (chip.telemetry[name] && chip.telemetry[name].value !== undefined ? chip.telemetry[name].value : null);
const muted = (text, title) => element("span", { class: "muted", title: title || null }, text);

// A finding or event names its chip by id, or by index where the id is not known.
const isAbout = (item, chip) => (item.chip ? item.chip === chip.id : item.chip_index === chip.index);

// The rows of a snapshot. Every row is { id, index, board, group, tray, temperature, power, dram, l1, owners, findings }.
function chipsNow(snapshot, panels) {
  return snapshot.chips.map((chip) => {
    const own = panels.filter((panel) => panel.count === 1 && panel.numbers[0] === chip.index);
    const id = own.length ? own[0].id : `chip ${chip.index}`;
    const amount = (kind) => {
      const { used, capacity } = chip.memory[kind];
      const total = kind === "l1" && chip.memory.l1_total.capacity.value;
      return { panel: own.find((panel) => panel.kind === kind), bytes: used.value ?? null, capacity: total || capacity.value || null, why: used.detail };
    };
    const limited = (value, limit) => ({ value: reading(chip, value), limit: reading(chip, limit) });
    const findings = snapshot.findings.filter((finding) => isAbout(finding, chip) && finding.severity !== "info").map((finding) => ({ text: finding.text, name: finding.id, alarm: finding.severity === "error" }));
    return {
      id, index: chip.index, board: chip.board || chip.arch || "", group: own.length ? own[0].group : null, tray: own.length ? own[0].tray : null,
      temperature: limited("asic_temperature_c", "asic_temperature_limit_c"), power: limited("power_w", "power_limit_w"),
      dram: amount("dram"), l1: amount("l1"), owners: ownersOf(chip, snapshot), findings,
    };
  });
}

// The rows of recordings: of everything the most there was.
function chipsOfReport(report, panels) {
  return (report.recordings || []).flatMap((recording, index) => recording.series.chips.map((chip, number) => {
    // Two chips may have one index, one after the other.
    const id = `${index}:${number}`;
    const own = panels.filter((panel) => panel.id === id);
    const amount = (kind) => {
      const panel = own.find((panel) => panel.kind === kind);
      return { panel, bytes: panel ? mostOf(panel) : null, capacity: panel ? panel.capacity : null };
    };
    const owners = new Set(own.flatMap((panel) => panel.shares.filter((share) => share.bytes.some((bytes) => bytes > 0)).map((share) => share.label)));
    const alarms = recording.events.filter((event) => isAbout(event, chip) && ["finding-appeared", "chip-vanished", "failure"].includes(event.kind));
    const findings = [...new Map(alarms.map((event) => [event.text, { text: event.text, name: event.kind === "finding-appeared" ? event.text.split(":")[0] : event.kind, alarm: event.kind !== "finding-appeared" }])).values()];
    const limited = (most) => ({ value: most?.most ?? null, limit: most?.limit ?? null });
    return { id, index: chip.index, board: chip.board || chip.arch || "", group: own.length ? own[0].group : null, tray: own.length ? own[0].tray : null, temperature: limited(chip.temperature_c), power: limited(chip.power_w), dram: amount("dram"), l1: amount("l1"), owners: [...owners].join(", "), findings };
  }));
}

function ownersOf(chip, snapshot) {
  const names = chip.owners.pids.map((pid) => { const found = snapshot.processes.find((process) => process.pid === pid); return found ? `${found.name} ${pid}` : `${pid}`; });
  const outside = chip.owners.outside_namespace;
  if (outside.value > 0) names.push("outside the namespace");
  return names.length ? names.join(", ") : outside.value === undefined && !chip.remote ? "?" : "";
}

// The memory of a chip over all time, on the scale of its capacity: of each pixel the most.
const SPARK = [88, 20];
function sparkline(canvas, { panel, capacity }) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = SPARK;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = theme.grid;
  pen.fillRect(0, 0, width, height);
  if (!panel) return;
  pen.fillStyle = theme.accent;
  const area = { x: (time) => ((time - view.min) / (view.max - view.min)) * width };
  for (const [left, right, column] of seenColumns({ ...panel, from: view.min, to: view.max }, area, scale)) {
    const bytes = panel.used[column];
    const high = bytes ? Math.max(1, Math.min(1, bytes / capacity) * height) : 0;
    pen.fillRect(left / scale, height - high, (right - left) / scale, high);
  }
}

function memoryCell(amount) {
  if (amount.bytes === null) return muted("–", amount.why);
  // Without a capacity there is no scale.
  const canvas = amount.capacity ? element("canvas", { class: "spark", "aria-hidden": "true" }) : "";
  if (canvas) sparkline(canvas, amount);
  return [canvas, element("span", { class: "number" }, ` ${size(amount.bytes)} ${percent(amount.bytes, amount.capacity)}`)];
}

function limitedCell({ value, limit }, unit) {
  if (value === null) return muted("–");
  return element("span", { class: limit && value >= limit ? "bad" : limit && value >= limit * 0.9 ? "warn" : null }, `${Math.round(value)}${limit ? ` / ${Math.round(limit)}` : ""} ${unit}`);
}

// The chips of a tray or board together; a sum over some of them says over how many.
function groupText(name, rows) {
  const sum = (of) => { const known = rows.map(of).filter((value) => value !== null); return { known: known.length, value: known.reduce((one, other) => one + other, 0) }; };
  const memory = (kind) => {
    const [used, capacity] = [sum((row) => row[kind].bytes), sum((row) => row[kind].capacity)];
    // The capacity of some chips is not that of all.
    const share = capacity.known === rows.length ? ` ${percent(used.value, capacity.value)}` : "";
    return used.known ? `${NAMES[kind]} ${size(used.value)}${used.known === rows.length ? share : ` of ${used.known} chip${used.known > 1 ? "s" : ""}`}` : null;
  };
  const power = sum((row) => row.power.value);
  const hottest = Math.max(...rows.map((row) => row.temperature.value ?? -Infinity));
  const parts = [`${rows.length} chips`, memory("dram"), memory("l1"),
    power.known ? `${Math.round(power.value)} W${power.known === rows.length ? "" : ` of ${power.known} chip${power.known > 1 ? "s" : ""}`}` : null,
    hottest > -Infinity ? `at most ${Math.round(hottest)} °C` : null];
  return [element("b", {}, name), ` ${parts.filter(Boolean).join(" · ")}`];
}

const shareOf = ({ bytes, capacity }) => (bytes === null || !capacity ? null : bytes / capacity);
const CHIP_COLUMNS = [
  { title: "chip", value: (row) => row.index },
  { title: "DRAM", falls: true, value: (row) => shareOf(row.dram), cell: (row) => memoryCell(row.dram) },
  { title: "L1", falls: true, value: (row) => shareOf(row.l1), cell: (row) => memoryCell(row.l1) },
  { title: "temperature", right: true, falls: true, value: (row) => row.temperature.value, cell: (row) => limitedCell(row.temperature, "°C") },
  { title: "power", right: true, falls: true, value: (row) => row.power.value, cell: (row) => limitedCell(row.power, "W") },
  { title: "owners", value: (row) => row.owners },
  { title: "findings", falls: true, value: (row) => row.findings.length, cell: (row) => row.findings.map((finding) => element("span", { class: finding.alarm ? "bad finding" : "warn finding", title: finding.text }, finding.name)) },
  { title: "tray", value: (row) => row.tray },
  { title: "board", value: (row) => row.board },
];

// Returns { show(rows), mark(id) }: rows as above, and which of them is shown alone.
function chipsSection(host, title, select) {
  const order = { column: CHIP_COLUMNS[0], turned: false };
  let [shown, marked, columns] = [[], null, []];
  const rows = new Map();
  const head = element("tr");
  const body = element("tbody");
  host.append(element("div", { class: "head" }, element("h2", {}, title), element("span", { class: "muted" }, "a chip's name shows its charts")),
    element("div", { class: "scroll high", tabindex: 0, role: "group", "aria-label": "chips" }, element("table", {}, element("thead", {}, head), body)));

  function compare(one, other) {
    const [first, second] = [one, other].map(order.column.value);
    if (first === null || second === null) return (first === null) - (second === null) || one.index - other.index;
    const by = typeof first === "string" ? first.localeCompare(second) : first - second;
    return (Boolean(order.column.falls) !== order.turned ? -by : by) || one.index - other.index;
  }
  const sort = (column) => { order.turned = order.column === column && !order.turned; order.column = column; draw(); };
  // A column without any value is left out.
  function drawHead() {
    const wanted = CHIP_COLUMNS.filter((column) => column.title !== "tray" || shown.some((row) => row.tray !== null));
    if (wanted.length !== columns.length) {
      columns = wanted;
      head.replaceChildren(...columns.map((column) => element("th", { scope: "col", class: column.right ? "right" : null }, element("button", { type: "button", class: "sort", onclick: () => sort(column) }, column.title))));
      rows.clear();
    }
    columns.forEach((column, number) => {
      if (column === order.column) head.cells[number].setAttribute("aria-sort", Boolean(column.falls) !== order.turned ? "descending" : "ascending");
      else head.cells[number].removeAttribute("aria-sort");
    });
  }
  // Rows stay while the numbers in them change, so that the focus does.
  function rowOf(chip) {
    if (!rows.has(chip.id)) {
      const name = element("button", { type: "button", class: "link number", onclick: (event) => { event.stopPropagation(); select(chip.id); } }, String(chip.index));
      const row = element("tr", { onclick: () => { if (!String(getSelection())) select(chip.id); } }, columns.map((column, number) => element("td", { class: column.right ? "right number" : null }, number ? null : name)));
      rows.set(chip.id, row);
    }
    const row = rows.get(chip.id);
    row.className = chip.id === marked ? "chosen" : "";
    row.querySelector("button").setAttribute("aria-pressed", String(chip.id === marked));
    row.querySelector("button").setAttribute("aria-label", `chip ${chip.index}: show its charts`);
    columns.slice(1).forEach((column, number) => {
      const value = column.value(chip);
      row.cells[number + 1].replaceChildren(...[column.cell ? column.cell(chip) : value === null ? muted("–") : String(value)].flat());
    });
    return row;
  }
  // By number and by tray the chips of a group are one after the other, below a row of their sums.
  function groupRows(sorted) {
    if (new Set(sorted.map((chip) => chip.group)).size < 2 || !["chip", "tray"].includes(order.column.title)) return sorted.map(rowOf);
    return [...new Set(sorted.map((chip) => chip.group))].flatMap((group) => {
      const of = sorted.filter((chip) => chip.group === group);
      const key = `group ${group}`;
      if (!rows.has(key)) rows.set(key, element("tr", { class: "group" }, element("td", { colspan: columns.length }, element("div"))));
      rows.get(key).cells[0].firstChild.replaceChildren(...groupText(group || "other chips", of));
      return [rows.get(key), ...of.map(rowOf)];
    });
  }
  function draw() {
    drawHead();
    const wanted = groupRows([...shown].sort(compare));
    if (wanted.length === body.rows.length && wanted.every((row, number) => body.rows[number] === row)) return;
    const focus = body.contains(document.activeElement) ? document.activeElement : null;
    body.replaceChildren(...wanted);
    if (focus && body.contains(focus)) focus.focus({ preventScroll: true });
  }
  return {
    show(next) { shown = next; draw(); },
    mark(id) { marked = id; draw(); },
  };
}
