// Who allocated it: a flame graph of the calls, by bytes at the peak or bytes that are still held.

const frameName = (frame) => `${frame.file.split("/").pop()}${frame.line === null ? "" : `:${frame.line}`} ${frame.function}`;

// Calls as a tree from the outermost, each with the bytes of all below it.
function callTree(uses, bytesOf) {
  const tree = { label: "all", frame: null, bytes: 0, children: new Map() };
  for (const use of uses) {
    const bytes = bytesOf(use);
    if (!bytes) continue;
    tree.bytes += bytes;
    let node = tree;
    for (const frame of use.frames.length ? [...use.frames].reverse() : [null]) {
      const label = frame ? frameName(frame) : "unknown call";
      const key = frame ? `${frame.file}:${frame.line}:${frame.function}` : "";
      if (!node.children.has(key)) node.children.set(key, { label, frame, bytes: 0, children: new Map() });
      node = node.children.get(key);
      node.bytes += bytes;
    }
  }
  return tree;
}

function flameGraph(tree, kind) {
  const host = element("div", { class: "flames", role: "group", "aria-label": `calls that allocated ${NAMES[kind]}` });
  const detail = element("div", { class: "detail", "aria-live": "polite" }, element("span", { class: "muted" }, `${size(tree.bytes)} in all. Choose a call to look closer.`));
  const draw = (top, path) => {
    host.replaceChildren();
    const row = (node, left, depth) => {
      const width = node.bytes / top.bytes;
      if (width < 0.002) return;
      const say = () => detail.replaceChildren(element("b", {}, node.label), ` · ${size(node.bytes)} · ${percent(node.bytes, tree.bytes)}`, node.frame ? element("div", { class: "muted" }, node.frame.file) : "");
      const act = () => { say(); if (node === top) { if (path.length) draw(path[path.length - 1], path.slice(0, -1)); } else draw(node, [...path, top]); };
      const made = element("button", { type: "button", onclick: act, onmouseenter: say, onfocus: say, "aria-label": `${node.label}: ${size(node.bytes)}` }, node.label);
      [made.style.left, made.style.width, made.style.top] = [`${left * 100}%`, `${width * 100}%`, `${depth * 23}px`];
      made.style.background = node.frame ? `color-mix(in oklab, ${opColour(node.frame.file, PAGE_SHADE)} 45%, var(--card))` : "var(--grid)";
      host.append(made);
      host.style.height = `${Math.max(parseFloat(host.style.height) || 0, (depth + 1) * 23)}px`;
      let next = left;
      for (const child of [...node.children.values()].sort((one, other) => other.bytes - one.bytes)) { row(child, next, depth + 1); next += child.bytes / top.bytes; }
    };
    host.style.height = "0";
    row(top, 0, 0);
  };
  draw(tree, []);
  return [host, detail];
}

function stacksSection(report) {
  const missing = [];
  const blocks = report.processes.flatMap((process) => {
    const stacks = process.stacks || { uses: [] };
    if (stacks.missing) missing.push(`${processName(process)}: ${stacks.missing}`);
    const kinds = [...new Set(stacks.uses.map((use) => use.kind))];
    return kinds.flatMap((kind) => [["at the peak", (use) => use.peak_bytes], ["never freed", (use) => use.held_bytes]].flatMap(([when, bytesOf]) => {
      const tree = callTree(stacks.uses.filter((use) => use.kind === kind && use.frames.length), bytesOf);
      if (!tree.bytes) return [];
      const words = process.end === "running" && when === "never freed" ? "live now" : when;
      return [element("h3", {}, `${NAMES[kind]} of ${processName(process)}, ${words}`), ...flameGraph(tree, kind)];
    }));
  });
  if (!blocks.length) return null;
  return section("calls", "Calls that allocated it", ...blocks, missing.length ? element("p", { class: "hint" }, `Calls are not known of ${missing.join("; ")}`) : null);
}
