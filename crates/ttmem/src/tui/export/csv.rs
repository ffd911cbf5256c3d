//! CSV: the fields of `ttmem --query-device` and `--query-processes`, findings, or the values of the charts.

use ttmem_model::{Metric, Snapshot, Timestamp};

use super::{lines, name_of, shown_buffers, unit_of};
use crate::field::cell::Cell;
use crate::field::{device, finding, process};
use crate::output::amount::rfc3339;
use crate::output::buffers;
use crate::output::csv::{Csv, Header, Units, quoted};
use crate::output::page::Charset;
use crate::tui::app::App;
use crate::tui::choice::View;
use crate::tui::op::OpColumn;

/// Exports a view; `None` before it has data.
pub(super) fn of_view(app: &App, snapshot: &Snapshot, view: View) -> Option<String> {
    let csv = Csv { header: Header::Shown, units: Units::Hidden, charset: Charset::Unicode };
    Some(match view {
        View::Overview | View::Telemetry => {
            let fields: Vec<_> = device::fields()
                .iter()
                .filter(|field| view == View::Overview || is_telemetry(&field.name))
                .cloned()
                .collect();
            csv.header(&fields) + &csv.chips(snapshot, &fields)
        }
        View::Processes => {
            let fields = process::fields();
            csv.header(fields) + &csv.processes(snapshot, fields)
        }
        View::Buffers => buffers::csv::single(&shown_buffers(app)?, csv),
        View::Ops => ops(app),
        View::Findings => findings(snapshot),
        View::L1 => cores(app),
        View::Charts => charts(app),
    })
}

/// True for the fields of view 6, and those that identify the chip.
fn is_telemetry(name: &str) -> bool {
    let metric = |metric: &Metric| name.ends_with(metric.as_str());
    matches!(name, "timestamp" | "index" | "id" | "board")
        || name.starts_with("pcie")
        || name.starts_with("firmware")
        || Metric::ALL.iter().any(metric)
}

fn findings(snapshot: &Snapshot) -> String {
    let names: Vec<&str> = finding::FIELDS.iter().map(|field| &*field.name).collect();
    let mut text = names.join(",") + "\n";
    for finding in &snapshot.findings {
        let values = finding::FIELDS.iter().map(|field| match (field.read)(finding) {
            Cell::Text(text) => quoted(text).into_owned(),
            Cell::Number(number, _) => number.in_full(),
            Cell::Blank(..) | Cell::None(_) => String::new(),
        });
        text.push_str(&values.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

/// One row per visible op. An empty cell is a missing value.
fn ops(app: &App) -> String {
    let heading = |column: OpColumn| match column.is_bytes() {
        true => format!("{} [B]", column.name()),
        false => column.name().to_owned(),
    };
    let columns = || OpColumn::ALL.into_iter().filter(|column| *column != OpColumn::Op);
    let headings: Vec<String> = columns().map(heading).collect();
    let mut text = format!("pid,op,chips,{}\n", headings.join(","));
    for (process, op) in app.ops.shown() {
        let chips: Vec<String> =
            op.chips.iter().filter_map(|chip| chip.index).map(|index| index.to_string()).collect();
        let numbers = columns()
            .map(|column| column.number(op).map(|number| number.to_string()).unwrap_or_default());
        let name = quoted(op.op.as_deref().unwrap_or_default().into()).into_owned();
        let values: Vec<String> = [process.owner.pid.to_string(), name, chips.join(" ")]
            .into_iter()
            .chain(numbers)
            .collect();
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text
}

/// One row per core that was read. An empty cell is a missing value.
fn cores(app: &App) -> String {
    let mut text =
        String::from("chip,x,y,noc_x,noc_y,state,program,circular_buffers [B],kernel_text [B]\n");
    for chip in app.chips() {
        let cores = app.cores.of(chip.id).and_then(|cores| cores.as_ref().ok());
        for core in cores.into_iter().flat_map(|cores| &cores.cores) {
            let logical = core.logical.map(|at| [at.x, at.y].map(|part| part.to_string()));
            let [x, y] = logical.unwrap_or_default();
            let noc = core.noc.map(|at| [at.x, at.y].map(|part| part.to_string()));
            let [noc_x, noc_y] = noc.unwrap_or_default();
            let number = |number: Option<u64>| number.map(|number| number.to_string());
            let program = core.program.map(u64::from);
            let values = [
                chip.id.to_string(),
                x,
                y,
                noc_x,
                noc_y,
                core.state.as_str().to_owned(),
                number(program).unwrap_or_default(),
                number(core.circular_buffer_bytes.value()).unwrap_or_default(),
                number(core.kernel_text_bytes.value()).unwrap_or_default(),
            ];
            text.push_str(&values.join(","));
            text.push('\n');
        }
    }
    text
}

/// One row per time, one column per line.
fn charts(app: &App) -> String {
    let lines = lines(app);
    let heading = |line: &crate::tui::track::Line| {
        let name =
            format!("{} {} [{}]", name_of(line.subject), line.track.name(), unit_of(line.track));
        quoted(name.into()).into_owned()
    };
    let headings: Vec<String> =
        std::iter::once("timestamp".to_owned()).chain(lines.iter().map(heading)).collect();
    let mut text = headings.join(",") + "\n";
    let columns: Vec<Vec<_>> = lines.iter().map(|line| app.points(*line)).collect();
    let moments = columns.first().map(Vec::len).unwrap_or_default();
    for row in 0..moments {
        text.push_str(&rfc3339(Timestamp(columns[0][row].0.0)));
        for column in &columns {
            text.push(',');
            if let Some(number) = column[row].1 {
                text.push_str(&number.to_string());
            }
        }
        text.push('\n');
    }
    text
}
