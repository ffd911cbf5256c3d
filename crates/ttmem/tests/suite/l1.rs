//! `ttmem l1` over real captures: every screen, the JSON to the byte, and captures with false content.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use insta::assert_snapshot;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

const CAPTURES: [&str; 10] = [
    "wormhole/idle",
    "wormhole/add",
    "wormhole/matmul",
    "wormhole/sharded_add",
    "blackhole/matmul",
    "blackhole/sharded_add",
    "wormhole-fast-dispatch/idle",
    "wormhole-fast-dispatch/add",
    "wormhole-fast-dispatch/matmul",
    "wormhole-fast-dispatch/gelu",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(name)
}

fn ttmem(capture: &Path, arguments: &[&str], columns: usize) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.arg("--capture").arg(capture).args(arguments).env("COLUMNS", columns.to_string());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

/// The text of a look without what differs from one to the next.
fn screen(capture: &str, arguments: &[&str], columns: usize) -> String {
    let output = ttmem(&fixture(capture), arguments, columns);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().skip(1).map(|line| match line.split_once(" in ") {
        Some((before, after)) if after.contains(" us") => {
            let (_, after) = after.split_once(" us").unwrap();
            format!("{before}{after}")
        }
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn failure(capture: &Path, arguments: &[&str]) -> (i32, String) {
    let output = ttmem(capture, arguments, 91);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message.matches('\n').count(), 1, "{message}");
    assert!(output.stdout.is_empty());
    (output.status.code().unwrap(), message.trim_end().to_owned())
}

fn report(capture: &Path) -> Value {
    let output = ttmem(capture, &["l1", "--json"], 91);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_capture_on_every_screen() {
    for name in CAPTURES {
        let mut text = String::new();
        for columns in [91, 60] {
            text += &screen(name, &["l1"], columns);
            text += &screen(name, &["l1", "--core", "0,0"], columns);
        }
        assert_snapshot!(format!("l1 {name}").replace(['/', ' '], "_"), text);
    }
}

#[test]
fn narrow_pages_ascii_and_lists() {
    let matmul = "wormhole-fast-dispatch/matmul";
    assert_snapshot!("l1_matmul_40", screen(matmul, &["l1"], 40));
    assert_snapshot!("l1_matmul_ascii", screen(matmul, &["l1", "--ascii"], 91));
    assert_snapshot!("l1_core_ascii", screen(matmul, &["l1", "--ascii", "--core=1,8"], 91));
    assert_snapshot!("l1_cores_91", screen(matmul, &["l1", "--cores", "--sort=text"], 91));
    assert_snapshot!("l1_cores_40", screen(matmul, &["l1", "--cores"], 40));
    for arguments in [&["l1", "--ascii"][..], &["l1", "--ascii", "--core=7,8"]] {
        assert!(screen("wormhole/matmul", arguments, 91).is_ascii());
    }
}

#[test]
fn no_line_is_longer_than_the_page() {
    for name in CAPTURES {
        for view in [&["l1"][..], &["l1", "--cores"], &["l1", "--core=3,3"]] {
            for columns in [40, 47, 60, 75, 90, 91, 200] {
                for line in screen(name, view, columns).lines() {
                    let width = line.width();
                    assert!(width <= columns.min(91), "{name} {view:?} {columns}: {line}");
                }
            }
        }
    }
}

#[test]
fn colour_marks_and_changes_no_text() {
    let plain = screen("wormhole/matmul", &["l1"], 91);
    let coloured = screen("wormhole/matmul", &["l1", "--color=always"], 91);
    assert!(coloured.contains("\u{1b}[1m●"));
    let mut stripped = String::new();
    for (index, part) in coloured.split('\u{1b}').enumerate() {
        let skip = if index == 0 { 0 } else { part.find('m').unwrap() + 1 };
        stripped += &part[skip..];
    }
    assert_eq!(stripped, plain);
}

#[test]
fn programs_are_sorted_as_asked() {
    let programs = |sort: &str| -> Vec<String> {
        let text = screen("blackhole/matmul", &["l1", "--sort", sort], 91);
        let names = ["binary_ng", "matmul"];
        let name = |line: &str| names.iter().find(|name| line.contains(&format!("  {name}  ")));
        text.lines().filter_map(|line| Some((*name(line)?).to_owned())).collect()
    };
    assert_eq!(programs("number"), ["binary_ng", "matmul"]);
    for sort in ["cores", "cbs", "text"] {
        assert_eq!(programs(sort), ["matmul", "binary_ng"], "{sort}");
    }
}

/// Returns `expected.json` in the names of the report.
fn expected_core(core: &Value) -> Value {
    json!({
        "noc": core["noc"], "logical": core["logical"], "state": core["state"],
        "program": core["program"], "dispatch": core["dispatch"],
        "unreserved": core["unreserved"], "kernels": core["kernels"], "cbs": core["cbs"],
        "cb_bytes": core["cb_bytes"], "kernel_text_bytes": core["kernel_text_bytes"],
    })
}

fn reported_core(core: &Value) -> Value {
    let kernels = core["kernels"].as_array().unwrap().iter();
    let ids: Vec<Value> = kernels.map(|kernel| kernel["id"].clone()).collect();
    json!({
        "noc": core["noc"], "logical": core["logical"], "state": core["state"],
        "program": core["program"], "dispatch": core["dispatch"],
        "unreserved": core["unreserved"], "kernels": ids, "cbs": core["circular_buffers"],
        "cb_bytes": core["circular_buffer_bytes"], "kernel_text_bytes": core["kernel_text_bytes"],
    })
}

#[test]
fn the_report_says_what_an_independent_decoder_said() {
    for name in CAPTURES {
        let expected = fs::read(fixture(name).join("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let report = report(&fixture(name));
        assert_eq!(report["schema"], "ttmem/l1");
        assert_eq!(report["version"], "1.2");
        let chip = &report["chips"][0];
        assert_eq!((&chip["id"], &chip["arch"]), (&Value::Null, &expected["arch"]), "{name}");
        let own: Vec<Value> = chip["cores"].as_array().unwrap().iter().map(reported_core).collect();
        let other: Vec<Value> =
            expected["cores"].as_array().unwrap().iter().map(expected_core).collect();
        assert_eq!(own, other, "{name}");
        for state in ["running", "finished", "idle"] {
            let (own, other) = (&chip["totals"][state], &expected["summary"][state]);
            assert_eq!(own["cores"], other["cores"], "{name} {state}");
            assert_eq!(own["circular_buffer_bytes"], other["cb_bytes"], "{name} {state}");
            assert_eq!(own["kernel_text_bytes"], other["kernel_text_bytes"], "{name} {state}");
        }
    }
}

#[test]
fn a_look_is_repeated_as_json_lines() {
    let arguments = ["l1", "--json", "-l", "100ms", "-c", "2"];
    let output = ttmem(&fixture("wormhole/add"), &arguments, 91);
    let text = String::from_utf8(output.stdout).unwrap();
    let samples: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[0], samples[1]);
}

#[test]
fn a_capture_of_a_capture_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let copy_name = copy.to_str().unwrap();
    let original = fixture("wormhole-fast-dispatch/gelu");
    let saved = ttmem(&original, &["l1", "--save", copy_name], 91);
    let said = String::from_utf8(saved.stdout).unwrap();
    assert_eq!(said, format!("1 chip saved; ttmem l1 --capture {copy_name} shows them\n"));
    assert_eq!(report(&copy), report(&original));
    let (code, message) = failure(&original, &["l1", "--save", copy_name]);
    assert_eq!(code, 5);
    assert!(message.contains("File exists") && message.contains("without a capture"), "{message}");
}

/// A capture whose files were changed.
fn damaged(change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["index.json", "l1.bin.gz", "kernels.yaml"] {
        let bytes = fs::read(fixture("wormhole/matmul").join(file)).unwrap();
        fs::write(folder.path().join(file), change(file, bytes)).unwrap();
    }
    folder
}

#[test]
fn captures_that_lie_are_one_line() {
    let cut = damaged(|file, mut bytes| {
        if file == "l1.bin.gz" {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    });
    let claims_too_much = damaged(|file, bytes| match file {
        "index.json" => {
            let text = String::from_utf8(bytes).unwrap();
            text.replacen("\"offset\": 0", "\"offset\": 999999999", 1).into_bytes()
        }
        _ => bytes,
    });
    let no_list = damaged(|file, bytes| if file == "index.json" { b"{}".to_vec() } else { bytes });
    for (capture, word) in
        [(&cut, "unpacked"), (&claims_too_much, "a part ends at"), (&no_list, "chips")]
    {
        for view in [&["l1"][..], &["l1", "--json"], &[]] {
            let (code, message) = failure(capture.path(), view);
            assert_eq!(code, 12, "{message}");
            assert!(message.contains("cannot read the capture"), "{message}");
            assert!(message.contains(word), "{word}: {message}");
        }
    }
    let (code, message) = failure(Path::new("/nowhere"), &["l1"]);
    assert_eq!(code, 5, "{message}");
    assert!(message.contains("/nowhere") && message.contains("--save"), "{message}");
}

#[test]
fn a_layout_that_nobody_knows_is_refused() {
    use std::io::Write as _;
    let zeros = damaged(|file, bytes| match file {
        "l1.bin.gz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(&vec![0; 80 * 17_408]).unwrap();
            packer.finish().unwrap()
        }
        _ => bytes,
    });
    let (code, message) = failure(zeros.path(), &["l1"]);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("unknown TT-Metal layout"), "{message}");
    let snapshot = ttmem(zeros.path(), &["--json"], 91);
    let snapshot: Value = serde_json::from_slice(&snapshot.stdout).unwrap();
    let used = &snapshot["chips"][0]["memory"]["circular_buffers"]["used"];
    assert_eq!(used["missing"], "unsupported");
}

#[test]
fn names_are_there_or_it_is_said_why_not() {
    let nameless = damaged(|_, bytes| bytes);
    fs::remove_file(nameless.path().join("kernels.yaml")).unwrap();
    let output = ttmem(nameless.path(), &["l1"], 91);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("no names: the capture has no kernels.yaml"), "{text}");
    assert!(text.contains("≈94.2 KiB"), "all text is taken for the application's: {text}");
    assert_eq!(report(nameless.path())["chips"][0]["cores"][0]["kernels"][0]["name"], Value::Null);
}

#[test]
fn chips_and_cores_that_are_not_there() {
    let capture = fixture("wormhole/add");
    let (code, message) = failure(&capture, &["l1", "-i", "1"]);
    assert_eq!((code, message.as_str()), (6, "ttmem: no chip `1`; there is chip 0"));
    let (code, message) = failure(&capture, &["l1", "--core", "8,3"]);
    assert_eq!(code, 6);
    assert!(message.contains("columns are 0 to 7 and rows 0 to 9"), "{message}");
    let (code, message) = failure(&capture, &["l1", "--core", "8"]);
    assert_eq!(code, 2);
    assert!(message.contains("column and row, such as 3,4"), "{message}");
}

#[test]
fn a_sample_keeps_to_its_budget() {
    let capture = fixture("wormhole/add");
    let (code, message) = failure(&capture, &["l1", "--budget", "10K"]);
    assert_eq!(code, 12);
    assert!(message.contains("10240 bytes of its budget"), "{message}");
    assert_eq!(ttmem(&capture, &["l1", "--budget", "1M"], 91).status.code(), Some(0));
    assert_eq!(failure(&capture, &["l1", "--budget", "much"]).0, 2);
}

/// The layout of an owner whose firmware is not found, and whose release left no magic number or that of another one.
#[test]
fn the_layout_can_be_named_by_release_or_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let capture = fixture("wormhole/add");
    let elf = folder.path().join("brisc.elf");
    let packed = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packed = packed.join("../../fixtures/elf/brisc_wormhole_0.81.1.elf.gz");
    let mut bytes = Vec::new();
    let packed = fs::read(packed).unwrap();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    fs::write(&elf, bytes).unwrap();
    let elf = elf.to_str().unwrap();

    let found = report(&capture);
    for (layout, label) in [("0.81.1", "0.81.1 (named)"), (elf, &*format!("DWARF {elf}"))] {
        let output = ttmem(&capture, &["l1", "--json", "--layout", layout], 91);
        let named: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(named["chips"][0]["layout"], *label);
        assert_eq!(named["chips"][0]["cores"], found["chips"][0]["cores"], "{layout}");
    }
    let (code, message) = failure(&capture, &["l1", "--layout", "0.62.2"]);
    assert_eq!(code, 3);
    assert!(message.contains("no core holds what layout 0.62.2 (named) says"), "{message}");
    let (code, message) = failure(&capture, &["l1", "--layout", "0.55.0"]);
    assert_eq!(code, 2);
    assert!(message.contains("known are 0.60.1, 0.62.2, 0.64.5"), "{message}");
    let index = capture.join("index.json");
    for (file, why) in [(index.to_str().unwrap(), "is no ELF file"), ("none.elf", "cannot read")] {
        let (code, message) = failure(&capture, &["l1", "--layout", file]);
        assert_eq!(code, 5);
        assert!(message.contains(why) && message.contains("name a release"), "{message}");
    }
}

#[test]
fn hosts_without_l1_say_what_to_do() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ttmem")).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let (code, message) = run(&["--root", root, "l1"]);
    assert_eq!(code, 9);
    assert!(message.contains("--capture") && message.contains("--demo"), "{message}");
    ttmem_fake::Host::n150().into_tree().write_to(folder.path()).unwrap();
    let (code, message) = run(&["--root", root, "l1"]);
    assert_eq!(code, 3);
    assert!(message.contains("chip 0: a captured host has no devices"), "{message}");
}

#[test]
fn the_demonstration_has_l1() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ttmem"))
            .args(arguments)
            .env_remove("COLUMNS")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_snapshot!("l1_demo", run(&["l1", "--demo"]));
    assert_snapshot!("demo_with_l1", run(&["--demo", "--l1"]));
    let report: Value = serde_json::from_str(&run(&["l1", "--demo", "--json"])).unwrap();
    let snapshot: Value = serde_json::from_str(&run(&["--demo", "--l1", "--json"])).unwrap();
    assert_eq!(report["chips"][0]["id"], snapshot["chips"][0]["id"]);
    let used = &snapshot["chips"][0]["memory"]["circular_buffers"]["used"];
    assert_eq!((&used["value"], &used["quality"]), (&json!(12_582_912), &json!("exact")));
}

#[test]
fn a_capture_is_a_chip_of_the_snapshot() {
    let sharded = fixture("wormhole/sharded_add");
    let output = ttmem(&sharded, &["--json"], 91);
    let snapshot: Value = serde_json::from_slice(&output.stdout).unwrap();
    let chip = &snapshot["chips"][0];
    assert_eq!((&chip["id_source"], &chip["arch"]), (&json!("capture"), &json!("wormhole")));
    assert_eq!(chip["worker_cores"]["value"], 80);
    let memory = &chip["memory"];
    assert_eq!(memory["l1_total"]["capacity"]["value"], 80 * 1_499_136);
    assert_eq!(memory["circular_buffers"]["used"]["value"], 9_437_184);
    assert_eq!(memory["circular_buffers"]["running"]["value"], 9_437_184);
    assert_eq!(memory["circular_buffers"]["aliasing"]["missing"], "no-source");
    assert_eq!(memory["kernels"]["used"]["value"], 72 * 1340);
    assert_eq!(memory["kernels"]["system"]["value"], 0);
    assert_eq!(memory["reserved"]["used"]["value"], 80 * 105_824);
    let total = &memory["l1_total"]["used"];
    assert_eq!(total["missing"], "no-source");
    let least = format!("at least {} bytes", 80 * 105_824 + 9_437_184);
    assert!(total["detail"].as_str().unwrap().starts_with(&least), "{total}");
    let sources: Vec<(&str, &str)> = snapshot["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["name"].as_str().unwrap(), source["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("kmd", "absent"),
        ("upstream", "absent"),
        ("agent", "absent"),
        ("l1", "ok"),
        ("inspector", "ok"),
    ];
    assert_eq!(sources, expected);
    let text = screen("wormhole/sharded_add", &[], 91);
    assert_snapshot!("capture_91", text);
}
