// The section of memory over time: which kinds, which chips, and the charts of them.

// Returns { redraw(report), select(id), panels() }. `selected` is called with the id of the chip that is shown alone, or null.
function memorySection(host, report, marks, selected) {
  let panels = [];
  let [way, before, chosen, plots] = [null, null, null, []];
  const kinds = new Map();
  const toggles = element("div", { class: "tabs", role: "group", "aria-label": "kinds of memory" });
  const ways = element("div", { class: "tabs", role: "group", "aria-label": "chips" });
  const charts = element("div");
  const legend = element("ul", { class: "legend" });
  const basis = element("p", { class: "hint", id: "memory-basis" });
  const all = element("button", { type: "button", id: "reset-zoom", onclick: () => view.all() }, "reset zoom");
  const fit = element("button", { type: "button", "aria-pressed": "false", onclick: () => { memoryScale.whole = !memoryScale.whole; fit.setAttribute("aria-pressed", String(!memoryScale.whole)); plots.forEach((plot) => plot.draw()); } }, "fit to data");
  const fold = element("button", { type: "button", id: "fold", onclick: () => view.unfold(!view.unfolded) });
  host.append(element("div", { class: "head" }, element("h2", {}, "Memory over time"), toggles, ways, element("div", { class: "tabs end" }, fold, all, fit)), charts, legend, basis,
    element("p", { class: "hint" }, "Drag to zoom, double-click to reset. Keys: ←→ to read, + − 0 to zoom, PageUp and PageDown to move."));
  view.watchers.add(state);

  function state() {
    all.disabled = view.isWhole();
    fold.hidden = view.quiet === null;
    if (view.quiet === null) return;
    fold.setAttribute("aria-expanded", String(view.unfolded));
    fold.textContent = view.unfolded ? "fold the beginning" : `${span(view.quiet - view.begin)} without memory folded`;
  }

  // Chips that never held anything are not drawn beside others that did.
  function shownOf(kind) {
    const of = panels.filter((panel) => panel.kind === kind);
    const busy = of.filter((panel) => mostOf(panel) > 0);
    return way === "one" || !busy.length ? of : way === "each" ? busy : of;
  }
  function known() {
    const used = Object.keys(NAMES).filter((kind) => panels.some((panel) => panel.kind === kind && mostOf(panel) > 0));
    return used.length ? used : [...new Set(panels.map((panel) => panel.kind))].slice(0, 1);
  }
  const chipCount = () => new Set(panels.map((panel) => panel.id)).size;

  function drawCharts() {
    plots.forEach((plot) => plot.stop());
    plots = [];
    const blocks = known().filter((kind) => kinds.get(kind)).map((kind) => {
      const shown = MEMORY_WAYS[way].of(shownOf(kind), chosen);
      const small = shown.length > (host.clientWidth < 600 ? 2 : MANY_CHIPS);
      const made = shown.map((panel) => memoryPlot(panel, { marks, small, scale: () => scaleOf(made.map((plot) => plot.panel)), choose: way === "each" && shown.length > 1 ? () => select(panel.id) : null }));
      plots.push(...made);
      const scale = small ? element("span", { class: "muted scale" }) : null;
      made.forEach((plot) => { plot.kind = kind; });
      return element("div", { class: "kind", "data-kind": kind }, element("div", { class: "head" }, element("h3", {}, NAMES[kind]), scale), element("div", { class: `panels${small ? " small" : made.length > 1 ? " many" : ""}` }, made.map((plot) => plot.host)));
    });
    charts.replaceChildren(...(blocks.length ? blocks : [element("p", { class: "muted" }, panels.length ? "Choose a kind of memory." : "Nothing is known of any memory.")]));
    afterData();
  }
  function afterData() {
    for (const block of charts.querySelectorAll(".kind")) {
      const scale = block.querySelector(".scale");
      const of = plots.filter((plot) => plot.kind === block.dataset.kind);
      if (scale) scale.textContent = `each from 0 to ${size(Math.round(scaleOf(of.map((plot) => plot.panel)) / 1.02))}`;
    }
    plots.forEach((plot) => { plot.facts(); plot.draw(); });
    drawLegend();
    state();
  }
  function drawLegend() {
    const shares = new Map();
    for (const share of plots.flatMap((plot) => plot.panel.shares)) {
      if (share.bytes.some((bytes) => bytes > 0)) shares.set(share.label, shares.get(share.label) || Boolean(share.level));
    }
    const entries = [...shares].slice(0, 24);
    legend.replaceChildren(...entries.map(([label, exact]) => element("li", {}, swatch(shareColour(label, PAGE_SHADE)), label, element("span", { class: "muted" }, exact ? "events" : "samples"))));
    const from = (exact) => [...shares.values()].includes(exact);
    const every = (report.recordings || []).map((recording) => recording.interval_us).find((us) => us);
    const samples = `samples${every ? `, one each ${span(every)}: what was allocated and freed between two is not seen` : ""}`;
    basis.textContent = !shares.size ? "" : from(true) && from(false) ? `Areas are drawn from the events of agents where there are any, else from ${samples}.` : from(true) ? "Areas are drawn from the events of agents: every allocation is seen." : `Areas are drawn from ${samples}.`;
  }
  function drawButtons() {
    const there = known();
    for (const kind of there) if (!kinds.has(kind)) kinds.set(kind, kind === "dram" || kind === "l1" || there.length === 1);
    toggles.replaceChildren(...there.map((kind) => element("button", { type: "button", "data-kind": kind, "aria-pressed": String(kinds.get(kind)), onclick: (event) => { kinds.set(kind, !kinds.get(kind)); event.currentTarget.setAttribute("aria-pressed", String(kinds.get(kind))); drawCharts(); } }, NAMES[kind])));
    const offered = chipCount() < 2 ? [] : ["each", "sum", "fullest", ...(groupNames(panels).length > 1 ? ["groups"] : []), ...(chosen === null ? [] : ["one"])];
    const perTray = panels.some((panel) => panel.tray !== null);
    const title = (name) => (name === "groups" && perTray ? "per tray" : name === "one" ? (panels.find((panel) => panel.id === chosen) || { short: "chip" }).short : MEMORY_WAYS[name].title);
    ways.replaceChildren(...offered.map((name) => element("button", { type: "button", "data-way": name, "aria-pressed": String(name === way), onclick: () => choose(name) }, title(name))));
  }
  function choose(name) {
    way = name;
    for (const button of ways.children) button.setAttribute("aria-pressed", String(button.dataset.way === name));
    selected(way === "one" ? chosen : null);
    drawCharts();
  }
  // Shows a chip alone; the same chip again goes back to what was shown before.
  function select(id) {
    const again = way === "one" && chosen === id;
    if (way !== "one") before = way;
    if (!again) chosen = id;
    way = again ? before : "one";
    drawButtons();
    choose(way);
    if (!again) host.scrollIntoView({ block: "nearest" });
  }
  function redraw(next) {
    report = next;
    const shape = () => `${known()} ${panels.map((panel) => `${panel.id} ${panel.kind}`)}`;
    const old = shape();
    panels = memoryPanels(report);
    view.fold(firstMemory(panels));
    if (way !== null && old === shape()) {
      // The charts stay, with the focus and the pointer on them.
      for (const kind of known().filter((kind) => kinds.get(kind))) {
        const of = plots.filter((plot) => plot.kind === kind);
        const fresh = MEMORY_WAYS[way].of(shownOf(kind), chosen);
        if (of.length !== fresh.length) return drawCharts();
        of.forEach((plot, number) => Object.assign(plot.panel, fresh[number]));
      }
      return afterData();
    }
    if (way === null || (way === "one" && !panels.some((panel) => panel.id === chosen))) way = chipCount() > MANY_CHIPS ? "sum" : "each";
    drawButtons();
    drawCharts();
  }
  redraw(report);
  return { redraw, select, panels: () => panels };
}
