//! `ttmem report` of recordings.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{fail, host, print, run};

fn fixture(version: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recording");
    folder.join(format!("{version}.ttmem")).canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_recording_tells_of_chips_and_of_what_agents_said() {
    let folder = tempfile::tempdir().unwrap();
    let text = print(folder.path(), &["report", &fixture("1.1")]);
    for words in [
        "4 snapshots",
        "Highest of each chip",
        "3.00 GiB",
        "has died and left device memory behind",
        "Process 4242",
        "Matmul, after 402ms",
        "Refused allocations",
        "never freed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json: Value =
        serde_json::from_str(&print(folder.path(), &["report", "--json", &fixture("1.1")]))
            .unwrap();
    assert_eq!((&json["schema"], &json["version"]), (&"ttmem/run".into(), &"1.9".into()));
    assert_eq!(json["processes"][0]["peaks"][0]["op"], "Matmul");
    assert_eq!(json["processes"][0]["name"], "python3");
    let dram = &json["recordings"][0]["series"]["chips"][0]["kinds"][0];
    assert_eq!((&dram["kind"], &dram["peak"]), (&"dram".into(), &(3_u64 << 30).into()));
    assert_eq!(dram["used"], serde_json::json!([0, 1073741824_u64, 3221225472_u64, 0]));
}

#[test]
fn a_recording_without_agents_says_how_to_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = print(folder.path(), &["report", &fixture("1.0")]);
    assert!(text.contains("No process in it ran with the agent"), "{text}");
}

#[test]
fn the_agent_of_a_process_that_merely_ran_is_in_the_recording() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        run(folder.path(), &["--demo", "record", "-o", "a", "-l", "100ms", "--for", "150ms"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("snapshots, allocations of 1 process"), "{said}");
    let text = print(folder.path(), &["report", "a"]);
    assert!(text.contains("Process 52110 python3") && text.contains("still runs"), "{text}");
    assert!(text.contains("ScaledDotProductAttention"), "{text}");
}

#[test]
fn a_cut_recording_is_reported_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(fixture("1.1")).unwrap();
    std::fs::write(folder.path().join("cut"), &good[..good.len() - 200]).unwrap();
    let text = print(folder.path(), &["report", "cut"]);
    assert!(text.contains("Its end is missing") && text.contains("4 snapshots"), "{text}");
    std::fs::write(folder.path().join("head"), &good[..10]).unwrap();
    let said = fail(folder.path(), &["report", "head"], 5);
    assert!(said.starts_with("head: the recording ends in its header"), "{said}");
    assert!(
        fail(folder.path(), &["report", "none"], 6)
            .contains("name a recording or an agent segment")
    );
    let host = host(folder.path());
    assert!(fail(folder.path(), &["report", &host], 6).contains("has no recording"));
}

#[test]
fn a_trace_has_counters_slices_and_instants() {
    let folder = tempfile::tempdir().unwrap();
    print(folder.path(), &["report", &fixture("1.1"), "--perfetto", "-o", "trace.json"]);
    let text = std::fs::read_to_string(folder.path().join("trace.json")).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["ph"] == phase).collect()
    };
    for event in events {
        assert!(event["pid"].is_u64() && event["name"].is_string(), "{event}");
        assert!(
            event["ts"].as_u64().is_some_and(|ts| ts > 1 << 50) || event["ph"] == "M",
            "{event}"
        );
    }
    let names: Vec<&Value> = of("M").iter().map(|event| &event["args"]["name"]).collect();
    assert_eq!(names, ["chip 0 n150", "python3"]);
    let dram: Vec<&Value> = of("C").into_iter().filter(|event| event["name"] == "DRAM").collect();
    assert_eq!(dram.len(), 4);
    assert_eq!(dram[2]["args"]["bytes"], 3_u64 << 30);
    let slices: Vec<(&Value, u64)> =
        of("X").iter().map(|event| (&event["name"], event["dur"].as_u64().unwrap())).collect();
    assert_eq!(slices[0].0, "Embedding");
    assert!(slices.iter().all(|(_, length)| *length > 0), "{slices:?}");
    let instants = of("i");
    assert!(instants.iter().any(|event| event["cat"] == "failure"), "{instants:?}");
    assert!(instants.iter().any(|event| event["name"] == "process-died"), "{instants:?}");
}

#[test]
fn a_report_has_one_form() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "a,b\n").unwrap();
    let said = fail(folder.path(), &["report", "text"], 5);
    assert_eq!(said, "text is neither a recording nor a complete agent segment");
    let said = fail(folder.path(), &["report", &fixture("1.1"), "--html", "--json"], 2);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn a_report_is_never_written_over_what_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("run.ttmem");
    std::fs::copy(fixture("1.1"), &recording).unwrap();
    std::os::unix::fs::symlink("run.ttmem", folder.path().join("link")).unwrap();
    for output in ["run.ttmem", "link", "./run.ttmem"] {
        let said = fail(folder.path(), &["report", "run.ttmem", "--html", "-o", output], 2);
        assert!(said.ends_with("is an input of the report; name another file with -o"), "{said}");
    }
    assert_eq!(std::fs::read(&recording).unwrap(), std::fs::read(fixture("1.1")).unwrap());
    let piped = print(folder.path(), &["report", "run.ttmem", "-o", "-"]);
    assert_eq!(piped, print(folder.path(), &["report", "run.ttmem"]));
    assert!(!folder.path().join("-").exists());
}

#[test]
fn json_reports_of_ranks_are_compared_beside_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let whole = print(folder.path(), &["report", "--json", &fixture("1.1")]);
    let report: Value = serde_json::from_str(&whole).unwrap();
    std::fs::create_dir(folder.path().join("job")).unwrap();
    for (rank, factor) in [(0, 1), (1, 3)] {
        let mut of_rank = report.clone();
        of_rank.as_object_mut().unwrap().remove("recordings");
        let process = &mut of_rank["processes"][0];
        process["rank"] = rank.to_string().into();
        process["since"] = (process["since"].as_u64().unwrap() + rank * 1_000_000).into();
        for peak in process["peaks"].as_array_mut().unwrap() {
            peak["bytes"] = (peak["bytes"].as_u64().unwrap() * factor).into();
        }
        let file = folder.path().join(format!("job/run-{rank}.json"));
        std::fs::write(file, serde_json::to_vec_pretty(&of_rank).unwrap()).unwrap();
    }
    std::fs::write(folder.path().join("job/notes.json"), "{\"of\": \"another tool\"}").unwrap();
    let text = print(folder.path(), &["report", "job"]);
    for words in [
        "2 ranks on 1 host, since",
        "Rank 0 on tt-host failed first",
        "rank 1 has",
        "50 % above the mean",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("No process of this command"), "{text}");
    std::fs::copy(fixture("1.1"), folder.path().join("job/other.ttmem")).unwrap();
    let json: Value =
        serde_json::from_str(&print(folder.path(), &["report", "--json", "job"])).unwrap();
    assert_eq!(json["ranks"]["each"].as_array().unwrap().len(), 2);
    assert_eq!(json["ranks"]["each"][1]["after_us"], 1_000_000);
    assert_eq!(json["recordings"].as_array().unwrap().len(), 1);
    let error = fail(folder.path(), &["report", "job/run-0.json"], 6);
    assert!(error.contains("of one rank"), "{error}");
    std::fs::write(folder.path().join("job/run-2.json"), &whole[..400]).unwrap();
    let error = fail(folder.path(), &["report", "job"], 5);
    assert!(error.contains("run-2.json"), "{error}");
}
