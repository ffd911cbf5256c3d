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
  sorted.forEach((row, place) => {
    columns.from[place] = start[row] ?? line.from_us;
    columns.to[place] = end[row] ?? last;
    columns.low[place] = address[row];
    columns.high[place] = address[row] + bytes[row];
    columns.op[place] = op[row] ?? -1;
    columns.least = Math.min(columns.least, columns.low[place]);
    columns.most = Math.max(columns.most, columns.high[place]);
  });
  columns.describe = (place) => {
    const row = sorted[place];
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
    for (let place = 0; place < columns.count; place++) bytes.set(columns.op[place], (bytes.get(columns.op[place]) || 0) + columns.high[place] - columns.low[place]);
    const ops = [...bytes].sort((one, other) => other[1] - one[1]).slice(0, 14);
    const names = pools[+choice.value || 0].line.ops;
    legend.replaceChildren(...ops.map(([op]) => {
      const act = () => { only = only === op ? null : op; drawLegend(); plot.draw(); };
      return element("li", {}, element("button", { type: "button", "aria-pressed": only === op, onclick: act }, swatch(colourOf(op, PAGE_SHADE)), names[op] || "no op known"));
    }));
  }

  function describe() {
    const place = plot.held >= 0 ? plot.held : plot.hot;
    if (place < 0) { detail.replaceChildren(element("span", { class: "muted" }, `${grouped(columns.count)} buffers.${cut}`)); return; }
    const { name, lines } = columns.describe(place);
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
    for (let place = 0; place <= last; place++) {
      if (columns.to[place] < view.from) continue;
      const op = columns.op[place];
      if (!colours.has(op)) colours.set(op, colourOf(op));
      const box = boxOf(place, area, y);
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
    const place = plot.held >= 0 ? plot.held : plot.hot;
    if (place >= 0) { pen.strokeStyle = theme.text; pen.lineWidth = 2; pen.strokeRect(...boxOf(place, area, y)); pen.lineWidth = 1; }
  }

  const boxOf = (place, area, y) => {
    const [left, right, top] = [area.x(columns.from[place]), area.x(columns.to[place]), y(columns.high[place])];
    return [left, top, Math.max(right - left, 1), Math.max(y(columns.low[place]) - top, 1)];
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
    for (let place = 0; place <= lastAt(columns.from, area.time(x + 1)); place++) {
      const [left, top, wide, high] = boxOf(place, area, vertically);
      const hit = x >= left - 1 && x <= left + wide + 1 && y >= top - 1 && y <= top + high + 1;
      if (hit && (best < 0 || columns.high[place] - columns.low[place] <= columns.high[best] - columns.low[best])) best = place;
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
      for (let place = 0; place < columns.count; place++) {
        const beyond = up ? columns.low[place] > columns.low[plot.held] : columns.low[place] < columns.low[plot.held];
        if (!beyond || columns.from[place] > now || columns.to[place] < now) continue;
        if (best < 0 || (up ? columns.low[place] < columns.low[best] : columns.low[place] > columns.low[best])) best = place;
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
