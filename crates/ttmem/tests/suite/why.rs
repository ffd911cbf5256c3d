//! `--why`.

use serde_json::Value;

use crate::cli::{failure, stdout};

#[test]
fn telemetry_has_its_file() {
    let text = stdout(&["--demo", "--why", "chips.0.telemetry.power_w"]);
    assert!(text.contains("/hwmon/hwmon*/power1_input"), "{text}");
}

#[test]
fn a_trace_is_text_or_json() {
    let path = "chips.0.memory.dram.used";
    let text = stdout(&["--demo", "--why", path]);
    assert!(text.contains("Rule") && text.contains("Parts"), "{text}");
    let json: Value = serde_json::from_str(&stdout(&["--demo", "--json", "--why", path])).unwrap();
    assert_eq!(json["path"], path);
    let sum: u64 =
        json["parts"].as_array().unwrap().iter().map(|part| part["value"].as_u64().unwrap()).sum();
    assert_eq!(json["reading"]["value"], sum);
}

#[test]
fn a_wrong_path_is_one_line_with_the_nearest() {
    let (code, line) = failure(&["--demo", "--why", "chips.0.memory.dram.usde"]);
    assert_eq!(code, 2);
    assert!(line.contains("did you mean `chips.0.memory.dram.used`"), "{line}");
}

#[test]
fn a_name_alone_is_answered_with_paths_that_exist() {
    let (code, line) = failure(&["--demo", "--why", "nope"]);
    assert_eq!(code, 2);
    let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    let [asked, paths @ ..] = &quoted[..] else { panic!("{line}") };
    assert_eq!((*asked, paths.len()), ("nope", 3), "{line}");
    for path in paths {
        assert!(stdout(&["--demo", "--why", path]).contains("Rule"), "{path}");
    }
    let (_, line) = failure(&["--demo", "--why", "largest_fre"]);
    assert!(line.contains(".largest_free`"), "{line}");
}

#[test]
fn numbers_that_are_no_readings_are_traced() {
    for path in ["time_us", "chips.0.index", "chips.0.region.id", "processes.0.pid"] {
        assert!(stdout(&["--demo", "--why", path]).contains("Rule"), "{path}");
    }
    let text = stdout(&["--demo", "--why", "chips.0.memory.dram.used.value"]);
    assert!(text.contains("Parts"), "{text}");
}
