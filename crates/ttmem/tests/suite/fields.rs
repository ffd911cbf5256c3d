//! The table of fields covers the snapshot: whatever JSON shows as a reading can be asked for by the same name.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use serde_json::Value;
use ttmem::cmd::text::{self, Text};
use ttmem::field::{device, process};

use crate::made;

/// The dotted paths of all readings under a value.
fn readings(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let Some(object) = value.as_object() else { return };
    if object.contains_key("missing") || object.contains_key("quality") {
        found.insert(path.to_owned());
        return;
    }
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        readings(value, &path, found);
    }
}

#[test]
fn every_reading_of_a_chip_is_a_field() {
    let json = serde_json::to_value(made::four()).unwrap();
    let mut paths = BTreeSet::new();
    for chip in json["chips"].as_array().unwrap() {
        readings(chip, "", &mut paths);
    }
    assert!(paths.len() > 50, "{paths:?}");
    let fields = device::fields();
    for path in paths {
        assert!(fields.iter().any(|field| field.name == path), "{path}");
    }
}

#[test]
fn every_reading_of_a_process_is_a_field() {
    let json = serde_json::to_value(made::four()).unwrap();
    let mut paths = BTreeSet::new();
    for process in json["processes"].as_array().unwrap() {
        readings(process, "", &mut paths);
        readings(&process["chips"][0], "", &mut paths);
    }
    let fields = process::fields();
    for path in paths {
        assert!(fields.iter().any(|field| field.name == path), "{path}");
    }
}

#[test]
fn help_lists_every_field() {
    let text = |text| String::from_utf8(text::render(&text).unwrap()).unwrap();
    assert_snapshot!("help_query_device", text(Text::DeviceFields));
    assert_snapshot!("help_query_processes", text(Text::ProcessFields));
}
