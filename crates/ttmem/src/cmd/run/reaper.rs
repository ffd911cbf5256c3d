//! The duty of a first process: it collects every orphan of its container or namespace once that has ended.

use std::fs;
use std::process::Child;
use std::thread;

use rustix::process::{Pid, WaitOptions, waitpid};
use signal_hook::consts::SIGCHLD;
use signal_hook::iterator::Signals;

/// Collects orphans on a thread of its own, if this process is the first one.
pub(super) fn start(command: &Child) {
    if std::process::id() != 1 {
        return;
    }
    let command = Pid::from_child(command);
    if let Ok(mut signals) = Signals::new([SIGCHLD]) {
        thread::spawn(move || {
            collect(command);
            for _ in &mut signals {
                collect(command);
            }
        });
    }
}

/// Collects every child that has ended, but for the command, which has its own waiter.
fn collect(command: Pid) {
    for child in children().into_iter().filter(|child| *child != command) {
        // It may still run, or be collected already.
        match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(_) | Err(_) => {}
        }
    }
}

fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")));
    let lists: Vec<String> = lists.map(Result::unwrap_or_default).collect();
    let numbers = lists.iter().flat_map(|list| list.split_ascii_whitespace());
    numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}
