//! A report says which process was which and how each ended: by `_exit`, by a signal, in order.

use serde_json::Value;

use super::{agent_library, is_installed, testbed, ttmem_in_own_shm};

/// Runs a shell script, in which `$RUN` starts Python on a mock device, under `ttmem run`. Returns the report as JSON and as
/// text.
fn report(script: &str) -> (Value, String) {
    agent_library::build();
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let run = |target: &str| {
        ttmem_in_own_shm()
            .args(["run", target, "--", "sh", "-c", script])
            .env("RUN", format!("{} --mock n150 -- -c", testbed().join("run").display()))
            .env_remove("RANK")
            .output()
            .unwrap()
    };
    run(&format!("--report={}", file.path().display()));
    let json = serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
    (json, String::from_utf8_lossy(&run("--report").stderr).into_owned())
}

const OPEN: &str = "import os, ttnn; d = ttnn.open_device(device_id=0); ";

#[test]
fn processes_have_names_ranks_and_ends() {
    if !is_installed() {
        return;
    }
    let script = format!(
        "RANK=0 $RUN '{OPEN} ttnn.close_device(d); os._exit(4)'; RANK=1 SLURM_JOB_ID=47 $RUN '{OPEN} ttnn.close_device(d)'; \
         PYTEST_XDIST_WORKER=gw2 $RUN '{OPEN} os.kill(os.getpid(), 9)'; true"
    );
    let (json, text) = report(&script);
    let processes = json["processes"].as_array().unwrap();
    let ends: Vec<_> = processes
        .iter()
        .map(|process| {
            [&process["rank"], &process["end"], &process["exit_code"]].map(Value::to_string)
        })
        .collect();
    assert_eq!(
        ends,
        [
            ["\"0\"", "\"left\"", "4"],
            ["\"1\"", "\"exited\"", "null"],
            ["\"gw2\"", "\"killed\"", "null"]
        ]
    );
    assert_eq!(processes[1]["job"], "47");
    let command = processes[0]["command"].as_str().unwrap();
    assert!(command.contains("python -c import os, ttnn"), "{command}");
    for words in [
        "rank 0 · left by _exit(4)",
        "rank 1, job 47 · exited normally",
        "gw2 · ended without closing its devices",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    let (json, text) = report(&format!("exec $RUN '{OPEN} os.kill(os.getpid(), 11)'"));
    let process = &json["processes"][0];
    assert_eq!((&process["end"], &process["signal"]), (&"killed".into(), &11.into()));
    assert!(text.contains("killed by signal 11"), "{text}");
}

#[test]
fn a_forked_child_that_opens_no_device_is_not_called_uncounted() {
    if !is_installed() {
        return;
    }
    agent_library::build();
    let script = format!(
        "{OPEN}child = os.fork() or (__import__('time').sleep(1), os._exit(0)); os.waitpid(child, 0)"
    );
    let output = ttmem_in_own_shm()
        .args(["run", "--limit", "dram=1GiB", "--"])
        .arg(testbed().join("run"))
        .args(["--mock", "n150", "--", "-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("counted") && !said.contains("RTLD_DEEPBIND"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
}
