//! Export of a view as a file: JSON, CSV, or the charts as SVG. Pure: a document is a name and its bytes.

mod csv;
mod json;
mod svg;

use ttmem_model::buffers::BufferList;

use super::app::App;
use super::group::Group;
use super::track::{Line, Subject, Track};
use crate::output::amount::rfc3339;
use crate::tui::choice::{Panel, View};

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Name of the file, without a directory.
    pub(crate) name: String,
    /// Content of the file.
    pub(crate) bytes: Vec<u8>,
}

/// An export format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// Comma-separated values.
    Csv,
    /// An SVG drawing.
    Svg,
}

impl Format {
    /// Returns the formats of a view.
    #[must_use]
    pub(crate) fn of(view: View) -> &'static [Self] {
        match view {
            View::Charts => &[Self::Svg, Self::Csv, Self::Json],
            _ => &[Self::Json, Self::Csv],
        }
    }

    /// Returns the key that picks it.
    #[must_use]
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Json => 'j',
            Self::Csv => 'c',
            Self::Svg => 's',
        }
    }

    /// Returns its description.
    #[must_use]
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Json => "JSON, every reading with source and quality",
            Self::Csv => "CSV, for a spreadsheet",
            Self::Svg => "SVG, the charts as a drawing",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Svg => "svg",
        }
    }
}

/// Exports the open view; `None` before the first sample.
#[must_use]
pub(crate) fn document(app: &App, format: Format) -> Option<Document> {
    let snapshot = app.snapshot()?;
    let text = match (format, app.view) {
        (Format::Json, View::Charts) => json::charts(app),
        (Format::Json, View::L1) => json::cores(app),
        (Format::Json, View::Buffers) => json::buffers(&shown_buffers(app)?),
        (Format::Json, View::Ops) => json::ops(app, snapshot),
        (Format::Json, _) => json::snapshot(snapshot),
        (Format::Csv, view) => csv::of_view(app, snapshot, view)?,
        (Format::Svg, _) => svg::charts(app),
    };
    // `2026-11-02T09:30:00.000000Z` becomes `20261102T093000Z`: it sorts, and every file system accepts it.
    let moment = rfc3339(snapshot.time_us);
    let seconds: String = moment.split('.').next().unwrap_or_default().replace(['-', ':'], "");
    let name = format!("ttmem-{}-{seconds}Z.{}", app.view.name(), format.extension());
    Some(Document { name, bytes: text.into_bytes() })
}

/// Returns the visible buffers in display order; `None` before they are read.
fn shown_buffers(app: &App) -> Option<BufferList> {
    let list = app.buffers.list()?;
    Some(BufferList { buffers: app.buffers.shown().cloned().collect(), ..list.clone() })
}

/// Returns the tracks of the open charts.
fn tracks(app: &App) -> Vec<Track> {
    const KINDS: [Track; 5] =
        [Track::L1, Track::L1Small, Track::CircularBuffers, Track::Kernels, Track::Reserved];
    let mut tracks = Vec::new();
    for panel in app.charts.picked() {
        let of_panel = match panel {
            Panel::Track(track) => vec![track],
            Panel::L1ByKind => KINDS.to_vec(),
        };
        for track in of_panel {
            if !tracks.contains(&track) {
                tracks.push(track);
            }
        }
    }
    tracks
}

/// Returns the lines of the open charts that have any value.
fn lines(app: &App) -> Vec<Line> {
    let tracks = tracks(app);
    let of = |subject: Subject| tracks.iter().map(move |track| Line { subject, track: *track });
    let known = |line: &Line| app.points(*line).iter().any(|(_, number)| number.is_some());
    app.subjects().into_iter().flat_map(of).filter(known).collect()
}

/// Returns the stable name of the subject of a line.
fn name_of(subject: Subject) -> String {
    match subject {
        Subject::Chip(id) => format!("chip:{id}"),
        Subject::Process(id) => format!("process:{}", id.pid),
        Subject::Group(Group::All) => "chips:sum".to_owned(),
        Subject::Group(Group::Highest) => "chips:maximum".to_owned(),
        Subject::Group(Group::Tray(Some(tray))) => format!("tray:{tray}"),
        Subject::Group(Group::Tray(None)) => "tray:none".to_owned(),
        Subject::Group(Group::Board(chip)) => format!("board:{chip}"),
    }
}

/// Returns the unit of a track in files.
fn unit_of(track: Track) -> &'static str {
    use super::track::Unit;
    match track.unit() {
        Unit::Bytes => "B",
        Unit::BytesPerSecond => "B/s",
        Unit::Celsius => "C",
        Unit::Watts => "W",
        Unit::Megahertz => "MHz",
        Unit::Percent => "%",
    }
}

#[cfg(test)]
mod tests;
