//! SVG: the open charts, one below the other, on a white page.

use std::fmt::Write as _;

use crate::output::amount::date_time;
use crate::tui::app::App;
use crate::tui::choice::Panel;
use crate::tui::look::{Charset, Depth, Look, Theme};
use crate::tui::number::bytes;
use crate::tui::track::{Line, Subject, Track};
use crate::tui::widget::figure::charted;
use crate::tui::widget::plot::Range;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 36.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - 24.0;
const PLOT_HEIGHT: f64 = HEIGHT - TOP - 36.0;
/// Columns that the time axis is divided into.
const COLUMNS: usize = 400;
/// The colours of Okabe and Ito, distinct for all kinds of colour vision and in print.
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Exports the charts.
pub(super) fn charts(app: &App) -> String {
    let mut tracks: Vec<(String, Track)> = Vec::new();
    for panel in app.charts.picked() {
        match panel {
            Panel::Track(track) => tracks.push((track.label().to_owned(), track)),
            Panel::L1ByKind => tracks.push(("L1 buffers".to_owned(), Track::L1)),
        }
    }
    let subjects = app.subjects();
    let mut svg = Svg(String::new());
    let height = HEIGHT * tracks.len() as f64 + 48.0;
    svg.push(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    ));
    let time = app.snapshot().map(|snapshot| date_time(snapshot.time_us)).unwrap_or_default();
    let host = app.snapshot().and_then(|snapshot| snapshot.host.name.clone()).unwrap_or_default();
    let minutes = app.charts.window.minutes();
    let caption = format!("ttmem, {host}, {minutes} min until {time}; highest of each column");
    svg.text(LEFT, 20.0, "start", &caption);
    for (index, (label, track)) in tracks.iter().enumerate() {
        let top = TOP + HEIGHT * index as f64;
        svg.chart(app, &subjects, label, *track, top);
    }
    for (index, subject) in subjects.iter().enumerate() {
        let x = LEFT + 150.0 * (index % 5) as f64;
        let y = height - 24.0 + 12.0 * (index / 5) as f64;
        let colour = COLOURS[index % COLOURS.len()];
        svg.push(format_args!(
            "<rect x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\n",
            y - 9.0
        ));
        svg.text(x + 14.0, y, "start", &app.name_of(*subject));
    }
    svg.0.push_str("</svg>\n");
    svg.0
}

struct Svg(String);

impl Svg {
    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        match self.0.write_fmt(arguments) {
            Ok(()) | Err(std::fmt::Error) => {}
        }
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    fn chart(&mut self, app: &App, subjects: &[Subject], label: &str, track: Track, top: f64) {
        let curves: Vec<Vec<Option<f32>>> = subjects
            .iter()
            .map(|subject| app.columns(Line { subject: *subject, track }, COLUMNS))
            .collect();
        let all = || curves.iter().flatten().flatten().copied();
        let highest = all().reduce(f32::max).map(f64::from);
        let lowest = all().reduce(f32::min).map(f64::from);
        let ceilings = subjects.iter().filter_map(|subject| app.ceiling(*subject, track));
        let limit = ceilings.reduce(f64::max);
        let range = Range::up_to(limit, highest, track.unit()).down_to(lowest);
        let look = Look { theme: Theme::Light, depth: Depth::True, charset: Charset::Unicode };
        let unit = track.unit();
        self.text(LEFT, top + 14.0, "start", label);
        let bottom = top + 20.0 + PLOT_HEIGHT;
        self.push(format_args!(
            "<path d=\"M{LEFT} {} V{bottom} H{}\" fill=\"none\" stroke=\"#999\"/>\n",
            top + 20.0,
            LEFT + PLOT_WIDTH
        ));
        self.text(LEFT - 6.0, top + 30.0, "end", &charted(look, unit, range.high));
        self.text(LEFT - 6.0, bottom, "end", &charted(look, unit, range.low));
        let minutes = app.charts.window.minutes();
        self.text(LEFT, bottom + 14.0, "start", &format!("-{minutes} min"));
        self.text(LEFT + PLOT_WIDTH, bottom + 14.0, "end", "0");
        for (index, curve) in curves.iter().enumerate() {
            self.curve(curve, range, bottom, COLOURS[index % COLOURS.len()]);
        }
    }

    /// Draws a line with its gaps.
    fn curve(&mut self, curve: &[Option<f32>], range: Range, bottom: f64, colour: &str) {
        let mut path = String::new();
        let mut is_down = false;
        for (column, number) in curve.iter().enumerate() {
            let Some(number) = number else {
                is_down = false;
                continue;
            };
            let x = bytes(LEFT + PLOT_WIDTH * column as f64 / COLUMNS as f64);
            let y = bottom - PLOT_HEIGHT * range.position(f64::from(*number));
            path.push_str(&format!("{}{x} {y:.1}", if is_down { 'L' } else { 'M' }));
            is_down = true;
        }
        if !path.is_empty() {
            self.push(format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n"
            ));
        }
    }
}
