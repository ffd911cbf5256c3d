use std::sync::Arc;

use super::*;
use crate::tui::app::{Event, Sample};
use crate::tui::choice::Settings;
use crate::tui::cores::CoreLook;
use crate::tui::demo::Work;
use crate::tui::history::Moment;
use crate::tui::key::Key;
use crate::tui::look::{Charset, Depth, Look, Theme};
use ttmem_sources::Collector;

/// The live view of the demonstration host after a few seconds.
fn app(view: View) -> App {
    let look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };
    let mut app = App::new(Settings { view, ..Settings::default() }, look, false);
    let mut work = Work::new(Collector::demo());
    for second in 0..5_u64 {
        let at = Moment(work.begin().0 + second * 1_000_000);
        let snapshot = Arc::new(work.at(at));
        app.update(at, Event::Sample(Sample { at, snapshot, boot: None }));
    }
    if view == View::Buffers {
        let list = Box::new(work.buffers_at(work.begin()));
        app.update(work.begin(), Event::Buffers(work.begin(), list));
    }
    if view == View::Ops {
        app.update(work.begin(), Event::Ops(work.begin(), work.ops_at(work.begin())));
    }
    if view == View::L1 {
        let request = ttmem_sources::L1Request { devices: true, ..Default::default() };
        let mut collector = Collector::demo().with_l1(request).unwrap();
        app.update(work.begin(), Event::Cores(Box::new(CoreLook::live(&collector.look()))));
    }
    app
}

fn text(view: View, format: Format) -> String {
    String::from_utf8(document(&app(view), format).unwrap().bytes).unwrap()
}

#[test]
fn json_is_the_snapshot_that_every_command_prints() {
    let app = app(View::Overview);
    let saved = document(&app, Format::Json).unwrap();
    assert_eq!(saved.name, "ttmem-overview-20261102T093004Z.json");
    let read: ttmem_model::Snapshot = serde_json::from_slice(&saved.bytes).unwrap();
    assert_eq!(Some(&read), app.snapshot());
}

#[test]
fn cores_are_saved_as_every_command_prints_them() {
    let value: serde_json::Value = serde_json::from_str(&text(View::L1, Format::Json)).unwrap();
    assert_eq!(value["schema"], "ttmem/l1");
    assert_eq!(value["chips"][0]["cores"].as_array().unwrap().len(), 72);
}

#[test]
fn buffers_are_saved_as_they_are_shown() {
    let mut app = app(View::Buffers);
    for letter in "/kind:l1".chars() {
        app.update(Moment(0), Event::Key(Key::Char(letter)));
    }
    let saved = document(&app, Format::Json).unwrap();
    let list: BufferList = serde_json::from_slice(&saved.bytes).unwrap();
    assert_eq!((list.schema.as_str(), list.buffers.len()), ("ttmem/buffers", 3));
    app.update(Moment(0), Event::Key(Key::Enter));
    app.update(Moment(0), Event::Key(Key::Char('4')));
    app.update(Moment(0), Event::Key(Key::Char('5')));
    assert_eq!(document(&app, Format::Csv), None, "it was not read yet");
}

#[test]
fn ops_are_saved_in_the_order_in_which_they_are_shown() {
    let mut app = app(View::Ops);
    for letter in "/op:o\nsss".chars() {
        let key = if letter == '\n' { Key::Enter } else { Key::Char(letter) };
        app.update(Moment(0), Event::Key(key));
    }
    let shown: Vec<_> = app.ops.shown().map(|(_, op)| op.op.clone().unwrap()).collect();
    assert_eq!(shown, ["LayerNorm", "ScaledDotProductAttention", "Softmax"]);
    let saved = document(&app, Format::Json).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&saved.bytes).unwrap();
    assert_eq!(value["schema"], "ttmem/ops");
    let ops = value["processes"][0]["ops"].as_array().unwrap();
    let names: Vec<_> = ops.iter().map(|op| op["op"].as_str().unwrap()).collect();
    assert_eq!(names, shown);
}

#[test]
fn csv_has_one_heading_and_as_many_values_in_every_row() {
    for view in View::ALL {
        let text = text(view, Format::Csv);
        let count = |line: &str| {
            let mut in_quotes = false;
            line.chars()
                .filter(|letter| {
                    in_quotes ^= *letter == '"';
                    *letter == ',' && !in_quotes
                })
                .count()
        };
        let counts: Vec<usize> = text.lines().map(count).collect();
        assert!(counts.len() > 1 && counts.iter().all(|other| *other == counts[0]), "{text}");
    }
    insta::assert_snapshot!("findings_csv", text(View::Findings, Format::Csv));
    insta::assert_snapshot!("charts_csv", text(View::Charts, Format::Csv));
}

#[test]
fn the_numbers_of_a_chart_have_their_times() {
    let value: serde_json::Value = serde_json::from_str(&text(View::Charts, Format::Json)).unwrap();
    assert_eq!((&value["schema"], &value["version"]), (&"ttmem/chart".into(), &"1.0".into()));
    let line = &value["lines"][0];
    assert_eq!(line["metric"], "dram");
    let points = line["points"].as_array().unwrap();
    assert_eq!(points.len(), 5);
    assert_eq!(points[1][0].as_u64().unwrap() - points[0][0].as_u64().unwrap(), 1_000_000);
}

#[test]
fn a_drawing_is_sound() {
    let svg = text(View::Charts, Format::Svg);
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    for label in ["DRAM", "temperature", "power", "chip 3", "tt-demo"] {
        assert!(svg.contains(label), "{label}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn there_is_nothing_to_save_before_the_first_sample() {
    let look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };
    let mut app = App::new(Settings::default(), look, false);
    assert_eq!(document(&app, Format::Json), None);
    app.update(Moment(1), Event::Key(Key::Char('e')));
    app.update(Moment(1), Event::Key(Key::Enter));
}

#[test]
fn what_is_charted_of_several_chips_is_what_is_saved() {
    for (keys, name) in [(2, "chips:sum dram [B]"), (3, "chips:maximum dram [B]")] {
        let mut app = app(View::Charts);
        for _ in 0..keys {
            app.update(Moment(0), Event::Key(crate::tui::key::Key::Char('o')));
        }
        let csv = String::from_utf8(document(&app, Format::Csv).unwrap().bytes).unwrap();
        assert!(csv.lines().next().unwrap().contains(name), "{csv}");
        let svg = String::from_utf8(document(&app, Format::Svg).unwrap().bytes).unwrap();
        assert!(svg.contains("4 chips"), "{svg}");
    }
}
