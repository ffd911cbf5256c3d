//! Rules of `docs/safety.md` that can be read off the source.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below a directory: its path from there, and its text without comments.
fn files(directory: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            files.push((name, code.collect::<Vec<_>>().join("\n")));
        }
    }
    files
}

#[test]
fn unsafe_code_is_in_one_module() {
    let files = files(&source());
    let unsafe_files = files.iter().filter(|(_, code)| code.contains("unsafe"));
    let mut names: Vec<&str> = unsafe_files.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["port/kmd/sys.rs", "port/kmd/sys/fault.rs"]);
}

#[test]
fn the_driver_gets_five_calls_and_they_are_written_down_in_one_file() {
    let files = files(&source());
    let with = |text: &str| {
        let names = files.iter().filter(|(_, code)| code.contains(text));
        names.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(with("opcode::none"), ["port/kmd/ioctl.rs"]);
    assert_eq!(with("ioctl::ioctl("), ["port/kmd/sys.rs"]);
    let (_, ioctls) = files.iter().find(|(name, _)| name == "port/kmd/ioctl.rs").unwrap();
    let numbers = ioctls.split("opcode::none(MAGIC, ").skip(1);
    let numbers: Vec<_> = numbers.filter_map(|rest| rest.split(')').next()).collect();
    assert_eq!(numbers, ["0", "5", "11", "12", "13"]);
}

#[test]
fn a_port_cannot_write() {
    let port = std::fs::read_to_string(source().join("port.rs")).unwrap();
    let (_, body) = port.split_once("pub trait L1Port {").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let functions = body.split("\n    fn ").skip(1).filter_map(|rest| rest.split('(').next());
    assert_eq!(functions.collect::<Vec<_>>(), ["chip", "read", "worthwhile_gap"]);
    for (name, code) in files(&source().join("port")) {
        // Tests make files to find.
        let code = code.split("#[cfg(test)]").next().unwrap();
        for forbidden in ["fn write", "fn send_", "ProtFlags::WRITE", "PROT_WRITE", "fs::write"] {
            let own = forbidden == "fn send_" && name == "simulator/transport.rs";
            assert!(own || !code.contains(forbidden), "{name} has {forbidden}");
        }
    }
}
