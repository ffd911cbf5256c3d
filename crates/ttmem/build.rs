//! Deflates the style and the script of the page, which are a fiftieth of the program file otherwise.

use std::fs;
use std::io;
use std::path::Path;

use miniz_oxide::deflate::{CompressionLevel, compress_to_vec};

/// The folder of the sources.
const FOLDER: &str = "src/output/html";
/// The parts of the script, which see each other's names.
const SCRIPTS: [&str; 11] = [
    "plot.js",
    "panels.js",
    "memory.js",
    "overtime.js",
    "timeline.js",
    "stacks.js",
    "tables.js",
    "programs.js",
    "chips.js",
    "live.js",
    "main.js",
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={FOLDER}");
    let scripts: io::Result<String> = SCRIPTS.iter().map(|name| read(name)).collect();
    pack("page.js", &format!("\"use strict\";(() => {{\n{}}})();\n", scripts?))?;
    pack("page.css", &read("page.css")?)
}

fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(Path::new(FOLDER).join(name))
}

/// Writes the deflated text to `name.deflate` in the output directory.
fn pack(name: &str, text: &str) -> io::Result<()> {
    let folder = std::env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let packed = compress_to_vec(text.as_bytes(), CompressionLevel::BestCompression as u8);
    fs::write(Path::new(&folder).join(format!("{name}.deflate")), packed)
}
