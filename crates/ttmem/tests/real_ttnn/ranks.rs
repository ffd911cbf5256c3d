//! A job of two ranks that the real mpirun starts, each recorded into one folder: the report merges them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{agent_library, in_own_shm, is_installed, testbed};

/// Runs in a host of its own: name, network, processes and `/dev/shm`.
const HOST: &str = "exec unshare --uts --net --mount --pid --fork --mount-proc sh -c \
                    'mount -t tmpfs tmpfs /dev/shm && hostname node$OMPI_COMM_WORLD_RANK && exec \"$@\"' - \"$@\"";

const RECORD: [&str; 5] = ["record", "-l", "200ms", "-o", "job/run-%r.ttmem"];
const RUN: [&str; 2] = ["run", "--report=job/run-%r.json"];

/// Runs two ranks by a command of ttmem, the second with more memory and a refused allocation, and reports them. Stock ttnn starts MPI under
/// mpirun, with a library of its own that does not reach other ranks of another Open MPI: it does not see the job here.
fn report(folder: &Path, host: &str, command: &[&str]) -> (Value, String) {
    std::fs::create_dir(folder.join("job")).unwrap();
    let testbed = testbed();
    let ttmem = env!("CARGO_BIN_EXE_ttmem");
    let python = ["env", "-u", "PMIX_NAMESPACE", "-u", "PMIX_RANK"];
    let (run, workload) = (testbed.join("run"), testbed.join("workload.py"));
    let run = [run.to_str().unwrap(), "--mock", "n150", workload.to_str().unwrap()];
    let mut mpirun = match host {
        HOST => Command::new("mpirun"),
        _ => in_own_shm("mpirun"),
    };
    mpirun.current_dir(folder).args(["--allow-run-as-root", "--oversubscribe"]);
    for (number, steps) in [["dram=9", "ops"], ["dram=30", "fail"]].iter().enumerate() {
        mpirun.args((number > 0).then_some(":")).args(["-n", "1", "sh", "-c", host, "-"]);
        mpirun.arg(ttmem).args(command).arg("--").args(python).args(run).args(steps);
    }
    for variable in ["RANK", "PYTEST_XDIST_WORKER"] {
        mpirun.env_remove(variable);
    }
    // Not a recording: passed over.
    std::fs::write(folder.join("job/notes.txt"), "x").unwrap();
    let output = mpirun.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ttmem = |arguments: &[&str]| {
        let mut ttmem = Command::new(env!("CARGO_BIN_EXE_ttmem"));
        let output = ttmem.current_dir(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let json = serde_json::from_str(&ttmem(&["report", "--json", "job"])).unwrap();
    assert!(ttmem(&["report", "--html", "job"]).contains("first_failure"));
    (json, ttmem(&["report", "job"]))
}

#[test]
fn ranks_of_mpirun_are_merged_on_one_clock() {
    if !is_installed() {
        return;
    }
    let succeeds = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !succeeds("mpirun", &["--version"]) {
        assert!(std::env::var_os("CI").is_none(), "CI installs the package openmpi-bin");
        eprintln!("passed over: mpirun is not installed (apt-get install openmpi-bin)");
        return;
    }
    agent_library::build();
    let has_namespaces =
        succeeds("unshare", &["--uts", "--net", "--mount", "--pid", "--fork", "true"]);
    let mut commands = vec![("exec \"$@\"", 1)];
    match has_namespaces {
        true => commands.push((HOST, 2)),
        false => eprintln!("no namespaces here: both ranks are on one host only"),
    }
    if has_namespaces {
        let folder = tempfile::tempdir().unwrap();
        let (json, _) = report(folder.path(), HOST, &RUN);
        let hosts = json["ranks"]["each"].as_array().unwrap().iter().map(|rank| &rank["host"]);
        assert_eq!(hosts.collect::<Vec<_>>(), ["node0", "node1"], "{json}");
        assert_eq!(json["ranks"]["first_failure"]["host"], "node1", "{json}");
    }
    for (command, hosts) in commands {
        let folder = tempfile::tempdir().unwrap();
        let (json, text) = report(folder.path(), command, &RECORD);
        let ranks = &json["ranks"];
        let each = ranks["each"].as_array().unwrap();
        let numbers: Vec<_> = each.iter().map(|rank| rank["rank"].as_u64().unwrap()).collect();
        assert_eq!((numbers, &ranks["hosts"]), (vec![0, 1], &hosts.into()), "{ranks}");
        if hosts == 2 {
            assert_eq!((&each[0]["host"], &each[1]["host"]), (&"node0".into(), &"node1".into()));
        }
        // Every rank as its own process has it.
        let processes = json["processes"].as_array().unwrap();
        let peak = |rank: &Value| {
            let number = rank["rank"].to_string();
            let mut same = processes
                .iter()
                .filter(|process| process["pid"] == rank["pid"] && process["rank"] == *number);
            let (process, others) = (same.next().unwrap(), same.count());
            assert_eq!(others, 0, "each process once");
            let mut peaks = process["peaks"].as_array().unwrap().iter();
            peaks.find(|peak| peak["kind"] == "dram").unwrap()["bytes"].as_u64().unwrap()
        };
        let (low, high) = (peak(&each[0]), peak(&each[1]));
        assert!(low >= 9 << 20 && high >= 30 << 20 && low < high, "{low} {high}");
        let dram = &ranks["imbalance"][0];
        let figures = [&dram["least"], &dram["mean"], &dram["most"], &dram["rank"]];
        assert_eq!(
            figures.map(|figure| figure.as_u64().unwrap()),
            [low, low.midpoint(high), high, 1]
        );
        let failure = &ranks["first_failure"];
        assert_eq!((&failure["rank"], &failure["kind"]), (&1.into(), &"dram".into()));
        let op = failure["op"].as_str().unwrap();
        assert!(text.contains(&format!("failed first in {op}, ")), "{text}");
        assert!(text.contains("DRAM: rank 1 has "), "{text}");
        let since = ranks["since"].as_u64().unwrap();
        let at = failure["at_us"].as_u64().unwrap();
        assert!(at > since && at - since < 120_000_000, "{ranks}");
    }
}
