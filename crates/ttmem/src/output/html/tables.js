// What is best read: peaks, failures, what was held, what happened.

const cellClass = (column) => (column.right ? "right number" : column.name ? "name" : null);
function table(columns, rows) {
  const made = element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": columns.map((column) => column.title).join(", ") }, element("table", {},
    element("thead", {}, element("tr", {}, columns.map((column) => element("th", { class: column.right ? "right" : null, scope: "col" }, column.title)))), element("tbody")));
  fillTable(made, columns, rows);
  return made;
}
function fillTable(made, columns, rows) {
  made.querySelector("tbody").replaceChildren(...rows.map((row) => element("tr", {}, row.map((cell, number) => element("td", { class: cellClass(columns[number]) }, cell)))));
}

function section(id, title, ...content) {
  return element("section", { id, "aria-label": title }, element("div", { class: "head" }, element("h2", {}, title)), ...content);
}

const chipsOf = (chips) => {
  const known = chips.every((chip) => chip.index !== null);
  const numbers = chips.map((chip) => (known ? chip.index : chip.device));
  return numbers.length ? `${known ? "chip" : "TT-Metal device"}${numbers.length > 1 ? "s" : ""} ${runsOf(numbers)}` : "unknown chip";
};

function shareBar(part, whole) {
  if (!whole) return null;
  const share = Math.min(1, part / whole);
  const fill = element("i");
  fill.style.width = `${Math.max(share * 100, part ? 1.5 : 0)}%`;
  return element("span", { class: share > 0.85 ? "bar high" : "bar", "aria-hidden": "true" }, fill);
}

// A moment that can be looked at.
function moment(at, label) {
  const act = () => {
    const width = Math.max((view.max - view.min) / 12, 1000);
    view.show(at - width / 2, at + width / 2);
    document.getElementById("memory").scrollIntoView({ block: "start" });
  };
  return element("button", { type: "button", class: "link number", onclick: act, title: "look at this moment" }, label);
}

// The line of the user's own code: the first call outside of ttnn.
const isLibrary = (file) => file.startsWith("<") || file.includes("/ttnn/ttnn/") || (/\/(site|dist)-packages\//.test(file) && /\/(ttnn|ttmem|tracy|loguru|importlib)\//.test(file));
const callerOf = (stack) => (stack && stack.length ? stack.find((frame) => !isLibrary(frame.file)) || stack[0] : null);
function withCaller(op, frame) {
  const name = op || element("span", { class: "muted" }, "not known");
  return frame ? element("span", {}, name, " ", element("span", { class: "muted", title: frame.file }, frameName(frame))) : name;
}

// What a share is of: tensors in L1 have that of all of L1, as the row above them.
function wholeOf(process, peak) {
  const all = peak.kind === "l1" ? (process.programs?.peaks || []).find((other) => chipsOf(other.chips) === chipsOf(peak.chips)) : null;
  return all?.capacity ?? peak.allocatable;
}

// The peak of L1 with circular buffers and kernels, a row above that of tensors.
function l1PeakRows(process) {
  return (process.programs?.peaks || []).map((peak) => [
    processName(process), "L1", chipsOf(peak.chips), element("b", {}, size(peak.bytes)),
    element("span", { class: "number" }, shareBar(peak.bytes, peak.capacity), percent(peak.bytes, peak.capacity)),
    `${peak.op || "not known"}: tensors ${size(peak.tensors)}, circular buffers ${size(peak.circular_buffers)}, kernels ${peak.kernels === null ? "not known" : size(peak.kernels)}`, "",
  ]);
}

// The ranks of a job: the peaks of each on its fullest chip, and what was refused first.
function ranksSection(report) {
  const ranks = report.ranks;
  if (!ranks) return null;
  const columns = [{ title: "rank", right: true }, { title: "host", name: true }, ...ranks.imbalance.map((row) => ({ title: NAMES[row.kind], right: true })), { title: "began", right: true }, { title: "end" }];
  const bytes = (rank, row) => size(rank.peaks.find((peak) => peak.kind === row.kind)?.bytes ?? 0);
  const rows = ranks.each.map((rank) => [rank.rank, rank.host || "not known", ...ranks.imbalance.map((row) => bytes(rank, row)), moment(ranks.since + rank.after_us, span(rank.after_us)), rank.end]);
  const notes = ranks.imbalance.filter((row) => row.least < row.most).map((row) => `${NAMES[row.kind]}: rank ${row.rank} has ${size(row.most)}, ${Math.round((row.ratio - 1) * 100)} % above the mean of ${size(row.mean)}; the least is ${size(row.least)}`);
  const failure = ranks.first_failure;
  const first = failure && element("p", {}, element("b", {}, `Rank ${failure.rank}${failure.host ? ` on ${failure.host}` : ""} failed first${failure.op ? ` in ${failure.op}` : ""}, `), moment(failure.at_us, `${span(failure.at_us - ranks.since)} after the first rank began`), `: ${failure.title}`);
  return section("ranks", "Ranks", first, table(columns, rows), ...notes.map((note) => element("p", { class: "hint" }, note)));
}

// One row a process, over all of its chips.
function holdersSection(panels) {
  const kinds = ["dram", "l1", "l1_small", "trace"].filter((kind) => panels.some((panel) => panel.kind === kind && mostOf(panel) > 0));
  const rows = new Map();
  for (const kind of kinds) {
    const of = panels.filter((panel) => panel.kind === kind);
    for (const share of together(of, "", false).shares) {
      const most = mostOf({ used: share.bytes });
      if (!most) continue;
      if (!rows.has(share.label)) rows.set(share.label, { most: {}, chips: new Set(), seen: false });
      const row = rows.get(share.label);
      row.most[kind] = most;
      row.seen ||= Boolean(share.level);
      for (const panel of of) if (panel.shares.some((other) => other.label === share.label && other.bytes.some((bytes) => bytes > 0))) panel.numbers.forEach((number) => row.chips.add(number));
    }
  }
  if (!rows.size) return null;
  const columns = [{ title: "process", name: true }, { title: "where" }, ...kinds.map((kind) => ({ title: `${NAMES[kind]}, at most`, right: true })), { title: "from" }];
  const made = section("holders", "Processes", table(columns, [...rows].map(([label, row]) => [label, `chip${row.chips.size > 1 ? "s" : ""} ${runsOf(row.chips)}`, ...kinds.map((kind) => size(row.most[kind] || 0)), row.seen ? "events" : "samples"])));
  made.querySelector(".head").append(element("span", { class: "muted" }, "their chips together"));
  return made;
}

function peaksSection(report) {
  const rows = report.processes.flatMap((process) => l1PeakRows(process).concat(process.peaks.map((peak) => [
    processName(process), peak.kind === "l1" && process.programs ? "L1 tensors" : NAMES[peak.kind], chipsOf(peak.chips),
    element("b", {}, `${peak.at_most ? "≤ " : ""}${size(peak.bytes)}`),
    element("span", { class: "number" }, shareBar(peak.bytes, wholeOf(process, peak)), percent(peak.bytes, wholeOf(process, peak))),
    withCaller(peak.op, callerOf(peak.stack)),
    peak.after_us === null ? "" : moment(process.since + peak.after_us, `after ${span(peak.after_us)}`),
  ])));
  if (!rows.length) return null;
  const columns = [{ title: "process", name: true }, { title: "kind" }, { title: "where" }, { title: "at most, each chip", right: true }, { title: "of what there is" }, { title: "the op that led there", name: true }, { title: "when" }];
  return section("peaks", "Peaks, and what made them", table(columns, rows));
}

// The explanation of a refusal. Its figures of banks are of one bank.
const BANK_FIGURES = ["allocated", "free", "largest free block"];
function explained(told) {
  const shown = ({ name, value }) => element("div", {}, element("dt", {}, BANK_FIGURES.includes(name) ? `${name}/bank` : name), element("dd", {}, value));
  return [element("p", {}, told.meaning), element("dl", {}, told.figures.map(shown)), element("ol", {}, told.advice.slice(0, 4).map((advice) => element("li", {}, advice.text)))];
}

function failuresSection(report) {
  const all = report.processes.flatMap((process) => process.failures.map((failure) => ({ process, failure })));
  if (!all.length) return null;
  const one = ({ process, failure }) => {
    const told = failure.explanation;
    const times = failure.count > 1 ? `${failure.count} times, first ` : "";
    return element("article", { class: "failure" },
      element("h3", {}, told.title),
      element("p", { class: "muted" }, `${times}after ${span(failure.after_us)}${failure.op ? ` by ${failure.op}` : ""}${failure.stack ? ` at ${frameName(callerOf(failure.stack))}` : ""} in ${processName(process)}, on ${chipsOf(failure.chips)}, with ${failure.live_buffers} buffers live `, moment(process.since + failure.after_us, "look")),
      explained(told));
  };
  return section("failures", "Refused allocations", all.map(one));
}

function overlapsSection(report) {
  const all = report.processes.flatMap((process) => (process.overlaps || []).map((overlap) => ({ process, overlap })));
  if (!all.length) return null;
  const one = ({ process, overlap }) => element("article", { class: "failure" },
    element("h3", {}, `Two allocators handed out the same ${size(overlap.bytes)} of ${NAMES[overlap.kind]} on ${chipsOf(overlap.chips)}`),
    element("p", { class: "muted" }, `after ${span(overlap.after_us)} in ${processName(process)} `, moment(process.since + overlap.after_us, "look")),
    element("ul", {}, overlap.buffers.map((buffer) => element("li", {}, `${buffer.op || "a buffer"}${buffer.stack ? ` at ${frameName(callerOf(buffer.stack))}` : ""}: ${size(buffer.bytes_per_bank)}/bank at ${addressText(buffer.address)}, of ${buffer.allocator}`))),
    element("p", {}, "One tensor overwrites the other: allocate through the mesh or through its submesh, not through both."));
  return section("overlaps", "Allocators that overlap", all.map(one));
}

function heldSection(report) {
  const words = { closed: "when the device was closed", end: "at the end" };
  const rows = report.processes.flatMap((process) => process.held.map((group) => [
    group.origin === "tensor" ? element("b", { class: process.end === "running" ? null : "warn" }, process.end === "running" ? "live" : "never freed") : group.origin === "kernels" ? "program cache" : "captured trace",
    element("b", {}, size(group.bytes)), grouped(group.buffers), NAMES[group.kind], withCaller(group.op, (group.callers || [])[0]),
    processName(process), process.end === "running" && group.moment === "end" ? "now" : words[group.moment],
  ]));
  if (!rows.length) return null;
  const columns = [{ title: "what" }, { title: "bytes, each chip", right: true }, { title: "buffers", right: true }, { title: "kind" }, { title: "op", name: true }, { title: "process", name: true }, { title: "when" }];
  return section("held", "What was still held", table(columns, rows.slice(0, 300)), rows.length > 300 ? element("p", { class: "hint" }, `${rows.length - 300} more in ttmem report --json`) : null);
}

const tensorOf = ({ tensor }) => tensor && [`[${tensor.shape.join(", ")}]`, tensor.data_type, tensor.layout].filter(Boolean).join(" ");

function largestSection(report) {
  const blocks = report.processes.flatMap((process) => process.largest.map((largest) => {
    const rows = largest.buffers.map((buffer) => [size(buffer.bytes), size(buffer.bytes_per_bank), addressText(buffer.address), withCaller([buffer.op, tensorOf(buffer)].filter(Boolean).join(" "), callerOf(buffer.stack)), buffer.age_us === null ? "" : span(buffer.age_us)]);
    const columns = [{ title: "bytes, each chip", right: true }, { title: "per bank", right: true }, { title: "address", right: true }, { title: "op", name: true }, { title: "age", right: true }];
    const moment = largest.at_peak ? "at the peak" : "at the end";
    return element("details", {}, element("summary", {}, `${NAMES[largest.kind]} of ${processName(process)} ${moment}: ${largest.buffers.length} of ${grouped(largest.of)}`), table(columns, rows));
  }));
  return blocks.length ? section("largest", "Largest buffers", blocks) : null;
}

function eventsSection(report) {
  const events = (report.recordings || []).flatMap((recording) => recording.events);
  if (!events.length) return null;
  const alarming = new Set(["process-died", "chip-vanished", "failure", "dropped"]);
  const rows = events.map((event) => [moment(event.time_us, clock(event.time_us)), element("span", { class: alarming.has(event.kind) ? "bad" : null }, event.kind), event.text.replace(/\b(\d+) bytes$/, (_, bytes) => size(+bytes))]);
  const shown = element("div");
  const show = (count) => {
    const more = rows.length > count ? element("button", { type: "button", onclick: () => show(rows.length) }, `all ${grouped(rows.length)}`) : null;
    shown.replaceChildren(...[table([{ title: "when (UTC)" }, { title: "what" }, { title: "", name: true }], rows.slice(0, count)), more].filter(Boolean));
  };
  show(12);
  return section("events", "What happened", shown);
}

function lossesSection(report) {
  const words = [["events_overwritten", "events overwritten by newer ones; sums and peaks contain them"], ["failures_overwritten", "older refused allocations not kept"], ["buffers_unlisted", "buffers not listed, but counted"], ["unknown_frees", "frees of buffers that the agent never saw"], ["uncounted", "calls that are in no sum"], ["panics", "defects of the agent"]];
  const notes = report.processes.map((process) => {
    const lost = words.filter(([name]) => process.losses[name] > 0).map(([name, what]) => `${grouped(process.losses[name])} ${what}`);
    return element("li", { class: process.complete ? null : "warn" }, `${processName(process)}: ${grouped(process.losses.events)} events recorded, ${lost.join("; ") || "none dropped"}`);
  });
  return notes.length ? section("losses", "How complete this is", element("ul", { class: "muted" }, notes)) : null;
}

// The L1 of chips, core by core, at the moment at which most of it was in use.
function coresSection(maps, report) {
  const chips = (report.recordings || []).flatMap((recording) => recording.series.chips);
  const named = (id) => { const chip = chips.find((chip) => id && chip.id === id); return chip ? `chip ${chip.index} ${chip.board || ""}` : `chip ${id || ""}`; };
  const blocks = maps.flatMap((map) => map.chips.filter((chip) => chip.cores.length).flatMap((chip) => coreMap(chip, named(chip.id))));
  if (!blocks.length) return null;
  const when = element("p", { class: "hint" }, `At ${clock(maps[0].time_us)} UTC, when most was in use: circular buffers, kernel text, and tensors as far as they are known. Choose a core to read it.`);
  return section("cores", "L1 core by core, at its peak", ...blocks, when);
}

const coreBytes = (core) => (core.circular_buffers || 0) + (core.kernels || 0) + core.tensors;

function coreMap(chip, title) {
  const detail = element("div", { class: "detail", "aria-live": "polite" });
  const most = Math.max(1, ...chip.cores.map(coreBytes));
  const grid = element("div", { class: "cores", role: "group", "aria-label": "worker cores" });
  const wide = Math.max(...chip.cores.map((core) => core.position[0])) + 1;
  grid.style.gridTemplateColumns = `repeat(${wide}, minmax(0, 1fr))`;
  const known = (bytes) => (bytes === null ? "an unknown number of bytes" : size(bytes));
  for (const core of chip.cores) {
    const name = `core ${core.position.join(",")} · ${core.state}`;
    const say = () => detail.replaceChildren(element("b", {}, name), ` · ${known(core.circular_buffers)} of circular buffers · ${known(core.kernels)} of kernel text${core.tensors ? ` · ${size(core.tensors)} of tensors` : ""}${core.names.length ? ` · ${core.names.join(", ")}` : ""}`);
    const cell = element("button", { type: "button", onmouseenter: say, onfocus: say, "aria-label": `${name}: ${size(coreBytes(core))}` });
    const share = Math.round(12 + (coreBytes(core) / most) * 88);
    cell.style.background = coreBytes(core) ? `color-mix(in oklab, var(--accent) ${share}%, var(--card))` : "var(--grid)";
    [cell.style.gridColumn, cell.style.gridRow] = [String(core.position[0] + 1), String(core.position[1] + 1)];
    grid.append(cell);
  }
  detail.append(element("span", { class: "muted" }, `${chip.cores.length} cores, at most ${size(most)} in one`));
  return [element("h3", {}, title), grid, detail];
}
