// Puts the page together from the data that it contains.

function marksOf(report) {
  const marks = [];
  for (const process of report.processes) {
    for (const failure of process.failures) marks.push({ at: process.since + failure.after_us, text: failure.explanation.title, alarm: true });
  }
  for (const event of (report.recordings || []).flatMap((recording) => recording.events)) {
    if (["process-started", "process-ended"].includes(event.kind)) marks.push({ at: event.time_us, text: event.text, alarm: false });
    if (["process-died", "chip-vanished"].includes(event.kind)) marks.push({ at: event.time_us, text: event.text, alarm: true });
  }
  return marks;
}

// All that anything is known of, and of it what is shown first: the recording, since agents may know hours before it.
function spansOf(report) {
  const recorded = (report.recordings || []).filter((recording) => recording.from_us !== null).map((recording) => [recording.from_us, recording.to_us]);
  const told = report.processes.filter((process) => process.timeline).map((process) => [process.timeline.from_us, process.timeline.to_us, process.end === "running"]);
  const hull = (spans) => [Math.min(...spans.map(([from]) => from)), Math.max(...spans.map(([, to]) => to))];
  if (!recorded.length && !told.length) return { all: [0, 1], first: [0, 1] };
  const all = hull([...recorded, ...told]);
  if (!recorded.length) return { all, first: all };
  const [from, to] = hull(recorded);
  const overlaps = told.every(([began, ended, goesOn]) => began <= to && (goesOn || ended >= from));
  return { all, first: overlaps ? [from, to] : all, origin: from };
}

function factsOf(report) {
  const facts = [];
  for (const recording of report.recordings || []) {
    if (recording.host) facts.push(["host", recording.host]);
    if (recording.from_us !== null) facts.push(["from", day(recording.from_us)], ["for", span(recording.to_us - recording.from_us)]);
    const each = recording.read_every > 1 ? ` (one in ${recording.read_every} is drawn, and each peak)` : "";
    facts.push(["snapshots", grouped(recording.snapshots) + each]);
    if (!recording.ended) facts.push(["end", "missing: it is being recorded, or the recorder was killed"]);
    if (recording.damaged_bytes) facts.push(["damaged and left out", `${recording.damaged_bytes} bytes: ${recording.damaged_snapshots} snapshots, ${recording.damaged_parts} parts of segments or maps of cores`]);
  }
  if (report.command) facts.push(["command", report.command]);
  if (report.exit_code !== null) facts.push(["exit code", report.exit_code]);
  const ends = { running: "still runs", exited: "exited normally", left: "left by _exit", ended: "ended after its devices were closed", killed: "ended without closing its devices", off: "its agent switched itself off" };
  const endText = (process) => (process.signal ? `killed by signal ${process.signal}` : ends[process.end]);
  for (const process of report.processes) facts.push([processName(process), [endText(process), process.command, process.tt_metal && `TT-Metal ${process.tt_metal}`].filter(Boolean).join(", ")]);
  return facts;
}

// What is not known of processes, and why.
function notesOf(report) {
  const uncounted = (report.uncounted || []).map((process) => `Process ${process.pid} (${process.name}) used TT-Metal without being counted: ${[process.reason, ...(process.region || []).map((peak) => `${NAMES[peak.kind]} ~${size(peak.bytes)} on chip ${peak.index ?? "of unknown index"} at most (approximate, sampled)`)].join("; ")}`);
  if (report.processes.length || uncounted.length) return uncounted;
  if ((report.recordings || []).some((recording) => recording.damaged_parts)) return ["What agents recorded is damaged, so nothing is known of ops and buffers."];
  if (report.command) return ["No process of this command opened a device with TT-Metal."];
  if (report.ranks && !(report.recordings || []).length) return ["JSON reports of ranks have no memory over time: ttmem record -o run-%r.ttmem -- CMD records it."];
  return ["No process in it had an agent, so that ops and buffers are unknown: ttmem record -- CMD records a command with it."];
}

// Resolves once what there is has been seen, or will not be: a page in the background is not drawn.
const seen = () => new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); setTimeout(done, 200); });

async function reportPage(data) {
  const { report, title } = data;
  const marks = marksOf(report);
  const spans = spansOf(report);
  view.span(...spans.all, spans.origin);
  view.show(...spans.first);
  const facts = factsOf(report).slice(0, 24);
  const memory = element("section", { id: "memory", "aria-label": "Memory over time" });
  const sampled = (report.recordings || []).some((recording) => recording.series.chips.length);
  const chips = sampled ? element("section", { id: "chips", "aria-label": "Chips" }) : null;
  const buffers = element("section", { id: "buffers", "aria-label": "Buffers by address and time" });
  const parts = [ranksSection(report), failuresSection(report), overlapsSection(report), refusedSection(report), chips, sampled || report.processes.length ? memory : null, peaksSection(report), programsSection(report), tracesSection(report), bufferPools(report).length ? buffers : null, stacksSection(report), heldSection(report), coresSection(data.l1 || [], report), largestSection(report), eventsSection(report), lossesSection(report)].filter(Boolean);
  const jump = element("nav", { class: "jump", "aria-label": "parts of the page" });
  document.body.append(
    element("a", { class: "skip", href: "#memory" }, "to the memory"),
    element("header", { class: "top" }, element("h1", {}, title), element("ul", { class: "facts" }, facts.map(([name, value]) => element("li", {}, `${name} `, element("b", {}, value)))), jump),
    element("main", {}, ...parts, ...notesOf(report).map((text) => element("p", { class: "muted" }, text))),
    element("footer", {}, `Made by ttmem ${data.ttmem}. Sizes are in powers of 1024.`), tip, spoken);
  await seen();
  // An element of the document has a size to be drawn at.
  let charts = null;
  const list = chips && chipsSection(chips, "Chips, at most", (id) => charts.select(id));
  charts = memorySection(memory, report, marks, (id) => list && list.mark(id));
  const holders = holdersSection(charts.panels());
  if (holders) memory.after(holders);
  if (list) {
    const rows = chipsOfReport(report, charts.panels());
    let drawn = null;
    // Their small pictures are of all time, whatever the charts show.
    const show = () => { if (drawn !== (drawn = `${view.min} ${theme.card}`)) list.show(rows); };
    show();
    view.watchers.add(show);
  }
  if (parts.includes(buffers)) bufferSection(buffers, report, marks);
  jump.append(...[...document.querySelectorAll("main > section")].map((part) => element("a", { href: `#${part.id}` }, part.getAttribute("aria-label"))));
}

async function begin() {
  const data = JSON.parse(document.getElementById("data").textContent);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); view.changed(); });
  if (data.live) livePage(data); else await reportPage(data);
  root.dataset.ready = "yes";
  performance.mark("ready");
}
begin();
