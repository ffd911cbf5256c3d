//! Memory of the host during a run that did not end well.

use ttmem_analysis::run_report::{HostMemory, LockedLimit};
use ttmem_model::Bytes;

use super::{Role, Sheet, hanging, text};

/// Draws the memory of the host if the command failed or a process was killed.
pub(super) fn draw(sheet: &mut Sheet<'_>, memory: &HostMemory, exit_code: Option<i32>) {
    if exit_code == Some(0) && memory.cause.is_none() {
        return;
    }
    if let Some(cause) = memory.cause {
        text(sheet, Role::Notice, 0, cause.sentence());
    }
    if let Some(line) = &memory.kernel_line {
        hanging(sheet, (Role::Plain, 0), "kernel: ", line);
    }
    let line = line(memory);
    if !line.is_empty() {
        hanging(sheet, (Role::Quiet, 0), "Host memory: ", &line);
    }
}

fn line(memory: &HostMemory) -> String {
    let sampled = memory.largest.as_ref().map(|largest| largest.bytes);
    let name = memory.largest.as_ref().filter(|_| sampled == memory.peak_bytes);
    let name = name.map(|largest| format!(" of {} {}", largest.name, largest.pid));
    let name = name.unwrap_or_default();
    let parts = [
        memory
            .peak_bytes
            .map(|bytes| format!("the largest process had at most {} (VmHWM{name})", Bytes(bytes))),
        memory.total_bytes.map(|bytes| format!("the host has {}", Bytes(bytes))),
        memory.hugepages_bytes.map(|bytes| match bytes {
            0 => "hugepages reserve none of it".to_owned(),
            bytes => format!("hugepages reserve {} of it", Bytes(bytes)),
        }),
        memory.cgroup_limit_bytes.map(|bytes| format!("the cgroup allows {}", Bytes(bytes))),
        memory.locked_limit.map(|limit| match limit {
            LockedLimit::Bytes(bytes) => format!("locked memory is limited to {}", Bytes(bytes)),
            LockedLimit::Unlimited => "locked memory is not limited".to_owned(),
        }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
