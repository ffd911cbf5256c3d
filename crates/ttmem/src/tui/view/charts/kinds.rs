//! The kinds of L1 over time, stacked.

use ratatui_core::layout::Rect;

use super::Chart;
use super::panel::{
    ceiling, draw_edge, draw_reason, draw_scale, draw_title, fitting, number, numbers, title_room,
};
use crate::tui::app::App;
use crate::tui::choice::Scale;
use crate::tui::group::Group;
use crate::tui::look::Role;
use crate::tui::track::{Subject, Track, Unit};
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::charted;
use crate::tui::widget::plot::Range;
use crate::tui::widget::stack::{self, Layer};

/// The kinds stacked in L1, bottom first.
const KINDS: [(Track, Role); 5] = [
    (Track::Reserved, Role::Reserved),
    (Track::Kernels, Role::Kernels),
    (Track::CircularBuffersAlone, Role::CircularBuffers),
    (Track::L1Small, Role::L1Small),
    (Track::L1, Role::L1),
];

/// Draws the kinds of L1 in the plot of a chart.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, chart: &Chart<'_>, plot: Rect) {
    let Some(subject) = chart.subjects.get(chart.current).copied() else { return };
    let layers = layers(app, subject, usize::from(plot.width));
    let newest = newest(app, subject);
    let owned;
    let chart = if chart.subjects.len() > 1 {
        let name = app.name_of(subject);
        owned = Chart { title: format!("{} of {name}", chart.title), ..*chart };
        &owned
    } else {
        chart
    };
    let value = |(track, layer): &(Track, Layer), is_named: bool| {
        let number = number(app, newest, *track, (&layer.numbers, 1))?;
        let amount = charted(canvas.look, Unit::Bytes, number);
        let fill = canvas.fill(layer.role).map(|fill| format!("{fill} ")).unwrap_or_default();
        let text = match track {
            _ if !is_named => format!("{fill}{amount}"),
            Track::L1 => format!("{fill}buffers {amount}"),
            Track::CircularBuffersAlone => format!("{fill}CBs {amount}"),
            track => format!("{fill}{} {amount}", track.label()),
        };
        (number > 0.0).then_some((layer.role, text))
    };
    let chip = (newest != subject && app.charts.cursor.is_none())
        .then(|| (Role::Quiet, app.name_of(newest)));
    let values = |is_named| -> Vec<(Role, String)> {
        let values = layers.iter().rev().filter_map(|layer| value(layer, is_named));
        values.chain(chip.clone()).collect()
    };
    let named = values(true);
    // With little room, all amounts come before some of them with names.
    let is_short = plot.width < 60 && fitting(&named, title_room(chart), 0).0 < named.len();
    let values = if is_short { values(false) } else { named };
    draw_title(app, canvas, chart, &values);
    let shared = if chart.beside.len() > chart.subjects.len() { chart.beside } else { &[subject] };
    let range = range(app, shared, usize::from(plot.width));
    draw_edge(canvas, plot);
    if layers.is_empty() {
        return draw_reason(app, canvas, chart, plot, Track::L1);
    }
    draw_scale(canvas, plot, Unit::Bytes, range);
    let layers: Vec<Layer> = layers.into_iter().map(|(_, layer)| layer).collect();
    stack::draw(canvas, plot, range, &layers);
}

/// Returns the scale of the stacked kinds of some subjects.
pub(super) fn range(app: &App, subjects: &[Subject], columns: usize) -> Range {
    let highest = |subject: &Subject| {
        sums(&layers(app, *subject, columns), columns).flatten().reduce(f64::max)
    };
    let highest = subjects.iter().filter_map(highest).reduce(f64::max);
    let limit = match app.charts.scale {
        Scale::Limit => ceiling(app, subjects, Track::L1),
        Scale::Auto => None,
    };
    Range::up_to(limit, highest, Unit::Bytes)
}

/// Returns the kinds of a subject that have any value; of the highest chip, those of the fullest chip of each column.
pub(super) fn layers(app: &App, subject: Subject, columns: usize) -> Vec<(Track, Layer)> {
    let of = |subject: Subject| -> Vec<(Track, Layer)> {
        let layer =
            |(track, role)| (track, Layer { numbers: numbers(app, subject, track, columns), role });
        KINDS.into_iter().map(layer).collect()
    };
    let mut layers = match (subject, app.snapshot()) {
        (Subject::Group(group @ Group::Highest), Some(snapshot)) => {
            let chips = group.chips(snapshot).map(|chip| of(Subject::Chip(chip.id)));
            chips.reduce(|one, other| fuller(one, other, columns)).unwrap_or_default()
        }
        _ => of(subject),
    };
    layers.retain(|(_, layer)| layer.numbers.iter().any(Option::is_some));
    layers
}

/// Returns in each column the kinds of the chip that has more in it.
fn fuller(
    mut one: Vec<(Track, Layer)>,
    other: Vec<(Track, Layer)>,
    columns: usize,
) -> Vec<(Track, Layer)> {
    let is_fuller: Vec<bool> =
        sums(&one, columns).zip(sums(&other, columns)).map(|(one, other)| other > one).collect();
    for ((_, layer), (_, other)) in one.iter_mut().zip(other) {
        for ((number, other), is_fuller) in
            layer.numbers.iter_mut().zip(other.numbers).zip(&is_fuller)
        {
            if *is_fuller {
                *number = other;
            }
        }
    }
    one
}

/// Returns the sum of the kinds in each column; `None` where no kind is known.
fn sums(layers: &[(Track, Layer)], columns: usize) -> impl Iterator<Item = Option<f64>> {
    (0..columns).map(|column| {
        let known = layers.iter().filter_map(|(_, layer)| layer.numbers[column]);
        known.map(f64::from).reduce(|sum, number| sum + number)
    })
}

/// Returns the subject of the newest values: of the highest chip, the one that is the fullest now.
fn newest(app: &App, subject: Subject) -> Subject {
    let (Subject::Group(group @ Group::Highest), Some(snapshot)) = (subject, app.snapshot()) else {
        return subject;
    };
    let used = |id| KINDS.iter().filter_map(|(track, _)| app.number(id, *track)).sum::<f64>();
    let chips = group.chips(snapshot).map(|chip| Subject::Chip(chip.id));
    let fuller = |one, other| if used(other) > used(one) { other } else { one };
    chips.reduce(fuller).unwrap_or(subject)
}
