// Memory by chip and kind: what was sampled, and between the samples what agents saw, as columns on one axis of time.
// A column holds from its time to that of the next.

const processName = (process) => {
  const rank = process.rank && (/^\d+$/.test(process.rank) ? `rank ${process.rank}` : process.rank);
  return [process.name || "process", process.pid, rank].filter(Boolean).join(" ");
};

// Every time of some lists once, in order. Panels of a recording share their list.
function union(lists) {
  const different = [...new Set(lists)];
  return different.length === 1 ? different[0] : [...new Set(different.flat())].sort((one, other) => one - other);
}

// The index in a list of times that holds at a time. Asked for times in order, it is fast.
function cursor(times) {
  let at = -1;
  return (time) => { while (at + 1 < times.length && times[at + 1] <= time) at++; return at; };
}

const mostOf = (panel) => {
  let most = panel.peak ? panel.peak.bytes : 0;
  for (const used of panel.used) if (used > most) most = used;
  return most;
};

// The panels of a report, each of a kind on a chip.
function memoryPanels(report) {
  const panels = (report.recordings || []).flatMap((recording, index) => sampledPanels(recording, index, report.recordings.length > 1));
  for (const [number, process] of report.processes.entries()) {
    if (process.timeline) takeEvents(panels, process, number, lastMoment(process, report));
  }
  return panels.map(withEvents).sort((one, other) => one.order - other.order);
}

// The tray of each chip, else its board; null without two of several chips.
function groupsOf(chips) {
  const trays = chips.some((chip) => chip.tray !== null);
  const keys = chips.map((chip) => (trays ? chip.tray : chip.serial));
  const several = new Set(keys.filter((key, number) => key !== null && keys.indexOf(key) !== number));
  if (several.size < 2) return chips.map(() => null);
  return keys.map((key) => {
    if (trays) return key === null ? "no tray" : `tray ${key}`;
    const same = chips.filter((_, number) => keys[number] === key);
    return `${same[0].board || "board"} ${runsOf(same.map((chip) => chip.index))}`;
  });
}

function sampledPanels(recording, index, several) {
  const { times_us: times, processes, chips } = recording.series;
  const where = several && recording.host ? ` on ${recording.host}` : "";
  const groups = groupsOf(chips);
  return chips.flatMap((chip, number) => chip.kinds.map((kind) => ({
    id: `${index}:${number}`, kind: kind.kind, chip: chip.id, region: chip.region, count: 1, numbers: [chip.index], group: groups[number] && `${groups[number]}${where}`, tray: chip.tray_position ? `${chip.tray}:${chip.tray_position}` : null, order: index * 1e4 + chip.index,
    short: `chip ${chip.index}${where}`,
    label: `${["chip", chip.index, chip.board || chip.arch].filter((part) => part !== null).join(" ")}${where}`,
    capacity: kind.capacity, times, used: kind.used, peak: { bytes: kind.peak, at: kind.peak_us }, end: recording.to_us, lines: [],
    shares: kind.shares.map((share) => ({ ...processes[share.process], label: `${processes[share.process].name} ${processes[share.process].pid}${where}`, bytes: share.bytes })),
  })));
}

// Until when what a process held is drawn: to the end while it runs, else to its end as far as that is known.
function lastMoment(process, report) {
  if (process.end === "running") return view.max;
  const ends = (report.recordings || []).flatMap((recording) => recording.events)
    .filter((event) => event.pid === process.pid && ["process-ended", "process-died"].includes(event.kind));
  return Math.max(process.timeline.to_us, ...ends.map((event) => event.time_us));
}

// Adds the levels of a process's pools to the panels of their chips. Chips that were not sampled get panels of their own,
// those of the same pools one together.
function takeEvents(panels, process, number, last) {
  const { timeline } = process;
  const sets = new Map();
  timeline.pools.forEach((pool, index) => {
    const line = { process, ops: timeline.ops, ...pool.steps, last };
    const known = panels.filter((panel) => panel.chip && panel.kind === pool.kind && (pool.chips.includes(panel.chip) || pool.chips.includes(panel.region)));
    known.forEach((panel) => panel.lines.push(line));
    if (known.length) return;
    for (const device of pool.devices.length ? pool.devices : ["?"]) {
      const key = `${device} ${pool.kind}`;
      if (!sets.has(key)) sets.set(key, { device, kind: pool.kind, capacity: null, pools: [], lines: [] });
      const set = sets.get(key);
      set.pools.push(index);
      set.lines.push(line);
      if (pool.bank_bytes) set.capacity = pool.bank_bytes * pool.banks;
    }
  });
  const alike = new Map();
  for (const set of sets.values()) {
    const key = set.pools.join();
    if (!alike.has(key)) alike.set(key, []);
    alike.get(key).push(set);
  }
  for (const same of alike.values()) {
    const devices = same.map((set) => set.device);
    const [{ kind, capacity, lines }] = same;
    const chips = devices.length > 1 ? `chips ${runsOf(devices)}, each` : `chip ${devices[0]}`;
    panels.push({ id: `process ${number}:${devices.join()}`, kind, short: chips, label: `${processName(process)} · ${chips}`, order: 1e6 + number, count: devices.length, numbers: devices, group: null, tray: null, capacity, times: [], used: [], shares: [], lines, peak: null, end: last });
  }
}

// The level of one process on a chip: the pools of its allocators added up, each with the op of its last event.
function levelOf(lines) {
  const times = union(lines.map((line) => line.at_us));
  const cursors = lines.map((line) => cursor(line.at_us));
  const [bytes, ops] = [[], []];
  for (const time of times) {
    let [sum, op] = [0, null];
    lines.forEach((line, number) => {
      const step = cursors[number](time);
      if (step < 0) return;
      sum += line.bytes[step];
      if (line.at_us[step] === time) op = line.ops[line.op[step]];
    });
    bytes.push(sum);
    ops.push(op);
  }
  return { times, bytes, ops, last: lines[0].last, process: lines[0].process };
}

// The columns of a panel, with a process's own events instead of its samples from the first of them on.
function withEvents(panel) {
  if (!panel.lines.length) return panel;
  const levels = [...new Set(panel.lines.map((line) => line.process))].map((process) => levelOf(panel.lines.filter((line) => line.process === process)));
  const shares = panel.shares.map((share) => ({ ...share, sampled: share.bytes, bytes: [] }));
  for (const level of levels) {
    const { process } = level;
    let share = shares.find((other) => !other.level && other.start_time === process.start_time && (other.pid === process.pid || other.name === process.name));
    if (!share) shares.push((share = { label: processName(process), sampled: null, bytes: [] }));
    share.level = level;
  }
  const times = union([panel.times, ...levels.flatMap((level) => [level.times, [level.last]])]);
  const column = cursor(panel.times);
  const steps = shares.map((share) => (share.level ? cursor(share.level.times) : null));
  const used = times.map((time) => {
    const at = column(time);
    const before = at < 0 ? null : panel.used[at];
    let total = before;
    shares.forEach((share, number) => {
      const sampled = (at >= 0 && share.sampled && share.sampled[at]) || 0;
      const step = steps[number] ? steps[number](time) : -1;
      // After the process's end the next sample counts.
      const seen = step >= 0 && (time < share.level.last || at < 0 || panel.times[at] <= share.level.last);
      const bytes = seen ? share.level.bytes[step] : sampled;
      share.bytes.push(bytes);
      if (before !== null) total += bytes - sampled; else if (seen || bytes) total += bytes;
    });
    return total;
  });
  return { ...panel, times, used, shares };
}

// Panels added up (each as often as there are chips like it), or of each moment the fullest of them.
function together(panels, label, fullest) {
  const times = union(panels.map((panel) => panel.times));
  const capacities = panels.map((panel) => panel.capacity && panel.capacity * (fullest ? 1 : panel.count));
  const capacity = capacities.some((bytes) => !bytes) ? null : fullest ? Math.max(...capacities) : capacities.reduce((sum, bytes) => sum + bytes, 0);
  const used = new Array(times.length).fill(null);
  const which = fullest ? new Array(times.length).fill(null) : null;
  const shares = new Map();
  const same = times.map((_, index) => index);
  const columns = panels.map((panel) => (panel.times === times ? same : times.map(cursor(panel.times))));
  const chosen = times.map(() => -1);
  panels.forEach((panel, number) => {
    const weight = fullest ? 1 : panel.count;
    times.forEach((_, index) => {
      const bytes = panel.used[columns[number][index]];
      if (bytes === undefined || bytes === null) return;
      if (!fullest) used[index] = (used[index] || 0) + bytes * weight;
      else if (used[index] === null || bytes > used[index]) [used[index], which[index], chosen[index]] = [bytes, panel.label, number];
    });
  });
  panels.forEach((panel, number) => {
    for (const share of panel.shares) {
      if (!shares.has(share.label)) shares.set(share.label, { ...share, level: null, sampled: null, bytes: new Array(times.length).fill(0) });
      const { bytes } = shares.get(share.label);
      if (share.level) shares.get(share.label).level = share.level;
      for (let index = 0; index < times.length; index++) {
        if (fullest ? chosen[index] === number : columns[number][index] >= 0) bytes[index] += share.bytes[columns[number][index]] * (fullest ? 1 : panel.count);
      }
    }
  });
  return { id: label, kind: panels[0].kind, label, capacity, times, used, which, shares: [...shares.values()], peak: null, end: Math.max(...panels.map((panel) => panel.end || 0)) };
}

// The first moment at which a panel shows any memory; null if there is none.
function firstMemory(panels) {
  let first = null;
  for (const panel of panels) {
    const index = panel.used.findIndex((bytes) => bytes > 0);
    if (index >= 0 && (first === null || panel.times[index] < first)) first = panel.times[index];
  }
  return first;
}
