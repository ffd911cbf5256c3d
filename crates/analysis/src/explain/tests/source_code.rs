//! Texts that have the wording of messages and are none: source code, listings, changes, documents.

use crate::explain;

/// The wordings are those of tt-metal 0.81.1, tt-umd 0.9.9 and tt-kmd 2.10; the code around them is made up.
const CODE: [&str; 12] = [
    "        TT_FATAL(\n            false,\n            \"Out of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to \"\n            \"store {} B, but bank size is {} B (allocated: {} B, free: {} B, largest free block: {} B)\",\n            size,\n",
    "TT_THROW(\"Statically allocated circular buffers in program {} clash with L1 buffers on core range {}. L1 buffer \"\n    \"allocated at {} and static circular buffer region ends at {}\", id, cores);\n",
    "    TT_FATAL(reserved < size, \"Reserved size must be less than bank size\");\n",
    "    log_warning(tt::LogOp, \"Allocating semaphores in L1, which may fragment L1 and reduce headroom\");\n",
    "        UMD_THROW(\n            error::RuntimeError,\n            \"Sysmem mapped at unexpected NOC address (likely a stale process holding sysmem); proceeding could \"\n            \"lead to undefined behavior\");\n",
    "\t\tdev_warn(&priv->device->pdev->dev, \"pin_user_pages_longterm failed: %d\\n\", pages_pinned);\n",
    "\t\tdev_err(&dev, \"could only pin %d of %lu pages\\n\", pinned, count);\n",
    "    with pytest.raises(RuntimeError, match=\"Out of Memory: Not enough space to allocate 4096 B L1 buffer\"):\n",
    "    // Allocating device buffers is potentially unsafe due to the existence of an active trace\n",
    "    raise MemoryError(\"Unable to allocate 4.00 GiB for an array\")\n",
    "        \"conv3d: the static circular buffers need {} B at out_subblock_h={} but only {} B of L1 lie above\",\n",
    "                    \"Mapping a hugepage failed. (device: {}, {}/{} errno: {}).\",\n",
];

#[test]
fn source_code_is_no_message() {
    for code in CODE {
        let grep: String =
            code.lines().map(|line| format!("tt_metal/impl/x.cpp:140:{line}\n")).collect();
        let numbered: String = code.lines().map(|line| format!("140-{line}\n")).collect();
        let added: String = code.lines().map(|line| format!("+{line}\n")).collect();
        let removed: String = code.lines().map(|line| format!("-{line}\n")).collect();
        for text in [code.to_owned(), grep, numbered, added, removed] {
            let found = explain::explain(&text);
            assert!(found.is_empty(), "{text}\n{found:#?}");
        }
    }
}

#[test]
fn a_template_in_a_document_is_no_message() {
    for text in [
        "| Clash | `Statically allocated circular buffers on core range {} grow to {} B which is beyond max L1 size of {} B` |\n",
        "Look for `Creating trace buffers of size {}B on MeshDevice {}, but only {}B is allocated for trace region.`\n",
        "Expected number of shards {} to be less than or equal to total number of L1 banks {} in compute cores\n",
        "It throws `std::bad_alloc`, in Python a `MemoryError`.\n",
    ] {
        let found = explain::explain(text);
        assert!(found.is_empty(), "{text}\n{found:#?}");
    }
}

/// Logs of programs that went on have such figures too.
#[test]
fn sizes_in_a_log_are_no_message() {
    for text in [
        "bank size is 1072693184 B\n",
        "2026-07-10 09:12:13.174 | debug    |       Allocator | bank size is 1072693184 B\n",
        "needs to store 20480 B in the cache\n",
        "DRAM: allocated: 784847680 B, free: 286974112 B\n",
        "largest free block: 216504544 B\n",
        "step 7: trace region 50000000B, L1 buffer of 4096 B on device 0\n",
    ] {
        let found = explain::explain(text);
        assert!(found.is_empty(), "{text}\n{found:#?}");
    }
}

/// What a program printed is a message, whatever quotes it.
#[test]
fn quoted_messages_are_messages() {
    for text in [
        "RuntimeError(\"TT_FATAL @ /src/x.cpp:1: false\\ninfo:\\nOut of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B\")\n",
        "{\"level\": \"error\", \"msg\": \"Hugepages must be successfully initialized if workload contains remote chips!\"}\n",
        "   \"Out of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B\\n\",\n",
        "logger.error(exception)  # x.py:12\nRuntimeError: Reserved size must be less than bank size\n",
        // tenstorrent/tt-metal#21375 and #6992.
        "TT_THROW @ /src/umd/device/pcie/pci_device.cpp:423: tt::exception\ninfo:\nFailed to pin pages for DMA: {}\nCannot allocate memory\nbacktrace:\n",
        "RuntimeError: TT_THROW @ tt_metal/impl/program/program.cpp:483: tt::exception Statically allocated circular buffers in program {} clash with L1 buffers on core range {}. L1 buffer allocated at {} and static circular buffer region ends at {}\n",
        "                 Always | FATAL    | Program size ({}) too large for kernel config buffer ({}) on {}\n",
        "info:\nOut of Memory: Not enough space to allocate {} B {} buffer across {} banks, where each bank needs to store {} B\n148897792\nDRAM\n8\n18612224\nbacktrace:\n",
    ] {
        assert_eq!(explain::explain(text).len(), 1, "{text}");
    }
}

/// What `git diff` of a test and of a recorded output prints: whole messages, as each line of a hunk has one.
#[test]
fn a_hunk_of_a_diff_is_no_message() {
    let refused = "Out of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B";
    let clash = "Statically allocated circular buffers in program 6 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 104448 and static circular buffer region ends at 107936";
    let changed = format!(
        "diff --git a/x.log b/x.log\nindex 1..2 100644\n--- a/x.log\n+++ b/x.log\n@@ -1,3 +1,4 @@ out\n step 1\n-E   {refused}\n+E   {refused}, but\n+TT_THROW: {clash}\n Exited (137) 5 minutes ago\n"
    );
    let added = format!("@@ -0,0 +1,400 @@\n{}", format!("+TT_FATAL: {refused}\n").repeat(400));
    let coloured: String = changed
        .lines()
        .map(|line| format!("2026-06-06T03:15:40.1234567Z \u{1b}[36m{line}\u{1b}[m\n"))
        .collect();
    for text in [&changed, &added, &coloured] {
        let found = explain::explain(text);
        assert!(found.is_empty(), "{text}\n{found:#?}");
        let ran = explain::explain(&format!("{text}TT_THROW: {clash}\n"));
        assert_eq!((ran.len(), ran[0].count), (1, 1), "{text}");
        assert_eq!(ran[0].line, text.lines().count() + 1);
    }
    let nested = format!("@@ -0,0 +1,4 @@\n+@@ -1 +1 @@\n+-a\n++b\n+E   {refused}\n");
    assert_eq!(explain::explain(&nested), [], "a diff of a diff");
    let listed = format!("- {refused}\n- TT_THROW: {clash}\n");
    assert_eq!(explain::explain(&listed).len(), 2, "a list is no diff");
}

/// Messages as values of a test.
#[test]
fn a_value_in_a_source_is_no_message() {
    let refused = "Out of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B";
    for text in [
        format!("    message = \"{refused}\"\n    assert parse(message) == 4096\n"),
        format!("REFUSED: str = f\"{refused}\"\n"),
        format!("const REFUSED: &str = \"{refused}\";\n"),
        format!("    auto message = std::string(\"{refused}\");\n"),
        format!("    static const char* kText = \"{refused}\";\n"),
        format!("    assert parse(\"TT_FATAL: {refused}\").bytes == 4096\n"),
        format!("    EXPECT_THAT(text, HasSubstr(\"{refused}\"));\n"),
        format!("    assert \"{refused}\" in str(error.value)\n"),
        format!("    message = '{refused}'\n"),
        format!("        return \"{refused}\"\n"),
        format!("tests/test_x.py:12:    message = \"{refused}\"\n"),
        format!("    lines.append('{refused}')\n"),
        format!("    message = (\n        \"{refused}, \"\n        \"but\"\n    )\n"),
        format!(
            "const MESSAGES: [&str; 2] = [\n    \"step 1\",\n    \"TT_FATAL: {refused}\",\n];\n"
        ),
        format!(
            "LOG = \"\"\"\nstep 1\n2026-04-06 09:11:02.114 | critical | Always | TT_FATAL: {refused}\nstep 2\n\"\"\"\n"
        ),
        format!("    found = parse(f'''step\nE   RuntimeError: {refused}\n''')\n"),
    ] {
        let scanned = explain::scan_text(text.as_bytes());
        assert!(scanned.found.is_empty(), "{text}\n{:#?}", scanned.found);
        assert_eq!(scanned.unknown.count, 0, "{text}");
    }
    for text in [
        format!("level=error msg=\"{refused}\" pid=4\n"),
        format!("{{'error': '{refused}'}}\n"),
        format!("error = RuntimeError(\"TT_FATAL @ /x.cpp:1: false\\ninfo:\\n{refused}\")\n"),
        format!("E       AssertionError: assert 3 == 4, got '{refused}'\n"),
        format!("E   RuntimeError: {refused}\n"),
        format!("worker failed (exit 1): \"{refused}\"\n"),
        format!("{{\"logs\": [\"step\", \"{refused}\"]}}\n"),
        format!("{{\"logs\": [\n  \"step\",\n  \"{refused}\"\n]}}\n"),
        format!(
            "    log = \"\"\"\n    step 1\n    \"\"\"\n>   run(log)\nE   RuntimeError: {refused}\n"
        ),
        format!("def run():\n    \"\"\"Runs it.\nE   RuntimeError: {refused}\n"),
    ] {
        assert_eq!(explain::explain(&text).len(), 1, "{text}");
    }
}

/// What a test expects is in its source, its configuration, and the report of its run; the texts are those of tt-xla,
/// tt-torch, tt-mlir and tt-kmd.
#[test]
fn a_reason_of_a_test_and_a_comment_are_no_messages() {
    let refused = "Out of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B";
    for text in [
        format!("@pytest.mark.xfail(\n    reason=\"{refused} - https://example.org/4790\"\n)\n"),
        format!("        bringup_status=\"FAILED_RUNTIME\",\n        reason=\"{refused}\",\n"),
        format!("        pytest.xfail(\"{refused}\")\n"),
        format!("    status: NOT_SUPPORTED_SKIP\n    reason: \"{refused}\"\n    reason: \"DRAM OOM\"\n"),
        format!("        \"skip_reason\": \"{refused}\",\n"),
        format!("[XPASS(strict)] {refused}\n"),
        format!("XFAIL tests/test_x.py::test_a - {refused}\nSKIPPED [2] test_x.py:12: {refused}\n"),
        "      llvm::make_error<llvm::StringError>(\n          \"TT_THROW @ program.cpp:1612: tt::exception\\n\"\n          \"Statically allocated circular buffers in program 42 clash with L1 \"\n          \"buffers on core range [0-0 - 7-7]. L1 buffer allocated at 253952 \"\n          \"and static circular buffer region ends at 646208\",\n".to_owned(),
        "// Error=Op constraint query failed with error: No core coordinate found at\n// location: (0, 129, TENSIX, LOGICAL)\n".to_owned(),
        "//   - status == ValidationError: Validation failed (e.g., not enough L1)\n".to_owned(),
        format!("  int x; // {refused}\n"),
        "\tcase TENSTORRENT_IOCTL_PIN_PAGES:\n\t\treturn pin(arg); // not pinning pages\n".to_owned(),
        "    THROW_TEST_FAILURE(\"Failed to allocate TLB window\");\n".to_owned(),
        "    std::cerr << \"Failed to allocate TLB window\" << std::endl;\n".to_owned(),
    ] {
        let scanned = explain::scan_text(text.as_bytes());
        assert!(scanned.found.is_empty(), "{text}\n{:#?}", scanned.found);
        assert_eq!(scanned.unknown.count, 0, "{text}");
    }
    for text in [
        format!("FAILED tests/test_x.py::test_a - RuntimeError: {refused}\n"),
        format!("level=error reason=\"{refused}\"\n"),
        format!("{{\"status\": \"failed\", \"reason\": \"{refused}\"}}\n"),
    ] {
        assert_eq!(explain::explain(&text).len(), 1, "{text}");
    }
}

/// Changes without the header of their hunk, and those of a merge.
#[test]
fn changes_without_a_header_and_of_a_merge_are_no_messages() {
    let refused = "Out of Memory: Not enough space to allocate 4096 B L1 buffer across 2 banks, where each bank needs to store 2048 B";
    let clash = "TT_THROW: Statically allocated circular buffers in program 6 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 104448 and static circular buffer region ends at 107936";
    let merge = format!(
        "@@@ -1,3 -1,3 +1,5 @@@ out\n  step 1\n- E   {refused}\n -E   {refused}\n++E   {refused}, but\n +{clash}\n++step\n  step 2\n"
    );
    for text in [
        format!("-E   {refused}\n+E   {refused}, but\n"),
        format!(" step 1\n+{clash}\n+step 2\n step 3\n"),
        format!("```diff\n-{clash}\n+nothing\n```\n"),
        merge.clone(),
    ] {
        let found = explain::explain(&text);
        assert!(found.is_empty(), "{text}\n{found:#?}");
    }
    let ran = explain::explain(&format!("{merge}{clash}\n"));
    assert_eq!((ran.len(), ran[0].count, ran[0].line), (1, 1, 9), "{ran:#?}");
    let listed = format!("- {refused}\n- {clash}\n");
    assert_eq!(explain::explain(&listed).len(), 2, "a list is no change");
}
