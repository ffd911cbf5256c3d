// L1 by op: circular buffers, kernels and tensors on the cores of each program; refused programs; traces.

// A table that a click on a heading sorts. Each cell is a value to sort by and what is shown of it.
function sortable(columns, rows) {
  const body = element("tbody");
  const fill = () => body.replaceChildren(...rows.map((row) => element("tr", {}, row.map(([, shown], number) => element("td", { class: cellClass(columns[number]) }, shown)))));
  const order = (one, other) => (one === other ? 0 : one === null ? 1 : other === null ? -1 : one < other ? -1 : 1);
  const heads = columns.map((column, number) => {
    const sort = () => {
      const falls = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      rows.sort((one, other) => {
        const [a, b] = [one[number][0], other[number][0]];
        return a === null || b === null ? order(a, b) : falls ? order(b, a) : order(a, b);
      });
      fill();
    };
    const head = element("th", { class: column.right ? "right" : null, scope: "col" }, element("button", { type: "button", class: "link", onclick: sort, title: `sort by ${column.title}` }, column.title));
    return head;
  });
  fill();
  return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": columns.map((column) => column.title).join(", ") }, element("table", {}, element("thead", {}, element("tr", {}, heads)), body));
}

const amountCell = (bytes) => [bytes, bytes === null ? element("span", { class: "muted" }, "not known") : size(bytes)];
const signedCell = (bytes) => (bytes !== null && bytes < 0 ? [bytes, element("span", { class: "warn" }, `-${size(-bytes)}`)] : amountCell(bytes));
const withPrograms = (report) => report.processes.filter((process) => process.programs);

function programsSection(report) {
  const rows = withPrograms(report).flatMap((process) => process.programs.ops.map((op) => [
    [op.op || "", op.op || element("span", { class: "muted" }, "not known")],
    amountCell(op.peak), signedCell(op.headroom), amountCell(op.circular_buffers), amountCell(op.scratchpads), amountCell(op.aliasing),
    amountCell(op.kernel_text), amountCell(op.tensors), [op.cores, grouped(op.cores)], [op.dispatches, grouped(op.dispatches)],
    [chipsOf(op.chips), chipsOf(op.chips)], [processName(process), processName(process)],
  ]));
  const notes = withPrograms(report).filter((process) => process.programs.unknown_reason).map((process) => element("p", { class: "hint" }, `${processName(process)}: the programs of ${grouped(process.programs.unknown_dispatches)} of ${grouped(process.programs.dispatches)} dispatches are not known: ${process.programs.unknown_reason}`));
  if (!rows.length && !notes.length) return null;
  const right = ["peak", "least headroom", "circular buffers", "scratchpads", "aliasing", "kernel text", "tensors", "cores", "dispatches"];
  const all = [{ title: "op", name: true }, ...right.map((title) => ({ title, right: true })), { title: "where" }, { title: "process", name: true }];
  // What no op has takes no room.
  const shown = all.map((column, number) => !["scratchpads", "aliasing"].includes(column.title) || rows.some((row) => row[number][0] !== 0));
  const columns = all.filter((_, number) => shown[number]);
  return section("programs", "L1 by op, per core", rows.length ? sortable(columns, rows.map((row) => row.filter((_, number) => shown[number]))) : null, notes);
}

function refusedSection(report) {
  const all = withPrograms(report).flatMap((process) => process.programs.refused.map((refused) => ({ process, refused })));
  if (!all.length) return null;
  const one = ({ process, refused }) => {
    const told = refused.explanation;
    const times = refused.count > 1 ? `${refused.count} times, first ` : "";
    const needs = refused.end !== null && refused.limit !== null ? `needs ${size(refused.end)}, there are ${size(refused.limit)}` : "";
    return element("article", { class: "failure" },
      element("h3", {}, told ? told.title : "TT-Metal refused a program or a trace"),
      element("p", { class: "muted" }, `${times}after ${span(refused.after_us)}${refused.op ? ` by ${refused.op}` : ""} in ${processName(process)}, on ${chipsOf(refused.chips)} `, moment(process.since + refused.after_us, "look")),
      told ? explained(told) : element("p", {}, needs));
  };
  return section("refused", "Refused programs", all.map(one));
}

function tracesSection(report) {
  const all = withPrograms(report).filter((process) => process.programs.traces);
  if (!all.length) return null;
  const block = (process) => {
    const { traces, region_size: region, needed } = process.programs.traces;
    const rows = traces.map((trace) => [String(trace.id), trace.bytes === null ? element("span", { class: "muted" }, "not known") : size(trace.bytes), grouped(trace.dispatches), grouped(trace.replays), chipsOf(trace.chips), trace.is_released ? "released" : "live"]);
    const columns = [{ title: "trace" }, { title: "bytes, each chip", right: true }, { title: "dispatches", right: true }, { title: "replays", right: true }, { title: "where" }, { title: "state" }];
    return [table(columns, rows), needed ? element("p", { class: "hint" }, `${processName(process)}: trace_region_size is ${size(region)}; ${size(needed)} would have been enough`) : null];
  };
  return section("traces", "Traces", all.flatMap(block));
}
