//! The table of fields covers the snapshot: whatever JSON shows as a reading can be asked for by the same name.

use std::collections::BTreeSet;

use crate::cmd::text::{self, Text};
use crate::field::{device, finding, process, source};
use insta::assert_snapshot;
use serde_json::Value;

use super::made;

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

/// The dotted paths of the leaves of a type in the JSON schema; a reading is a leaf, `*` a key of a map.
fn leaves(schema: &Value, node: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        if name.starts_with("Reading") {
            found.insert(path.to_owned());
        } else {
            leaves(schema, &schema["$defs"][name], path, found);
        }
        return;
    }
    let joined =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(properties) = node["properties"].as_object() {
        for (name, node) in properties {
            leaves(schema, node, &joined(name), found);
        }
    } else if node["additionalProperties"].is_object() {
        found.insert(joined("*"));
    } else if let Some(one) =
        node["anyOf"].as_array().and_then(|all| all.iter().find(|node| node["type"] != "null"))
    {
        leaves(schema, one, path, found);
    } else if node["items"].is_object() && node["items"]["$ref"] != "#/$defs/Pid" {
        leaves(schema, &node["items"], path, found);
    } else {
        found.insert(path.to_owned());
    }
}

#[test]
fn every_leaf_of_a_snapshot_is_a_field() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = file.join("../../docs/snapshot.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut found = BTreeSet::new();
    leaves(&schema, &schema, "", &mut found);
    assert!(found.len() > 100, "{found:?}");
    let names = |prefix: &str, names: Vec<String>| -> Vec<String> {
        names.into_iter().map(|name| format!("{prefix}{name}")).collect()
    };
    let of_device: Vec<String> =
        device::fields().iter().map(|field| field.name.to_string()).collect();
    let of_process: Vec<String> =
        process::fields().iter().map(|field| field.name.to_string()).collect();
    let known: BTreeSet<String> = [
        of_device.clone(),
        names("chips.", of_device),
        names("processes.", of_process.clone()),
        names("processes.chips.", of_process),
        names("sources.", source::FIELDS.iter().map(|field| field.name.to_string()).collect()),
        names("findings.", finding::FIELDS.iter().map(|field| field.name.to_string()).collect()),
    ]
    .concat()
    .into_iter()
    .collect();
    // Names that differ from JSON, and the two that describe the format itself.
    let renamed = [
        ("time_us", "timestamp"),
        ("host.driver", "driver_version"),
        ("host.ttmem", "ttmem_version"),
        ("processes.chips.index", "processes.chip.index"),
        ("schema", "index"),
        ("version", "index"),
        // Each is the reason of the field of its name.
        ("chips.reasons.*", "chips.serial"),
    ];
    let has_row = |path: &&String| {
        let other = renamed.iter().find(|(json, _)| json == path).map(|(_, field)| *field);
        let name = other.unwrap_or(path);
        match name.strip_suffix('*') {
            Some(prefix) => known.iter().any(|name| name.starts_with(prefix)),
            None => known.contains(name),
        }
    };
    let missing: Vec<&String> = found.iter().filter(|path| !has_row(path)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn help_lists_every_field() {
    let text = |text| String::from_utf8(text::render(&text).unwrap()).unwrap();
    assert_snapshot!("help_query_device", text(Text::DeviceFields));
    assert_snapshot!("help_query_processes", text(Text::ProcessFields));
}
