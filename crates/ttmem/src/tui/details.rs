//! Details of one process: its start, threads, files, and the environment variables that matter to TT-Metal.
//! environment that matter to TT-Metal.

use ttmem_model::facts::Field;
use ttmem_model::order;
use ttmem_model::reading::Missing;
use ttmem_model::{Pid, Timestamp};
use ttmem_root::Root;
use ttmem_root::RootError;

/// Details of a process beyond its row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Details {
    /// Number of threads.
    pub(crate) threads: Field<u64>,
    /// Relevant environment variables, by name.
    pub(crate) environment: Field<Vec<(String, String)>>,
    /// Open devices and memory regions.
    pub(crate) files: Field<Files>,
}

impl Details {
    /// Details of a process in a recording.
    #[must_use]
    pub(crate) fn not_recorded() -> Self {
        let missing = || Missing::not_read("not in the recording");
        Self { threads: Err(missing()), environment: Err(missing()), files: Err(missing()) }
    }
}

/// The open files of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// The number of open files.
    pub(crate) open: usize,
    /// Devices and memory regions among them, without duplicates.
    pub(crate) of_devices: Vec<String>,
}

/// The most bytes of an environment that are read. Longer ones exist, and the kernel returns them in pieces.
const ENVIRONMENT_BYTES: usize = 128 << 10;
/// The most files of one process that are examined.
const MOST_FILES: usize = 4096;

/// Reads the details of a process.
#[must_use]
pub(crate) fn read(root: &Root, pid: Pid) -> Details {
    Details {
        threads: threads(root, pid),
        environment: environment(root, pid).map_err(|error| error.missing()),
        files: files(root, pid).map_err(|error| error.missing()),
    }
}

/// Returns the boot time of the host.
#[must_use]
pub(crate) fn boot(root: &Root) -> Option<Timestamp> {
    const STAT_BYTES: usize = 1 << 20;
    let file = root.read("/proc/stat", STAT_BYTES).ok()?;
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    let seconds: u64 =
        text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    seconds.checked_mul(1_000_000).map(Timestamp)
}

fn threads(root: &Root, pid: Pid) -> Field<u64> {
    let status = root.read_text(&format!("/proc/{pid}/status")).map_err(|error| error.missing())?;
    let number = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    number
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| ttmem_model::Missing::failed("no threads in its status file"))
}

fn environment(root: &Root, pid: Pid) -> Result<Vec<(String, String)>, RootError> {
    let file = root.read(&format!("/proc/{pid}/environ"), ENVIRONMENT_BYTES)?;
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    let mut switches: Vec<(String, String)> = pairs
        .filter(|(name, _)| is_switch(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    order::sort(&mut switches);
    Ok(switches)
}

fn is_switch(name: &str) -> bool {
    name.starts_with("TT_") || name.starts_with("TTNN_") || name == "ARCH_NAME"
}

fn files(root: &Root, pid: Pid) -> Result<Files, RootError> {
    let folder = format!("/proc/{pid}/fd");
    let names = root.list(&folder)?;
    let mut files = Files { open: names.len(), of_devices: Vec::new() };
    for name in names.iter().take(MOST_FILES) {
        // A file may be closed while the others are examined.
        let Ok(target) = root.link(&format!("{folder}/{}", name.to_string_lossy())) else {
            continue;
        };
        let target = target.to_string_lossy().into_owned();
        let of_device = target.starts_with("/dev/tenstorrent") || target.contains("/shm/tt");
        if of_device && !files.of_devices.contains(&target) {
            files.of_devices.push(target);
        }
    }
    order::sort(&mut files.of_devices);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use ttmem_fake::{BOOT, Host, PID};

    use super::*;

    #[test]
    fn a_process_is_looked_at_closely() {
        let root = Root::memory(Host::n150().into_tree());
        let details = read(&root, Pid(PID));
        assert!(details.threads.is_ok(), "{details:?}");
        let files = details.files.unwrap();
        assert!(files.open >= files.of_devices.len());
        assert_eq!(boot(&root), Some(BOOT));
    }

    #[test]
    fn what_cannot_be_read_has_a_reason() {
        let root = Root::memory(Host::n150().into_tree());
        let details = read(&root, Pid(1_000_000));
        assert!(details.threads.is_err() && details.environment.is_err() && details.files.is_err());
    }

    #[test]
    fn only_switches_are_shown_of_an_environment() {
        for (name, shown) in [
            ("TT_METAL_HOME", true),
            ("TT_VISIBLE_DEVICES", true),
            ("TTNN_CONFIG_OVERRIDES", true),
            ("ARCH_NAME", true),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("PATH", false),
        ] {
            assert_eq!(is_switch(name), shown, "{name}");
        }
    }
}
