//! Kernels that are really compiled: the bytes that the agent reports are those of the compiled files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use ttmem_segment::{Programs, Resident};

use super::{CAPTURED, Steps, repository};

/// Captures of kernels that were really compiled, and the mock machine with as many cores.
const CAPTURED_REAL: [(&str, &str, bool); 2] =
    [("wormhole-fast-real", "n150_whole", false), ("wormhole-two-queues", "n150", true)];

/// A kernel by name, with the bytes of text of all its processors.
type Kernels = BTreeSet<(String, u64)>;

/// Bytes of a compiled file that are loaded, as binutils reads them: text, and behind it the initial values of variables.
fn loaded_bytes(file: &Path) -> u64 {
    let output = Command::new("riscv64-unknown-elf-readelf").arg("-lW").arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Type, offset, virtual and physical address, bytes in the file, bytes in memory, flags, alignment.
    let segments = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let loaded = segments.filter(|words| words.first() == Some(&"LOAD"));
    let bytes = |words: Vec<&str>| u64::from_str_radix(words[4].trim_start_matches("0x"), 16);
    loaded.map(|words| bytes(words).unwrap()).sum()
}

/// Kernels of which TT-Metal's watcher has noted the files, other than those seen before.
fn compiled(pid: &Value, seen: &mut HashSet<String>) -> Kernels {
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split('\0');
    let logs = variables.find_map(|one| one.strip_prefix("TT_METAL_LOGS_PATH=")).unwrap();
    let list = Path::new(logs).join("generated/watcher/kernel_elf_paths.txt");
    let list = std::fs::read_to_string(list).unwrap();
    let mut kernels = Kernels::new();
    for line in list.lines() {
        let (_, files) = line.split_once(": ").unwrap();
        if files == "blank" || !seen.insert(line.to_owned()) {
            continue;
        }
        let bytes = files.split(':').map(|file| loaded_bytes(Path::new(file))).sum();
        // …/kernels/NAME/HASH//PROCESSOR/PROCESSOR.elf
        let (_, rest) = files.split_once("/kernels/").unwrap();
        kernels.insert((rest.split('/').next().unwrap().to_owned(), bytes));
    }
    kernels
}

/// True if kernels can be compiled on this host. Otherwise prints what is missing; in CI nothing may be.
fn has_compiler() -> bool {
    let mut install = Command::new(repository("testbed").join("install"));
    let output = install.args(["--real-kernels", CAPTURED]).output().unwrap();
    if output.status.code() == Some(3) && std::env::var_os("CI").is_none() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        eprintln!("passed over: {}", error.lines().last().unwrap_or("testbed/install said no"));
        return false;
    }
    true
}

fn compare(situation: (&str, &str, bool)) {
    if !has_compiler() {
        return;
    }
    let mut steps = Steps::start_with(&["--real-kernels"], CAPTURED, "l1_steps.py", situation);
    let (mut seen, mut before, mut compared) = (HashSet::new(), 0, 0);
    while let Some((step, segment)) = steps.next() {
        let programs = &segment.programs;
        let new = programs.dispatches.iter().filter(|dispatch| dispatch.sequence > before);
        let footprints = new.map(|it| programs.footprint(it.footprint.unwrap()).unwrap());
        let kernels = footprints.flat_map(|footprint| &footprint.kernels);
        let recorded: Kernels = kernels
            .map(|it| (it.name.as_deref().unwrap().to_owned(), it.text_bytes.unwrap()))
            .collect();
        before = programs.dispatched;
        let compiled = compiled(&step["pid"], &mut seen);
        assert_eq!(recorded, compiled, "{situation:?} {}", step["step"]);
        assert!(compiled.len() >= 2, "{situation:?} {}", step["step"]);
        compared += compiled.len();
    }
    assert!(compared >= 15, "{situation:?}: {compared} kernels");
}

#[test]
fn kernels_have_the_bytes_of_the_compiled_files_on_blackhole() {
    compare(("blackhole", "p150_130", true));
}

#[test]
fn kernels_have_the_bytes_of_the_compiled_files_on_wormhole() {
    compare(("wormhole", "n150", true));
}

/// The names of the kernels of a capture, by their numbers there.
fn captured_names(folder: &Path) -> BTreeMap<u64, String> {
    let text = std::fs::read_to_string(folder.join("kernels.yaml")).unwrap();
    let field = |part: &str, name: &str| {
        let line = part.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap().to_owned()
    };
    let parts = text.split("- kernel:").skip(1);
    parts
        .map(|part| (field(part, "watcher_kernel_id: ").parse().unwrap(), field(part, "name: ")))
        .collect()
}

/// The names of the kernels that the agent says are on a core.
fn recorded_names(programs: &Programs, core: (u16, u16)) -> BTreeSet<String> {
    let Resident::Footprint(footprint) = programs.resident(0, core) else { return BTreeSet::new() };
    let kernels = footprint.kernels.iter().filter(|kernel| kernel.cores.contains(core));
    kernels.map(|kernel| kernel.name.as_deref().unwrap().to_owned()).collect()
}

/// Captures whose kernels the same compiler made: every core has the same kernels, and as many bytes of text.
#[test]
fn cores_have_the_kernels_and_the_text_that_were_captured() {
    if !has_compiler() {
        return;
    }
    let mut compared = 0;
    for situation in CAPTURED_REAL {
        let mut steps = Steps::start_with(&["--real-kernels"], CAPTURED, "l1_steps.py", situation);
        while let Some((step, segment)) = steps.next() {
            let step = step["step"].as_str().unwrap();
            let folder = repository("fixtures/l1").join(situation.0).join(step);
            let Ok(text) = std::fs::read(folder.join("expected.json")) else { continue };
            let expected: Value = serde_json::from_slice(&text).unwrap();
            let names = captured_names(&folder);
            for core in expected["cores"].as_array().unwrap() {
                let (position, _) = super::captured(core);
                let context = format!("{} {step} {position:?}", situation.0);
                let numbers = core["kernels"].as_array().unwrap();
                let named = numbers.iter().filter_map(|number| names.get(&number.as_u64()?));
                let named: BTreeSet<String> = named.cloned().collect();
                // TT-Metal's own dispatch kernels are no program of the application.
                if named.iter().any(|name| name.starts_with("cq_")) {
                    continue;
                }
                assert_eq!(recorded_names(&segment.programs, position), named, "{context}");
                let text = super::kernel_text(&segment.programs, position);
                assert_eq!(text, core["kernel_text_bytes"].as_u64(), "{context}");
                compared += usize::from(text > Some(0));
            }
        }
    }
    assert_eq!(compared, 4 * 72, "cores with a program");
}
