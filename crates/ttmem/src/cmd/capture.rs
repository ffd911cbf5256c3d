//! `ttmem capture`: saves the files that ttmem reads, so that another machine shows the same.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use ttmem_doctor::{Inputs, examine};
use ttmem_merge::merge;
use ttmem_model::Bytes;
use ttmem_root::{Entry, Tree};
use ttmem_segment::{Label, parse_file_name};
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

use super::target::{Mode, deliver};
use crate::cli::capture::CaptureArgs;
use crate::cli::common::Target;
use crate::error::Error;
use crate::host::captured::About;

/// The variables of an environment that are kept: what switches memory regions off (TT-Metal 0.70 and newer), and a job of Slurm.
const KEPT_VARIABLES: [&[u8]; 3] =
    [b"TT_METAL_SHM_TRACKING_DISABLED=", b"SLURM_JOB_ID=", b"SLURM_JOB_USER="];

/// Saves the files that ttmem reads of the host of `collector` in the directory of `args`.
///
/// `collector` must read a root that keeps what is read ([`ttmem_root::Root::capturing`]).
///
/// # Errors
/// [`Error::Usage`] if the directory has files, [`Error::File`] or [`Error::Permission`] if it cannot be written.
pub(crate) fn run(args: &CaptureArgs, collector: &mut Collector) -> Result<(), Error> {
    let directory = &args.directory;
    create(directory)?;
    let facts = collector.facts_at(Depth::Full);
    let snapshot = merge(&facts, None);
    // Doctor reads files that no snapshot needs.
    let windows = collector.windows(&facts.devices);
    let root = collector.root();
    let _diagnosis = examine(&Inputs {
        root,
        facts: &facts,
        snapshot: &snapshot,
        library: None,
        windows,
        servers: None,
        dead_sockets: Vec::new(),
    });
    let mut tree = redacted(&root.captured(), args.command_lines);
    let about = About::new(facts.time, facts.demo);
    let about = serde_json::to_string_pretty(&about).map_err(|error| Error::json(&error))?;
    tree.put_line(About::PATH, about);
    let bytes = tree.write_to(directory).map_err(|error| unwritable(directory, &error))?;
    let files = tree.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. })).count();
    let kept = if args.command_lines { "kept" } else { "redacted" };
    let name = directory.display();
    let text = format!(
        "saved {files} files ({}) in {name}; command lines are {kept}\nttmem --root {name} shows them\n",
        Bytes(bytes)
    );
    deliver(&Target::Standard, Mode::Append, text.as_bytes()).map(|_delivery| ())
}

/// Creates the directory for this user alone.
fn create(directory: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_empty = directory.read_dir().is_ok_and(|mut entries| entries.next().is_none());
            if is_empty {
                return Ok(());
            }
            let name = directory.display();
            Err(Error::usage(format!("{name} is not an empty directory; name a new one")))
        }
        done => done.map_err(|error| unwritable(directory, &error)),
    }
}

fn unwritable(directory: &Path, error: &io::Error) -> Error {
    let text = format!("cannot write {}: {error}", directory.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::Permission(text),
        _ => Error::File(text),
    }
}

/// Returns the tree without command lines, environments and personal data of users.
fn redacted(tree: &Tree, command_lines: bool) -> Tree {
    let mut new = Tree::new();
    for (path, entry) in tree.iter() {
        let entry = match entry {
            Entry::File { bytes, .. } => Entry::file(redacted_file(path, bytes, command_lines)),
            Entry::Link(target) => Entry::Link(target.clone()),
            Entry::Error(errno) => Entry::Error(*errno),
            Entry::Directory | Entry::Changing { .. } => Entry::Directory,
        };
        new.put(path, entry);
    }
    new
}

fn redacted_file(path: &str, bytes: &[u8], command_lines: bool) -> Vec<u8> {
    let is_of_process = path.starts_with("/proc/");
    if is_of_process && path.ends_with("/cmdline") && !command_lines {
        return if bytes.is_empty() { Vec::new() } else { b"[redacted]\0".to_vec() };
    }
    if is_of_process && path.ends_with("/environ") {
        let is_kept = |one: &&[u8]| KEPT_VARIABLES.iter().any(|kept| one.starts_with(kept));
        let kept = bytes.split(|byte| *byte == 0).filter(is_kept);
        return kept.flat_map(|one| one.iter().copied().chain([0])).collect();
    }
    if !command_lines && path.rsplit('/').next().is_some_and(|name| parse_file_name(name).is_some())
    {
        let mut bytes = bytes.to_vec();
        Label::redact(&mut bytes);
        return bytes;
    }
    if path == "/etc/passwd" {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        return lines.flat_map(redacted_user).collect();
    }
    bytes.to_vec()
}

/// Keeps the name, user number and group number of a line of `/etc/passwd`.
fn redacted_user(line: &[u8]) -> Vec<u8> {
    let mut fields = line.split(|byte| *byte == b':');
    let mut next = || fields.next().unwrap_or_default();
    let (name, _password, user, group) = (next(), next(), next(), next());
    [name, b":x:", user, b":", group, b":::\n"].concat()
}

#[cfg(test)]
mod tests {
    use ttmem_segment::Reader;

    use super::*;

    #[test]
    fn command_lines_environments_and_users_are_redacted() {
        let file = |path, bytes: &[u8]| redacted_file(path, bytes, false);
        assert_eq!(file("/proc/7/cmdline", b"python\0--token\0s\0"), b"[redacted]\0");
        assert_eq!(file("/proc/7/cmdline", b""), b"");
        assert_eq!(redacted_file("/proc/7/cmdline", b"a\0b\0", true), b"a\0b\0");
        let environment = b"SECRET=1\0TT_METAL_SHM_TRACKING_DISABLED=1\0HOME=/a\0SLURM_JOB_ID=42\0";
        for command_lines in [false, true] {
            assert_eq!(
                redacted_file("/proc/7/environ", environment, command_lines),
                b"TT_METAL_SHM_TRACKING_DISABLED=1\0SLURM_JOB_ID=42\0"
            );
        }
        let users = b"alice:x:1000:100:Alice A,,,:/home/alice:/bin/bash\n";
        assert_eq!(file("/etc/passwd", users), b"alice:x:1000:100:::\n");
        assert_eq!(file("/dev/shm/tt_device_0_memory", b"r"), b"r");
    }

    #[test]
    fn the_command_line_in_a_segment_is_redacted() {
        let label = Label { command: "python --token s3cret".to_owned(), ..Label::default() };
        let image = ttmem_fake::segment::Segment::wormhole(7, 9, 1).label(label).image();
        let redacted = redacted_file("/proc/4/root/dev/shm/ttmem-7-9", &image, false);
        let command = |bytes: &[u8]| Reader::parse(bytes).unwrap().header.identity.label.command;
        assert_eq!(command(&redacted), "[redacted]");
        assert!(!redacted.windows(6).any(|bytes| bytes == b"s3cret"));
        let kept = redacted_file("/dev/shm/ttmem-7-9", &image, true);
        assert_eq!(command(&kept), "python --token s3cret");
    }
}
