//! `docs/snapshot.schema.json` and `docs/why.schema.json` are generated from the types.
//!
//! `UPDATE_SCHEMA=1 cargo test -p ttmem-model --lib schema` writes them.

use std::path::Path;

use crate::Snapshot;
use crate::trace::Trace;

/// Returns the schema of a type, with a title and an id.
fn generated<T: schemars::JsonSchema>(title: &str, id: &str) -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(T)).unwrap();
    schema["title"] = title.into();
    schema["$id"] = id.into();
    schema
}

#[test]
fn the_schema_files_are_what_the_types_say() {
    for (name, schema) in [
        (
            "docs/snapshot.schema.json",
            generated::<Snapshot>("ttmem/snapshot 2.0", "ttmem/snapshot"),
        ),
        ("docs/why.schema.json", generated::<Trace>("ttmem/why 1.0", "ttmem/why")),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        let is_same = file == text;
        assert!(is_same, "{name} is not what the types say: run this test with UPDATE_SCHEMA=1");
    }
}
