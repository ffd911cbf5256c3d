//! Shared helpers: the path of the library, and the segments of processes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ttmem_segment::{Reader, Segment};

/// The library under test. Cargo does not build it for the tests, for they do not link with it.
pub(crate) fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap(), &[]))
}

/// Builds the library.
pub(crate) fn build(target: &Path, options: &[&str]) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ttmem-agent", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .args(options)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/libttmem_agent.so").canonicalize().unwrap()
}

/// Returns the segment of a process in a directory that replaces `/dev/shm`, if there is exactly one.
pub(crate) fn segment_path(shm: &Path, pid: u32) -> Option<PathBuf> {
    let prefix = format!("ttmem-{pid}-");
    let mut found = fs::read_dir(shm).unwrap().flatten().map(|entry| entry.path()).filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
    });
    let path = found.next();
    assert!(found.next().is_none(), "two segments of process {pid}");
    path
}

/// Reads the segment of a process.
pub(crate) fn segment(shm: &Path, pid: u32) -> Segment {
    let path = segment_path(shm, pid).unwrap();
    Reader::parse(&fs::read(path).unwrap()).unwrap()
}

/// Reads the beginning of the segment of a process: chips and allocators.
pub(crate) fn summary(shm: &Path, pid: u32) -> Segment {
    let mut file = fs::File::open(segment_path(shm, pid).unwrap()).unwrap();
    let mut bytes = vec![0; Reader::SUMMARY_BYTES];
    file.read_exact(&mut bytes).unwrap();
    Reader::parse_summary(&bytes).unwrap()
}

/// Reads the segment of a process until the agent has refreshed everything, at most for a second.
pub(crate) fn settled_segment(shm: &Path, pid: u32) -> Segment {
    let deadline = Instant::now() + Duration::from_secs(1);
    let newest = segment(shm, pid).events.last().map_or(0, |event| event.time);
    // Events have coarse times: the refresh must be later by more than their grain.
    while summary(shm, pid).header.refresh_time <= newest + 20_000_000 && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    segment(shm, pid)
}
