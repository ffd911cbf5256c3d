//! `ttmem who`: verdicts and exit codes.

use ttmem_fake::{Board, Host};

use super::cli::ttmem;

fn who(host: Host, arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    host.into_tree().write_to(folder.path()).unwrap();
    let root = ["--root", folder.path().to_str().unwrap(), "who"];
    let output = ttmem(&[&root, arguments].concat()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_chip_in_use_is_code_1_and_a_free_one_code_0() {
    let (code, text) = who(Host::n300(), &[]);
    assert_eq!(code, 1);
    let expected = "\
chip 0  n300  0000:01:00.0  in use
    4242  python3  alice  since 2026-11-02 08:30:00 UTC  ~1.00 GiB DRAM, ~8.00 MiB L1, ~64.0 KiB L1_SMALL, ~2.00 MiB trace  host memory at most 1.20 GiB
    lock CHIP_IN_USE_0_PCIe held by 4242 (python3, alice)
    a reset of the board resets chips 0, 1 and ends 4242
";
    assert!(text.starts_with(expected), "{text}");
    let (code, text) = who(Host::new().board(Board::n150()), &["--wait"]);
    assert_eq!((code, text.as_str()), (0, "chip 0  n150  0000:01:00.0  free\n"));
}

#[test]
fn a_line_is_broken_between_its_parts_at_the_edge_of_a_terminal() {
    let output = ttmem(&["--demo", "who"]).env("COLUMNS", "80").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let expected = "
    58213  pytest  alice  since 2026-11-02 09:28:26 UTC
        ~612 MiB DRAM, ~4.50 MiB L1  host memory at most 1.86 GiB
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn without_a_chip_one_line_says_so() {
    let (code, text) = who(Host::new(), &[]);
    let expected = "no chip was found; ttmem doctor names what the driver did not find\n";
    assert_eq!((code, text.as_str()), (0, expected));
}

#[test]
fn the_json_has_the_verdicts() {
    let (code, text) = who(Host::t3000(), &["--json", "-i", "2"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &value["schema"]), (1, &"ttmem/who".into()));
    assert_eq!(value["chips"].as_array().unwrap().len(), 1);
    assert_eq!(value["chips"][0]["use"], "in-use");
    assert_eq!(value["chips"][0]["owners"][0]["pid"], 4242);
}

/// A tree of `fixtures/kmd`, by the name of its file without `kmd-` and extension.
fn kmd_tree(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/kmd");
    let archive = fixtures.join(format!("kmd-{name}.tar.gz"));
    let mut tar = std::process::Command::new("tar");
    assert!(tar.arg("xzf").arg(archive).arg("-C").arg(folder.path()).status().unwrap().success());
    folder
}

/// What the real driver published: no chip is free that it lists as open, that does not answer, or whose owners it does
/// not list.
#[test]
fn a_chip_is_free_only_where_that_is_known() {
    let (free, used, unknown) = ("free", "in-use", "unknown");
    let trees = [
        ("2.0.0-one-owner", [unknown, unknown]),
        ("2.4.1-one-owner", [unknown, unknown]),
        ("2.5.0-one-owner", [used, free]),
        ("2.7.0-one-owner", [used, free]),
        ("2.10.1-pre-one-owner", [used, free]),
        ("2.10.1-pre-idle", [free, free]),
        ("2.10.1-pre-telemetry-not-ready", [unknown, unknown]),
        ("2.10.1-pre-in-reset", [unknown, unknown]),
        ("2.10.1-pre-dead-link", [unknown, unknown]),
    ];
    for (name, expected) in trees {
        let folder = kmd_tree(name);
        let root = folder.path().to_str().unwrap();
        let output = ttmem(&["--root", root, "who", "--json"]).output().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let uses: Vec<_> =
            value["chips"].as_array().unwrap().iter().map(|chip| &chip["use"]).collect();
        assert_eq!(uses, expected, "{name}");
        let code =
            if expected.contains(&unknown) { 4 } else { i32::from(expected.contains(&used)) };
        assert_eq!(output.status.code(), Some(code), "{name}");
        // A device that may be in use is not picked.
        let picked = ttmem(&["--root", root, "pick", "--free"]).output().unwrap();
        let code = if expected.contains(&free) { 0 } else { code };
        assert_eq!(picked.status.code(), Some(code), "{name}");
    }
}

#[test]
fn an_owner_that_procfs_does_not_show_is_named_by_its_number() {
    let text = |tree: &tempfile::TempDir, arguments: &[&str]| {
        let root = ["--root", tree.path().to_str().unwrap()];
        let output = ttmem(&[&root, arguments].concat()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let tree = kmd_tree("2.10.1-pre-one-owner");
    assert!(text(&tree, &["who"]).contains("    133  name not shown  "));
    assert_eq!(text(&tree, &["-q"]).matches("GDDR temperature").count(), 1);
    let table = text(&tree, &[]);
    assert!(table.contains("1 owner") && !table.contains("and is gone"), "{table}");
    assert!(text(&tree, &["doctor"]).contains("warn  processes "));
    // tt-kmd 2.5 counts the open files, but its numbers are of another namespace.
    let table = text(&kmd_tree("2.5.0-one-owner"), &[]);
    assert!(table.contains("     in use │"), "{table}");
    assert!(text(&kmd_tree("2.2.0-one-owner"), &[]).contains("No process is known to hold"));
}

/// The output for a broken host of `ttmem_fake`.
fn variant(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (_, tree) = ttmem_fake::variants().into_iter().find(|(other, _)| *other == name).unwrap();
    tree.write_to(folder.path()).unwrap();
    let root = ["--root", folder.path().to_str().unwrap(), "who"];
    String::from_utf8(ttmem(&root).output().unwrap().stdout).unwrap()
}

#[test]
fn a_kind_of_memory_that_is_not_known_is_not_left_out() {
    let text = variant("counters_above_capacity");
    assert!(text.contains("  DRAM not known, L1 not known, ~64.0 KiB L1_SMALL, "), "{text}");
    let text = variant("counter_below_zero");
    assert!(text.contains("  ~1.00 GiB DRAM, L1 not known, ~64.0 KiB L1_SMALL, "), "{text}");
}

#[test]
fn a_reset_ends_owners_that_are_not_seen_too() {
    let text = variant("outside_owner");
    assert!(text.contains("    a reset ends 4242, a process that is not seen here\n"), "{text}");
}
