// Memory over time: one panel a chip, processes stacked, what agents saw between the samples as a line.

// What a report's recordings and agents tell of each chip and kind.
function memoryPanels(report) {
  const panels = new Map();
  const panel = (id, kind, label, order) => {
    const key = `${id}/${kind}`;
    if (!panels.has(key)) panels.set(key, { key, id, kind, label, order, capacity: null, times: [], used: [], shares: [], lines: [], peak: null });
    return panels.get(key);
  };
  for (const [place, recording] of (report.recordings || []).entries()) {
    const { times_us: times, processes, chips } = recording.series;
    for (const chip of chips) {
      const board = chip.board || chip.arch || "";
      for (const kind of chip.kinds) {
        const made = panel(`${place}:${chip.id}`, kind.kind, `chip ${chip.index} ${board}`.trim(), place * 1e4 + chip.index);
        Object.assign(made, { chip: chip.id, region: chip.region, capacity: kind.capacity, times, used: kind.used, peak: { bytes: kind.peak, at: kind.peak_us } });
        made.shares = kind.shares.map((share) => ({ number: share.process, label: `${processes[share.process].name} ${processes[share.process].pid}`, bytes: share.bytes }));
        made.end = recording.to_us;
      }
    }
  }
  for (const [number, process] of report.processes.entries()) {
    for (const pool of (process.timeline || { pools: [] }).pools) {
      const known = [...panels.values()].filter((made) => made.chip && made.kind === pool.kind && (pool.chips.includes(made.chip) || pool.chips.includes(made.region)));
      const own = () => {
        const chips = pool.devices.length > 1 ? `chips ${pool.devices.join(", ")}, each` : `chip ${pool.devices[0] ?? "?"}`;
        const made = panel(`process ${number}:${pool.devices.join()}`, pool.kind, `${processName(process)} · ${chips}`, 1e6 + number);
        if (pool.bank_bytes) made.capacity = pool.bank_bytes * pool.banks;
        return [made];
      };
      for (const made of known.length ? known : own()) {
        made.lines.push({ number, label: processName(process), ops: process.timeline.ops, ...pool.steps, from: process.timeline.from_us, to: process.timeline.to_us, goesOn: process.end === "running" });
      }
    }
  }
  return [...panels.values()].sort((one, other) => one.order - other.order);
}

// Where nothing happened after the last event, what was held is still held while the process runs.
const endOf = (line) => (line.goesOn ? view.max : Math.max(line.to, line.from));

const processName = (process) => `${process.name || "process"} ${process.pid}`;

const mostOf = (panel) => {
  let most = 0;
  for (const used of panel.used) if (used > most) most = used;
  for (const line of panel.lines) for (const bytes of line.bytes) if (bytes > most) most = bytes;
  return most;
};

// Panels are as high as the capacity, so that they compare and 8 % does not look full; or as high as what they show.
const memoryScale = { whole: true };

// A panel with its canvas. `marks` are { at, text, alarm } on the axis of time.
function memoryPlot(panel, marks) {
  const canvas = element("canvas", { tabindex: 0, role: "img", "aria-label": `${NAMES[panel.kind]} of ${panel.label} over time` });
  const facts = element("span", { class: "muted number" });
  const host = element("div", { class: "panel" }, element("div", { class: "head" }, element("h3", {}, panel.label), facts), canvas);
  const plot = { selected: null, cursor: null };

  plot.facts = () => {
    const most = Math.max(mostOf(panel), panel.peak ? panel.peak.bytes : 0);
    const share = panel.capacity ? ` of ${size(panel.capacity)} (${percent(most, panel.capacity)})` : "";
    facts.textContent = `at most ${size(most)}${share}`;
    canvas.setAttribute("aria-label", `${NAMES[panel.kind]} of ${panel.label} over time, ${facts.textContent}`);
  };

  plot.draw = () => {
    if (!canvas.clientWidth) return;
    const { pen, area, width, height } = fitted(canvas);
    const most = Math.max(mostOf(panel), 1) * 1.06;
    const shown = panel.capacity && (memoryScale.whole || most > panel.capacity / 2) ? Math.max(most, panel.capacity * 1.02) : most;
    const y = (bytes) => area.bottom - (bytes / shown) * (area.bottom - area.top);
    plot.y = y;
    for (const tick of byteTicks(shown, Math.max(2, (area.bottom - area.top) / 44))) {
      pen.strokeStyle = theme.grid;
      pen.beginPath(); pen.moveTo(area.left, y(tick)); pen.lineTo(area.right, y(tick)); pen.stroke();
      pen.fillStyle = theme.muted; pen.textAlign = "right"; pen.textBaseline = "middle";
      pen.fillText(size(tick), area.left - 8, y(tick));
    }
    drawTimeAxis({ pen, area, width, height });
    clipped(pen, area, () => { drawStack(pen, area, y); drawLines(pen, area, y); drawMarks(pen, area); drawSelection(pen, area, plot.selected); });
    if (panel.capacity && shown > panel.capacity) {
      pen.strokeStyle = theme.alarm; pen.setLineDash([5, 4]);
      pen.beginPath(); pen.moveTo(area.left, y(panel.capacity)); pen.lineTo(area.right, y(panel.capacity)); pen.stroke();
      pen.setLineDash([]);
    }
    if (plot.cursor !== null) {
      pen.strokeStyle = theme.muted;
      pen.beginPath(); pen.moveTo(plot.cursor, area.top); pen.lineTo(plot.cursor, area.bottom); pen.stroke();
    }
  };

  function drawStack(pen, area, y) {
    const { times, used, shares } = panel;
    if (!times.length) return;
    const first = Math.max(0, lastAt(times, view.from));
    const scale = pen.getTransform().a;
    const end = (column) => (column + 1 < times.length ? times[column + 1] : Math.max(panel.end || 0, times[column]));
    const base = new Float64Array(times.length);
    const band = (heights, colour) => {
      pen.fillStyle = colour;
      for (let column = first; column < times.length && times[column] <= view.to; column++) {
        const bytes = heights(column);
        if (!bytes) continue;
        // Edges on whole pixels leave no seams.
        const [left, right] = [Math.round(area.x(times[column]) * scale) / scale, Math.round(area.x(end(column)) * scale) / scale];
        pen.fillRect(left, y(base[column] + bytes), Math.max(right - left, 1), y(base[column]) - y(base[column] + bytes));
        base[column] += bytes;
      }
    };
    for (const share of shares) band((column) => share.bytes[column], processColour(share.number));
    band((column) => Math.max(0, (used[column] || 0) - base[column]), theme.line);
  }

  function drawLines(pen, area, y) {
    for (const line of panel.lines) {
      const only = !panel.times.length;
      const path = () => {
        let level = 0;
        pen.moveTo(area.x(line.from), y(0));
        for (let step = 0; step < line.at_us.length; step++) {
          const x = area.x(line.at_us[step]);
          pen.lineTo(x, y(level)); pen.lineTo(x, y(line.bytes[step]));
          level = line.bytes[step];
        }
        pen.lineTo(area.x(endOf(line)), y(level));
      };
      if (only) {
        pen.beginPath(); path(); pen.lineTo(area.x(endOf(line)), y(0)); pen.closePath();
        pen.globalAlpha = 0.28; pen.fillStyle = processColour(line.number); pen.fill(); pen.globalAlpha = 1;
      }
      pen.strokeStyle = only ? processColour(line.number) : theme.text;
      pen.lineWidth = only ? 1.6 : 1;
      pen.beginPath(); path(); pen.stroke();
      pen.lineWidth = 1;
    }
  }

  function drawMarks(pen, area) {
    for (const mark of marks) {
      const x = area.x(mark.at);
      if (x < area.left - 1 || x > area.right + 1) continue;
      pen.strokeStyle = mark.alarm ? theme.alarm : theme.muted;
      pen.globalAlpha = mark.alarm ? 0.9 : 0.35;
      pen.setLineDash(mark.alarm ? [] : [2, 3]);
      pen.beginPath(); pen.moveTo(x, area.top); pen.lineTo(x, area.bottom); pen.stroke();
      pen.setLineDash([]); pen.globalAlpha = 1;
    }
  }

  plot.at = (time) => {
    const lines = [element("b", {}, since(time)), element("span", { class: "muted" }, `  ${clock(time)}`)];
    const column = lastAt(panel.times, time);
    if (column >= 0) {
      for (const share of panel.shares) if (share.bytes[column]) lines.push(tipLine(processColour(share.number), share.label, size(share.bytes[column])));
      const used = panel.used[column];
      lines.push(tipLine(null, "in use", used === null || used === undefined ? "not known" : size(used)));
    }
    for (const line of panel.lines) {
      const step = lastAt(line.at_us, time);
      if (step < 0 || time > endOf(line)) continue;
      const op = line.ops[line.op[step]];
      lines.push(tipLine(panel.times.length ? null : processColour(line.number), `${line.label}, as its agent saw it${op ? `, after ${op}` : ""}`, size(line.bytes[step])));
    }
    const close = (view.to - view.from) / 150;
    for (const mark of marks) if (Math.abs(mark.at - time) < close) lines.push(element("div", { class: mark.alarm ? "bad" : "muted" }, mark.text));
    return lines;
  };
  plot.hover = (x, y, event) => {
    const area = areaOf(canvas);
    plot.cursor = x >= area.left && x <= area.right ? x : null;
    plot.draw();
    if (plot.cursor === null) hideTip(); else showTip(event.clientX, event.clientY, plot.at(area.time(x)));
  };
  plot.leave = () => { plot.cursor = null; plot.draw(); };
  plot.key = (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return null;
    return () => {
      const area = areaOf(canvas);
      const step = ((area.right - area.left) / 60) * (event.key === "ArrowLeft" ? -1 : 1);
      plot.cursor = Math.max(area.left, Math.min(area.right, (plot.cursor ?? (area.left + area.right) / 2) + step));
      const box = canvas.getBoundingClientRect();
      plot.draw();
      showTip(box.left + plot.cursor, box.top + 30, plot.at(area.time(plot.cursor)));
    };
  };
  canvas.addEventListener("blur", () => { hideTip(); plot.leave(); });
  plot.facts();
  plot.stop = interactive(canvas, plot);
  plot.host = host;
  return plot;
}

// The section with its tabs. Returns a function that redraws it with new data.
function memorySection(host, report, marks) {
  let panels = memoryPanels(report);
  let [kind, plots] = [null, []];
  const tabs = element("div", { class: "tabs", role: "group", "aria-label": "kind of memory" });
  const place = element("div", { class: "panels" });
  const legend = element("ul", { class: "legend" });
  const all = element("button", { type: "button", onclick: () => view.all() }, "reset zoom");
  const fit = element("button", { type: "button", "aria-pressed": "false", onclick: () => { memoryScale.whole = !memoryScale.whole; fit.setAttribute("aria-pressed", String(!memoryScale.whole)); plots.forEach((plot) => plot.draw()); } }, "fit to data");
  host.append(element("div", { class: "head" }, element("h2", {}, "Memory over time"), tabs, element("span", { class: "space" }), all, fit), place, legend,
    element("p", { class: "hint" }, "Drag to zoom, double-click to reset. Keys: ←→ to read, + − 0 to zoom, PageUp and PageDown to move."));
  view.watchers.add(() => { all.disabled = view.isWhole(); });

  function choose(next) {
    kind = next;
    plots.forEach((plot) => plot.stop());
    const busy = panels.filter((panel) => panel.kind === kind && (mostOf(panel) > 0 || panel.peak));
    const some = busy.filter((panel) => mostOf(panel) > 0);
    plots = (some.length ? some : busy).map((panel) => memoryPlot(panel, marks));
    place.className = plots.length > 1 ? "panels many" : "panels";
    place.replaceChildren(...plots.map((plot) => plot.host));
    for (const tab of tabs.children) tab.setAttribute("aria-pressed", tab.dataset.kind === kind);
    drawLegend();
    plots.forEach((plot) => plot.draw());
    all.disabled = view.isWhole();
  }
  function drawLegend() {
    const names = new Map();
    for (const panel of panels.filter((panel) => panel.kind === kind)) {
      for (const part of panel.times.length ? panel.shares : panel.lines) {
        if (part.bytes.some((bytes) => bytes > 0)) names.set(part.label, processColour(part.number));
      }
    }
    const seen = panels.some((panel) => panel.kind === kind && panel.times.length && panel.lines.some((line) => line.at_us.length));
    const line = swatch(theme.text);
    line.classList.add("line");
    legend.replaceChildren(...[...names].slice(0, 24).map(([label, colour]) => element("li", {}, swatch(colour), label)), ...(seen ? [element("li", {}, line, "exact (agent)")] : []));
  }
  function kinds() {
    const used = Object.keys(NAMES).filter((name) => panels.some((panel) => panel.kind === name && mostOf(panel) > 0));
    return used.length ? used : [...new Set(panels.map((panel) => panel.kind))].slice(0, 1);
  }
  function redraw(next) {
    const before = kinds().join();
    const fresh = next ? memoryPanels(next) : panels;
    if (next && fresh.map((panel) => panel.key).join() === panels.map((panel) => panel.key).join()) {
      // The pictures stay, with the focus and the pointer on them.
      panels.forEach((panel, number) => Object.assign(panel, fresh[number]));
      if (kinds().join() === before) {
        plots.forEach((plot) => { plot.facts(); plot.draw(); });
        return drawLegend();
      }
    } else {
      panels = fresh;
    }
    const there = kinds();
    tabs.replaceChildren(...there.map((name) => element("button", { type: "button", "data-kind": name, onclick: () => choose(name) }, NAMES[name])));
    if (there.length) choose(there.includes(kind) ? kind : there[0]);
    else place.replaceChildren(element("p", { class: "muted" }, "Nothing is known of any memory."));
  }
  redraw(null);
  return redraw;
}
