// Memory over time: areas of processes on each other, of each chip, of one, or of several together.

// Charts are as high as the capacity, so that they compare and 8 % does not look full; or as high as what they show.
const memoryScale = { whole: true };

// A process has one colour on the page.
const shareColours = new Map();
function shareColour(label, shade) {
  if (!shareColours.has(label)) shareColours.set(label, shareColours.size);
  return processColour(shareColours.get(label), shade);
}

// The top of the charts: one for all, so that they compare.
function scaleOf(panels) {
  const most = Math.max(1, ...panels.map(mostOf)) * 1.06;
  const capacity = Math.max(0, ...panels.map((panel) => panel.capacity || 0));
  return capacity && (memoryScale.whole || most > capacity / 2) ? Math.max(most, capacity * 1.02) : most;
}

// The columns that are seen, as [left, right, column] in pixels of the screen: where several begin in one pixel, the
// highest of them, then the last.
function seenColumns({ times, used, end, from = view.from, to = view.to }, area, scale) {
  const runs = [];
  const pixel = (time) => Math.round(area.x(time) * scale);
  const until = (column) => (column + 1 < times.length ? times[column + 1] : Math.max(end || 0, times[column]));
  let column = Math.max(0, lastAt(times, from));
  while (column < times.length && times[column] <= to) {
    const left = pixel(times[column]);
    let [highest, last] = [column, column];
    while (last + 1 < times.length && pixel(times[last + 1]) <= left) { last++; if ((used[last] ?? -1) > (used[highest] ?? -1)) highest = last; }
    const right = Math.max(pixel(until(last)), left + 1);
    if (highest !== last) runs.push([left, left + 1, highest]);
    if (highest === last || right > left + 1) runs.push([highest === last ? left : left + 1, right, last]);
    column = last + 1;
  }
  return runs;
}

// A chart with its canvas. `marks` are { at, text, alarm } on the axis of time; `choose` is called with a click on its title.
function memoryPlot(panel, { marks, small, choose, scale }) {
  const canvas = element("canvas", { tabindex: 0, class: small ? "small" : null, role: "application", "aria-roledescription": "chart" });
  const facts = element("span", { class: "muted number" });
  const title = choose ? element("button", { type: "button", class: "link", onclick: choose, title: `${panel.label} alone` }, small ? panel.short : panel.label) : panel.label;
  const host = element("div", { class: "panel" }, element("div", { class: "head" }, element("h4", {}, title), facts), canvas);
  const plot = { panel, selected: null, cursor: null, host };

  plot.facts = () => {
    const most = mostOf(panel);
    const share = panel.capacity ? ` of ${size(panel.capacity)} (${percent(most, panel.capacity)})` : "";
    facts.textContent = small ? `${size(most)}${panel.capacity ? ` ${percent(most, panel.capacity)}` : ""}` : `at most ${size(most)}${share}`;
    canvas.setAttribute("aria-label", `${NAMES[panel.kind]} of ${panel.label} over time, at most ${size(most)}${share}`);
  };

  plot.draw = () => {
    if (!canvas.clientWidth) return;
    const { pen, area, width, height } = fitted(canvas);
    const shown = scale();
    const y = (bytes) => area.bottom - (bytes / shown) * (area.bottom - area.top);
    if (small) { pen.fillStyle = theme.grid; pen.fillRect(area.left, area.top, area.right - area.left, area.bottom - area.top); }
    else { drawByteAxis(pen, area, shown, y); drawTimeAxis({ pen, area, width, height }); }
    drawFold({ pen, area });
    clipped(pen, area, () => { drawStack(pen, area, y); drawMarks(pen, area); drawSelection(pen, area, plot.selected); });
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

  function drawByteAxis(pen, area, shown, y) {
    pen.fillStyle = theme.muted; pen.strokeStyle = theme.grid; pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const tick of byteTicks(shown, Math.max(2, (area.bottom - area.top) / 44))) {
      pen.beginPath(); pen.moveTo(area.left, y(tick)); pen.lineTo(area.right, y(tick)); pen.stroke();
      pen.fillText(size(tick), area.left - area.fold - 8, y(tick));
    }
  }

  function drawStack(pen, area, y) {
    const scale = pen.getTransform().a;
    const runs = seenColumns(panel, area, scale);
    const base = new Float64Array(runs.length);
    const band = (bytesOf, colour) => {
      pen.fillStyle = colour;
      runs.forEach(([left, right, column], number) => {
        const bytes = bytesOf(column, number);
        if (!(bytes > 0)) return;
        // Edges on whole pixels leave no seams.
        pen.fillRect(left / scale, y(base[number] + bytes), (right - left) / scale, y(base[number]) - y(base[number] + bytes));
        base[number] += bytes;
      });
    };
    for (const share of panel.shares) band((column) => share.bytes[column], shareColour(share.label));
    band((column, number) => (panel.used[column] || 0) - base[number], theme.muted);
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
      for (const share of panel.shares) {
        const level = share.level && !panel.which ? share.level : null;
        const step = level && time < level.last ? lastAt(level.times, time) : -1;
        if (!share.bytes[column] && step < 0) continue;
        const op = step >= 0 && level.ops[step] ? `, after ${level.ops[step]}` : "";
        lines.push(tipLine(shareColour(share.label), `${share.label}${step >= 0 ? ` by its events${op}` : ""}`, size(share.bytes[column])));
      }
      const used = panel.used[column];
      lines.push(tipLine(null, panel.which && panel.which[column] ? `in use on ${panel.which[column]}` : "in use", used === null || used === undefined ? "not known" : size(used)));
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
      spoken.textContent = tip.innerText;
    };
  };
  canvas.addEventListener("blur", () => { hideTip(); plot.leave(); });
  plot.facts();
  plot.stop = interactive(canvas, plot);
  return plot;
}

// The ways to look at the chips of a kind. Each makes charts of panels; the first is the one of few chips.
const MANY_CHIPS = 8;
const MEMORY_WAYS = {
  each: { title: "each chip", of: (panels) => panels },
  sum: { title: "sum", of: (panels) => [together(panels, `all ${panels.reduce((sum, panel) => sum + panel.count, 0)} chips together`, false)] },
  fullest: { title: "maximum", of: (panels) => [together(panels, "the fullest chip of each moment", true)] },
  groups: { title: "per board", of: (panels) => groupNames(panels).map((group) => together(panels.filter((panel) => panel.group === group), group || "other chips", false)) },
  one: { title: "chip", of: (panels, chosen) => panels.filter((panel) => panel.id === chosen) },
};
const groupNames = (panels) => [...new Set(panels.map((panel) => panel.group))];
