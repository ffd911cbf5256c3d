//! A process that allocates and frees all the time: TT-Metal's statistics are read while calls are under way, and that is no
//! difference between its figures and those of the hooks.

use std::thread::sleep;
use std::time::Duration;

use super::{Workload, is_installed, process, snapshot};

#[test]
fn calls_under_way_are_no_difference() {
    if !is_installed() {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let mut busy = Workload::under_agent("busy.py", shm.path());
    let said = busy.line();
    // A figure of TT-Metal's is shown with its own age; a sum of the hooks is as old as the copy, as that of L1 is.
    for _ in 0..60 {
        sleep(Duration::from_millis(50));
        let shown = snapshot();
        let memory = &process(&shown, &said["pid"])["chips"][0]["memory"];
        assert_eq!(memory["dram"]["source"], "agent");
        assert_eq!(memory["dram"]["age_us"], memory["l1"]["age_us"]);
    }
    busy.end();
}
