// The same pictures, live: a history to begin with, then a snapshot at a time.

const MAX_LIVE_COLUMNS = 3600;

function liveReport() {
  return { processes: [], command: "", exit_code: null, recordings: [{ host: null, from_us: null, to_us: null, snapshots: 0, ended: true, unreadable: 0, damaged_bytes: 0, damaged_snapshots: 0, damaged_parts: 0, events: [], series: { times_us: [], processes: [], chips: [] } }] };
}

// Takes a snapshot of /api/v1/snapshot into the series.
function takeSnapshot(recording, snapshot) {
  const { series } = recording;
  const { times_us: times } = series;
  if (times.length && snapshot.time_us <= times[times.length - 1]) return false;
  times.push(snapshot.time_us);
  const lines = () => series.chips.flatMap((chip) => chip.kinds);
  for (const kind of lines()) { kind.used.push(null); for (const share of kind.shares) share.bytes.push(0); }
  // What the dead left is not in use, and is in no sum.
  const living = snapshot.processes.filter((process) => process.state !== "stale");
  const numbers = living.map((process) => {
    const known = series.processes.findIndex((other) => other.pid === process.pid && other.start_time === process.start_time);
    return known >= 0 ? known : series.processes.push({ pid: process.pid, start_time: process.start_time, name: process.name }) - 1;
  });
  for (const chip of snapshot.chips) {
    let line = series.chips.find((other) => other.index === chip.index);
    if (!line) series.chips.push((line = { id: chip.id, index: chip.index, board: chip.board, arch: chip.arch, kinds: [] }));
    for (const kind of ["dram", "l1", "l1_small", "trace", "circular_buffers", "kernels"]) takeKind(line, kind, chip, snapshot.time_us, living, numbers, times.length);
  }
  [recording.host, recording.from_us, recording.to_us] = [snapshot.host.name, times[0], snapshot.time_us];
  recording.snapshots += 1;
  if (times.length > MAX_LIVE_COLUMNS) {
    times.shift();
    for (const kind of lines()) { kind.used.shift(); for (const share of kind.shares) share.bytes.shift(); }
  }
  return true;
}

function takeKind(line, kind, chip, time, living, numbers, columns) {
  const memory = chip.memory[kind];
  const used = memory.used.value;
  if (used === undefined) return;
  let kept = line.kinds.find((other) => other.kind === kind);
  if (!kept) line.kinds.push((kept = { kind, capacity: null, peak: 0, peak_us: 0, used: new Array(columns).fill(null), shares: [] }));
  const capacity = [memory.allocatable, memory.capacity].find((reading) => reading && reading.value !== undefined);
  if (capacity) kept.capacity = capacity.value;
  kept.used[columns - 1] = used;
  if (used > kept.peak || !kept.peak_us) [kept.peak, kept.peak_us] = [used, time];
  living.forEach((process, index) => {
    const on = process.chips.find((other) => other.index === chip.index);
    const held = on && on.memory[kind] && on.memory[kind].value;
    if (!held) return;
    let share = kept.shares.find((other) => other.process === numbers[index]);
    if (!share) kept.shares.push((share = { process: numbers[index], bytes: new Array(columns).fill(0) }));
    share.bytes[columns - 1] += held;
  });
}

// The sum over the chips of a process; missing if one of its parts is.
function sumOn(process, kind) {
  let sum = 0;
  for (const on of process.chips) {
    const reading = on.memory[kind];
    if (!reading || reading.value === undefined) return reading || {};
    sum += reading.value;
  }
  return process.chips.length ? { value: sum } : {};
}

// Returns a function that shows the processes and findings of a snapshot: one row a process, over all of its chips.
function processesSection(host) {
  const cell = (reading) => (reading.value !== undefined ? size(reading.value) : muted("–", reading.detail));
  const columns = [{ title: "process", name: true }, { title: "user" }, { title: "where" }, { title: "DRAM", right: true }, { title: "L1", right: true }, { title: "L1_SMALL", right: true }, { title: "trace", right: true }, { title: "" }];
  // The table stays, and with it where it was scrolled to.
  const held = table(columns, []);
  const none = element("p", { class: "muted" }, "No process holds memory.");
  const findings = element("div");
  host.append(element("div", { class: "head" }, element("h2", {}, "Processes"), muted("their chips together")), held, none, findings);
  return (snapshot) => {
    const holders = snapshot.processes.filter((process) => process.chips.length);
    fillTable(held, columns, holders.map((process) => {
      const chips = process.chips.map((on) => snapshot.chips.find((other) => other.index === on.index)).filter(Boolean);
      const where = chips.length ? `chip${chips.length > 1 ? "s" : ""} ${runsOf(chips.map((chip) => chip.index))}` : process.chips.map((on) => on.chip ?? on.index).join(", ");
      return [`${process.name} ${process.pid}`, process.user || "", where, ...["dram", "l1", "l1_small", "trace"].map((kind) => cell(sumOn(process, kind))), process.state === "live" ? "" : element("span", { class: "warn" }, process.state)];
    }));
    [held.hidden, none.hidden] = [!holders.length, holders.length > 0];
    const shown = snapshot.findings.filter((finding) => finding.severity !== "info");
    findings.replaceChildren(...shown.map((finding) => element("p", { class: finding.severity === "error" ? "bad" : "warn" }, finding.remedy ? `${finding.text} → ${finding.remedy}` : finding.text)));
  };
}

function livePage(data) {
  const report = liveReport();
  const [recording] = report.recordings;
  const status = element("span", { class: "status", role: "status" }, "waiting");
  const facts = element("ul", { class: "facts" });
  const memory = element("section", { id: "memory", "aria-label": "Memory over time" });
  const chips = element("section", { id: "chips", "aria-label": "Chips" });
  const now = element("section", { id: "now", "aria-label": "Processes" });
  let charts = null;
  const list = chipsSection(chips, "Chips", (id) => charts && charts.select(id));
  const drawProcesses = processesSection(now);
  document.body.append(element("header", { class: "top" }, element("h1", {}, data.title), facts), element("main", {}, chips, memory, now),
    element("footer", {}, `ttmem ${data.ttmem} · `, element("a", { href: "/metrics" }, "metrics"), " · ", element("a", { href: "/api/v1/snapshot" }, "snapshot as JSON")), tip, spoken);

  async function get(path) {
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }
  async function look() {
    try {
      const snapshot = await get("/api/v1/snapshot");
      // The history may have it already.
      if (takeSnapshot(recording, snapshot) || !charts) {
        view.span(recording.from_us, recording.to_us);
        if (charts) charts.redraw(report); else charts = memorySection(memory, report, [], list.mark);
        list.show(chipsNow(snapshot, charts.panels()));
        drawProcesses(snapshot);
      }
      status.textContent = `live, ${clock(snapshot.time_us).slice(0, 8)} UTC`;
      status.classList.remove("lost");
      const chips = `${snapshot.chips.length} chip${snapshot.chips.length === 1 ? "" : "s"}`;
      facts.replaceChildren(element("li", {}, status), element("li", {}, "host ", element("b", {}, snapshot.host.name || "not known")), element("li", {}, element("b", {}, chips)), element("li", {}, element("b", {}, grouped(recording.snapshots)), " samples"), ...(snapshot.demo ? [element("li", { class: "warn" }, "DEMO")] : []));
      root.dataset.samples = recording.snapshots;
    } catch (error) {
      status.textContent = "the server does not answer; trying again";
      status.classList.add("lost");
    }
    setTimeout(look, document.hidden ? 5000 : data.interval_ms);
  }
  async function first() {
    try {
      const history = await get("/api/v1/history");
      recording.series = history;
      recording.snapshots = history.times_us.length;
      [recording.from_us, recording.to_us] = [history.times_us[0] ?? null, history.times_us[history.times_us.length - 1] ?? null];
    } catch { /* Without a history the page begins now. */ }
    look();
  }
  first();
}
