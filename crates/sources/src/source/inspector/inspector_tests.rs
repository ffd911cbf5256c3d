use super::*;
use crate::source::process::Processes;
use ttmem_root::{Entry, Tree};

const PID: Pid = Pid(77);
/// The process starts 1,007 seconds after 1970.
const STARTED_NS: u64 = 1_007_000_000_000;
const STARTED: &str = "9 (python) S 0 0 0 0 0 0 0 0 0 0 150 50 0 0 20 0 1 0 700 0 0";

fn kernels(name: &str) -> String {
    format!("- kernel:\n    watcher_kernel_id: 1\n    name: {name}\n    program_id: 0\n")
}

/// A host whose process 77 works in `/srv/run`.
fn host() -> Tree {
    let mut tree = Tree::new();
    tree.put_line("/proc/stat", "btime 1000");
    tree.put_line("/proc/77/stat", STARTED);
    tree.put("/proc/77/cwd", Entry::Link("/srv/run".into()));
    tree.put("/proc/77/environ", Entry::file("A=1\0"));
    tree
}

fn put(tree: &mut Tree, directory: &str, name: &str, begun_ns: u64) {
    let path = format!("{directory}/generated/inspector");
    tree.put(format!("{path}/kernels.yaml"), Entry::file(kernels(name)));
    let text = format!(
        "startup_time:\n  system_clock_iso: '1970-01-01T00:16:47Z'\n  system_clock_ns: {begun_ns}\n"
    );
    tree.put(format!("{path}/startup.yaml"), Entry::file(text));
}

fn names(tree: Tree) -> Result<String, String> {
    let root = Root::memory(tree);
    let mut processes = Processes::new(&root);
    processes.add(PID);
    let processes = processes.finish();
    let names = of_processes(&root, [(PID, processes.get(&PID))]);
    names.map(|names| names.by_id[&1].name.clone()).map_err(|missing| missing.detail.into_owned())
}

#[test]
fn the_working_directory_is_where_it_is_unless_a_variable_names_another() {
    let mut tree = host();
    put(&mut tree, "/srv/run", "reader", STARTED_NS + 1);
    assert_eq!(names(tree), Ok("reader".into()));

    for variable in ["TT_METAL_LOGS_PATH=/logs/", "TT_METAL_LOGS_PATH=../../logs"] {
        let mut tree = host();
        tree.put("/proc/77/environ", Entry::file(format!("A=1\0{variable}\0")));
        put(&mut tree, "/srv/run", "reader", STARTED_NS);
        put(&mut tree, "/logs", "writer", STARTED_NS);
        assert_eq!(names(tree), Ok("writer".into()), "{variable}");
    }
}

#[test]
fn a_file_of_another_run_is_not_used() {
    let mut tree = host();
    put(&mut tree, "/srv/run", "reader", STARTED_NS - 3_000_000_000);
    assert!(names(tree).unwrap_err().contains("began before process 77"));

    let mut tree = host();
    put(&mut tree, "/srv/run", "reader", STARTED_NS);
    tree.remove("/srv/run/generated/inspector/startup.yaml");
    assert!(names(tree).unwrap_err().contains("may be another run's"));
    assert!(names(host()).unwrap_err().contains("has no generated/inspector/kernels.yaml"));
}

#[test]
fn an_open_file_is_the_process_s_own() {
    let mut tree = host();
    put(&mut tree, "/srv/run", "somebody_else", STARTED_NS);
    tree.put("/proc/77/fd/3", Entry::Link("/dev/null".into()));
    assert!(names(tree).unwrap_err().contains("its Inspector is off"));

    let mut tree = host();
    put(&mut tree, "/gone", "reader", 0);
    tree.put("/proc/77/fd/3", Entry::Link("/gone/generated/inspector/kernels.yaml".into()));
    assert_eq!(names(tree), Ok("reader".into()));
}

#[test]
fn a_process_that_hides_its_files_is_denied() {
    let mut tree = host();
    tree.put("/proc/77/fd", Entry::Error(rustix::io::Errno::ACCESS));
    let root = Root::memory(tree);
    let denied = file_of_process(&root, PID, None).unwrap_err();
    assert_eq!(denied.reason, ttmem_model::MissingReason::Denied);
}

#[test]
fn an_id_that_two_processes_use_has_no_name() {
    let mut tree = host();
    put(&mut tree, "/srv/run", "reader", STARTED_NS);
    tree.put("/proc/78/cwd", Entry::Link("/other".into()));
    put(&mut tree, "/other", "writer", STARTED_NS);
    let root = Root::memory(tree);
    let of = |pids: &[i32]| of_processes(&root, pids.iter().map(|pid| (Pid(*pid), None))).unwrap();
    assert_eq!(of(&[77, 77]).by_id.len(), 1);
    assert_eq!(of(&[77, 79]).by_id.len(), 1);
    assert_eq!(of(&[77, 78]).by_id.len(), 0);
}

#[test]
fn a_half_written_file_gives_the_entries_that_are_whole() {
    let mut tree = host();
    put(&mut tree, "/srv/run", "reader", STARTED_NS);
    let half = format!("{}- kernel:\n    watcher_kernel_id: 2\n    na", kernels("reader"));
    tree.put("/srv/run/generated/inspector/kernels.yaml", Entry::file(half));
    let names = of_processes(&Root::memory(tree), [(PID, None)]).unwrap();
    assert_eq!(names.by_id.keys().copied().collect::<Vec<_>>(), [1]);
}
