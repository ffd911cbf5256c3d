// Buffers: address by time. One pool (a kind of memory of one allocator) at a time.

function bufferPools(report) {
  const pools = [];
  for (const process of report.processes) {
    const line = process.timeline;
    if (!line) continue;
    const rows = line.pools.map(() => []);
    line.buffers.pool.forEach((pool, row) => rows[pool].push(row));
    line.pools.forEach((pool, number) => {
      if (!rows[number].length) return;
      const chips = pool.devices.length ? ` · chip${pool.devices.length > 1 ? "s" : ""} ${runsOf(pool.devices)}` : "";
      const label = `${processName(process)}${chips} · ${NAMES[pool.kind]} · ${grouped(rows[number].length)} buffers`;
      pools.push({ process, line, pool, rows: rows[number], label, last: lastMoment(process, report) });
    });
  }
  return pools;
}

// Colours of a process's ops: those with most bytes have distinct colours, the others have any.
function opColours(line) {
  const bytes = new Map();
  line.buffers.op.forEach((op, row) => bytes.set(op, (bytes.get(op) || 0) + line.buffers.bytes[row]));
  const order = [...bytes.keys()].filter((op) => op !== null).sort((one, other) => bytes.get(other) - bytes.get(one));
  return (op, shade) => {
    const rank = order.indexOf(op);
    return rank >= 0 && rank < HUES.length ? processColour(rank, shade) : opColour(line.ops[op], shade);
  };
}

// A pool as columns of numbers, by start, as the canvas needs them.
function bufferColumns({ line, rows, last }) {
  const { address, bytes, start_us: start, end_us: end, op, origin } = line.buffers;
  const sorted = [...rows].sort((one, other) => (start[one] ?? 0) - (start[other] ?? 0) || address[one] - address[other]);
  const columns = { count: sorted.length, rows: sorted, from: new Float64Array(sorted.length), to: new Float64Array(sorted.length), low: new Float64Array(sorted.length), high: new Float64Array(sorted.length), op: new Int32Array(sorted.length), least: Infinity, most: 0 };
  sorted.forEach((row, index) => {
    columns.from[index] = start[row] ?? line.from_us;
    columns.to[index] = end[row] ?? last;
    columns.low[index] = address[row];
    columns.high[index] = address[row] + bytes[row];
    columns.op[index] = op[row] ?? -1;
    columns.least = Math.min(columns.least, columns.low[index]);
    columns.most = Math.max(columns.most, columns.high[index]);
  });
  columns.describe = (index) => {
    const row = sorted[index];
    const name = line.ops[op[row]] || "no op known";
    const lasted = end[row] === null ? "not freed" : `freed after ${span(end[row] - (start[row] ?? line.from_us))}`;
    const began = start[row] === null ? "allocated before the first event that is left" : `allocated at ${since(start[row])}`;
    const what = origin[row] === "tensor" ? "" : ` (${origin[row]})`;
    return { name: name + what, lines: [`${size(bytes[row])}/bank at ${addressText(address[row])}`, began, lasted] };
  };
  return columns;
}

function bufferSection(host, report, marks) {
  const pools = bufferPools(report);
  if (!pools.length) return;
  const choice = element("select", { "aria-label": "whose buffers", onchange: () => choose(+choice.value) }, pools.map((pool, number) => element("option", { value: number }, pool.label)));
  const canvas = element("canvas", { tabindex: 0, role: "application", "aria-roledescription": "picture of buffers", "aria-describedby": "buffer-detail buffer-keys" });
  const legend = element("ul", { class: "legend" });
  const detail = element("div", { class: "detail", id: "buffer-detail", "aria-live": "polite" });
  host.append(element("div", { class: "head" }, element("h2", {}, "Buffers by address and time"), choice), canvas, detail, legend,
    element("p", { class: "hint", id: "buffer-keys" }, "Each box is a buffer: as long as it lived, as high as its bytes in a bank. Keys: ←→ by time, ↑↓ by address, + − 0 to zoom, Escape to let go. Choose an op to see only its buffers."));
  let [columns, only, cut, colourOf] = [null, null, "", null];
  const plot = { selected: null, hot: -1, held: -1 };

  function choose(number) {
    columns = bufferColumns(pools[number]);
    colourOf = opColours(pools[number].line);
    [only, plot.hot, plot.held] = [null, -1, -1];
    const { line, pool } = pools[number];
    cut = line.is_cut ? " Events of the beginning are overwritten: what was freed before is not shown." : "";
    if (line.of > line.buffers.pool.length) cut += ` The largest ${grouped(line.buffers.pool.length)} of ${grouped(line.of)} buffers are shown.`;
    canvas.setAttribute("aria-label", `${columns.count} ${NAMES[pool.kind]} buffers by address and time`);
    drawLegend();
    describe();
    plot.draw();
  }

  function drawLegend() {
    const bytes = new Map();
    for (let index = 0; index < columns.count; index++) bytes.set(columns.op[index], (bytes.get(columns.op[index]) || 0) + columns.high[index] - columns.low[index]);
    const ops = [...bytes].sort((one, other) => other[1] - one[1]).slice(0, 14);
    const names = pools[+choice.value || 0].line.ops;
    legend.replaceChildren(...ops.map(([op]) => {
      const act = () => { only = only === op ? null : op; drawLegend(); plot.draw(); };
      return element("li", {}, element("button", { type: "button", "aria-pressed": only === op, onclick: act }, swatch(colourOf(op, PAGE_SHADE)), names[op] || "no op known"));
    }));
  }

  function describe() {
    const index = plot.held >= 0 ? plot.held : plot.hot;
    if (index < 0) { detail.replaceChildren(element("span", { class: "muted" }, `${grouped(columns.count)} buffers.${cut}`)); return; }
    const { name, lines } = columns.describe(index);
    detail.replaceChildren(element("b", {}, name), ` · ${lines.join(" · ")}`);
  }

  // The boxes are drawn once for a stretch of time; what follows the pointer is drawn over a copy of them.
  const scene = element("canvas");
  let drawn = "";
  const vertical = (area) => {
    const room = Math.max((columns.most - columns.least) * 0.03, 1);
    const [least, most] = [Math.max(0, columns.least - room), columns.most + room];
    return { least, most, y: (address) => area.bottom - ((address - least) / (most - least)) * (area.bottom - area.top) };
  };
  plot.draw = () => {
    if (!columns || !canvas.clientWidth) return;
    const { pen, area, width, height } = fitted(canvas);
    const { least, most, y } = vertical(area);
    const wanted = [canvas.width, canvas.height, view.from, view.to, view.max, only, choice.value, theme.card].join();
    if (wanted !== drawn) {
      const began = performance.now();
      [scene.width, scene.height, drawn] = [canvas.width, canvas.height, wanted];
      const brush = scene.getContext("2d");
      brush.setTransform(pen.getTransform());
      brush.font = pen.font;
      drawAxes({ pen: brush, area, width, height }, least, most, y);
      clipped(brush, area, () => { drawBoxes(brush, area, y); drawMarksOf(brush, area); });
      canvas.dataset.drawMs = (performance.now() - began).toFixed(2);
    }
    pen.drawImage(scene, 0, 0, width, height);
    clipped(pen, area, () => { drawHeld(pen, area, y); drawSelection(pen, area, plot.selected); });
  };

  function drawAxes({ pen, area, width, height }, least, most, y) {
    const [step] = byteTicks(most - least, 6).slice(1);
    for (let address = Math.ceil(least / step) * step; address <= most; address += step) {
      pen.strokeStyle = theme.grid;
      pen.beginPath(); pen.moveTo(area.left, y(address)); pen.lineTo(area.right, y(address)); pen.stroke();
      pen.fillStyle = theme.muted; pen.textAlign = "right"; pen.textBaseline = "middle";
      pen.fillText(`0x${address.toString(16)}`, area.left - area.fold - 8, y(address));
    }
    drawTimeAxis({ pen, area, width, height });
    drawFold({ pen, area });
  }

  function drawBoxes(pen, area, y) {
    const names = pools[+choice.value || 0].line.ops;
    const colours = new Map();
    const last = lastAt(columns.from, view.to);
    for (let index = 0; index <= last; index++) {
      if (columns.to[index] < view.from) continue;
      const op = columns.op[index];
      if (!colours.has(op)) colours.set(op, colourOf(op));
      const box = boxOf(index, area, y);
      pen.globalAlpha = only === null || only === op ? 1 : 0.12;
      pen.fillStyle = colours.get(op);
      // A gap tells neighbours apart.
      const [beside, above] = [box[2] > 4 ? 0.8 : 0, box[3] > 3 ? 0.8 : 0];
      pen.fillRect(box[0], box[1], box[2] - beside, box[3] - above);
      if (box[2] > 70 && box[3] > 15) {
        pen.fillStyle = theme.card; pen.textAlign = "left"; pen.textBaseline = "middle";
        const from = Math.max(box[0], area.left) + 6;
        const text = names[op] || "";
        const room = Math.floor((box[0] + box[2] - from) / 6.6);
        pen.fillText(text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text, from, box[1] + box[3] / 2);
      }
    }
    pen.globalAlpha = 1;
  }

  function drawHeld(pen, area, y) {
    const index = plot.held >= 0 ? plot.held : plot.hot;
    if (index >= 0) { pen.strokeStyle = theme.text; pen.lineWidth = 2; pen.strokeRect(...boxOf(index, area, y)); pen.lineWidth = 1; }
  }

  const boxOf = (index, area, y) => {
    const [left, right, top] = [area.x(columns.from[index]), area.x(columns.to[index]), y(columns.high[index])];
    return [left, top, Math.max(right - left, 1), Math.max(y(columns.low[index]) - top, 1)];
  };

  function drawMarksOf(pen, area) {
    for (const mark of marks.filter((mark) => mark.alarm)) {
      const x = area.x(mark.at);
      pen.strokeStyle = theme.alarm;
      pen.beginPath(); pen.moveTo(x, area.top); pen.lineTo(x, area.bottom); pen.stroke();
    }
  }

  function found(x, y) {
    const area = areaOf(canvas);
    const vertically = vertical(area).y;
    let best = -1;
    for (let index = 0; index <= lastAt(columns.from, area.time(x + 1)); index++) {
      const [left, top, wide, high] = boxOf(index, area, vertically);
      const hit = x >= left - 1 && x <= left + wide + 1 && y >= top - 1 && y <= top + high + 1;
      if (hit && (best < 0 || columns.high[index] - columns.low[index] <= columns.high[best] - columns.low[best])) best = index;
    }
    return best;
  }
  plot.hover = (x, y, event) => {
    plot.hot = found(x, y);
    describe();
    plot.draw();
    if (plot.hot < 0) return hideTip();
    const { name, lines } = columns.describe(plot.hot);
    showTip(event.clientX, event.clientY, [element("b", {}, name), ...lines.map((line) => element("div", { class: "muted" }, line))]);
  };
  plot.leave = () => { plot.hot = -1; describe(); plot.draw(); };
  plot.pick = (x, y) => { plot.held = found(x, y); describe(); };

  // The next buffer by time, or by address among those that live at the same moment.
  function step(key) {
    if (!columns.count) return;
    if (plot.held < 0) plot.held = Math.max(0, lastAt(columns.from, view.from));
    else if (key === "ArrowRight") plot.held = Math.min(columns.count - 1, plot.held + 1);
    else if (key === "ArrowLeft") plot.held = Math.max(0, plot.held - 1);
    else {
      const now = columns.from[plot.held];
      const up = key === "ArrowUp";
      let best = -1;
      for (let index = 0; index < columns.count; index++) {
        const beyond = up ? columns.low[index] > columns.low[plot.held] : columns.low[index] < columns.low[plot.held];
        if (!beyond || columns.from[index] > now || columns.to[index] < now) continue;
        if (best < 0 || (up ? columns.low[index] < columns.low[best] : columns.low[index] > columns.low[best])) best = index;
      }
      if (best >= 0) plot.held = best;
    }
    const [from, to] = [columns.from[plot.held], columns.to[plot.held]];
    if (from > view.to || to < view.from) view.show(from - (view.to - view.from) / 2, from + (view.to - view.from) / 2);
    describe();
    plot.draw();
  }
  plot.key = (event) => {
    if (event.key.startsWith("Arrow")) return () => step(event.key);
    if (event.key === "Escape") return () => { plot.held = -1; describe(); plot.draw(); };
    return null;
  };
  interactive(canvas, plot);
  choose(0);
}
