//! Limits that no tensor has a part in, messages of the host and its launchers, and numbers that count something else than bytes.

use super::templates::facts;
use crate::explain::{self, Explanation, Fit, Message};

fn only(text: &str) -> Explanation {
    let mut found = explain::explain(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    found.remove(0)
}

#[test]
fn limits_without_tensors_have_their_own_unit() {
    let bytes = |text: &str| {
        let found = only(text);
        (found.fit, found.over_bytes)
    };
    for (text, fit, over) in [
        (
            "Total channel size of 196608 B exceeds available space of 180224 B",
            Fit::TooLarge,
            16_384,
        ),
        (
            "Internal error when computing channel sizes. Total channel size 196608 exceeds available space 180224",
            Fit::TooLarge,
            16_384,
        ),
        (
            "H2DLeg::create: 65536 B page x 32 ring pages exceeds the 1024 KiB arena",
            Fit::NotDeviceMemory,
            1 << 20,
        ),
        (
            "D2HLeg::create: 4096 B payload x 300 ring pages exceeds the 1024 KiB arena",
            Fit::NotDeviceMemory,
            180_224,
        ),
        (
            "H2HSocket: region is 65536 B but 4 cores need at least 131072 B",
            Fit::NotDeviceMemory,
            65_536,
        ),
        (
            "ring-alias: core 3 ring is 90000 B (90112 B page-rounded) but an arena slot is only 65536 B",
            Fit::NotDeviceMemory,
            24_576,
        ),
        (
            "A single core's unique runtime args (16384 B payload -> 16512 B prefetcher command) exceed the max prefetch command size (16000 B) for this dispatch core type.",
            Fit::Invalid,
            512,
        ),
        (
            "1616 Bytes unique+common runtime args targeting kernel reshard_reader on (x=0,y=0) are too large. Cannot be written as they will run into memory region reserved for result. Max allowable size is 1024 Bytes",
            Fit::Invalid,
            592,
        ),
    ] {
        for text in [
            text.to_owned(),
            format!("TT_FATAL: {text} (assert.hpp:104)\n"),
            format!("info:\n{text}\nbacktrace:\n"),
        ] {
            assert_eq!(bytes(&text), (fit, Some(over)), "{text}");
        }
    }
    // What is counted is not called bytes.
    for (text, title) in [
        (
            "358 unique+common runtime args targeting kernel reader_concat on (x=1,y=2) are too large. Max allowable is 341",
            "A kernel has more runtime arguments than a core takes by 17 arguments",
        ),
        (
            "DFB 3: capacity 70000 exceeds the maximum 65535 (HW BUFFER_CAPACITY is 16 bits); reduce num_entries.",
            "A dataflow buffer has more entries than its counter holds by 4,465 entries",
        ),
    ] {
        let found = only(text);
        assert_eq!((found.title.as_str(), found.over_bytes), (title, None));
        assert!(!found.figures.iter().any(|figure| figure.value.contains("bytes")), "{found:#?}");
    }
    let cut = only("Total channel size of 196608 B exceeds available spa...");
    assert!(cut.cut && cut.over_bytes.is_none());
}

/// A number without a unit counts something else unless the words beside it name a memory.
#[test]
fn counts_are_no_shortage_of_bytes() {
    for text in [
        "DFB count 40 exceeds maximum 32",
        "Output circular buffer index 40 exceeds maximum value 31",
        "Buffer index (33) exceeds max number of circular buffers per core (32)",
    ] {
        assert_eq!(explain::explain(text), [], "{text}");
    }
}

#[test]
fn an_output_in_dram_is_a_warning_without_a_shortage() {
    for text in [
        "ttnn.split: derived shard [96, 32] not tile-aligned; DRAM downgrade.",
        "ttnn.split: shard_spec can't be rescaled to per-chunk shape; DRAM downgrade.",
        "ttnn.split: cannot synthesize shard_spec for sharded MC; downgrading to DRAM.",
    ] {
        let found = only(&format!(
            "2026-10-02 11:12:13.123 | warning  |              Op | {text} (split.cpp:88)\n"
        ));
        assert_eq!((found.fit, found.over_bytes, found.cut), (Fit::Warning, None, false), "{text}");
    }
    let own = only(
        "ttnn.split: L1 budget exceeded (need ~900000 B, have 500000 B for 3 chunks); DRAM downgrade.",
    );
    assert!(matches!(own.message, Message::OpLimit(_)), "{own:#?}");
}

#[test]
fn the_driver_refuses_to_pin() {
    for text in [
        "[   12.345678] tenstorrent 0000:01:00.0: pin_user_pages_longterm failed: -12",
        "[   12.345678] tenstorrent 0000:01:00.0: could only pin 12 of 262144 pages",
        "need 4096 MiB but the driver's max_total_pin_size is 1024 MiB",
        "64 cores need 65 pins (one per socket plus this region) but the driver allows 32",
    ] {
        assert!(matches!(only(text).message, Message::PinFailed(_)), "{text}");
    }
}

/// The kernel gives the reason and the process of one kill in two lines.
#[test]
fn one_kill_counts_once() {
    let kernel = "[  345.678901] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=docker-abc.scope,mems_allowed=0,oom_memcg=/docker/abc,task_memcg=/docker/abc,task=python3,pid=777,uid=0\n[  345.678905] Memory cgroup out of memory: Killed process 777 (python3) total-vm:2123kB, anon-rss:1900kB\n";
    assert_eq!(only(kernel).count, 1);
    for text in [
        "slurmstepd: error: Detected 1 oom_kill event in StepId=5512.0. Some of the step tasks have been OOM Killed.",
        "tt.service: A process of this unit has been killed by the OOM killer.",
        "tt.service: Main process exited, code=killed, status=9/KILL",
        "make: *** [Makefile:3: run] Error 137",
        "[2026-10-02 11:12:13 +0000] [1] [ERROR] Worker (pid:4242) was sent SIGKILL! Perhaps out of memory?",
        "RuntimeError: DataLoader worker (pid 4242) is killed by signal: Killed.",
    ] {
        let found = only(text);
        assert_eq!((found.fit, found.count), (Fit::NotDeviceMemory, 1), "{text}");
    }
}

/// Programs that end a process before the kernel would. The forms are those of ray-project/ray#30312, WM-PO/WMPO#3,
/// systemd/systemd#23606, rfjakob/earlyoom#309, and of `jobacct_gather` and `task/cgroup` of Slurm.
#[test]
fn programs_that_kill_for_lack_of_memory_are_named() {
    for (killer, pid, text) in [
        (
            "Ray",
            None,
            "E           ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.\nE           Memory on the node (IP: 10.9.8.7, ID: 5f) where the task (task ID: 77, name=load, pid=548, memory used=12.18GB) was running was 31.91GB / 33.28GB (0.958), which exceeds the memory usage threshold of 0.95. Ray killed this worker (ID: 0f) because it was the most recently scheduled task\n",
        ),
        (
            "Ray",
            None,
            "(raylet) [2026-10-02 11:12:13,206 E 393 393] (raylet) node_manager.cc:3277: 2 Workers (tasks / actors) killed due to memory pressure (OOM), 0 Workers crashed due to other reasons at node (ID: 82, IP: 10.9.8.7) over the last time period.\n",
        ),
        (
            "systemd-oomd",
            None,
            "Oct 02 11:12:13 tt systemd-oomd[840]: Killed /user.slice/user-1001.slice/user@1001.service/app.slice/run-u12.scope due to memory pressure for /user.slice/user-1001.slice/user@1001.service being 51.07% > 50.00% for > 20s with reclaim activity\nOct 02 11:12:13 tt systemd[1837]: run-u12.scope: systemd-oomd killed 12 process(es) in this unit.\n",
        ),
        (
            "earlyoom",
            Some(29_410),
            "Oct 02 11:12:13 tt earlyoom[1233]: sending SIGTERM when mem <= 10.00% and swap <= 10.00%,\nOct 02 11:12:13 tt earlyoom[1233]:         SIGKILL when mem <= 5.00% and swap <= 5.00%\nOct 02 11:13:13 tt earlyoom[1233]: low memory! at or below SIGTERM limits: mem 10.00%, swap 10.00%\nOct 02 11:13:13 tt earlyoom[1233]: sending SIGTERM to process 29410 uid 1000 \"python3\": badness 1264, VmRSS 23964 MiB\n",
        ),
        (
            "Slurm",
            None,
            "slurmstepd: error: Job 41176 exceeded memory limit (3940736 > 2068480), being killed\nslurmstepd: error: Exceeded job memory limit\nslurmstepd: error: *** JOB 41176 ON tt03 CANCELLED AT 2026-07-10T09:12:13 ***\n",
        ),
        (
            "Slurm",
            None,
            "slurmstepd: error: StepId=41176.0 exceeded virtual memory limit (40357568512 > 34359738368), being killed\n",
        ),
    ] {
        let found = only(text);
        let Message::HostKilled(killed) = &found.message else { panic!("{text}") };
        assert_eq!((killed.killer, killed.pid), (Some(killer), pid), "{text}");
        assert!(found.meaning.starts_with(killer), "{}", found.meaning);
        assert_eq!(found.count, 1, "{text}");
    }
    let settings = "sending SIGTERM when mem <= 10.00% and swap <= 10.00%,\n        SIGKILL when mem <=  5.00% and swap <=  5.00%\n";
    assert_eq!(explain::explain(settings), []);
    let once = "slurmstepd: error: Exceeded step memory limit at some point.\nslurmstepd: error: Exceeded job memory limit at some point.\n";
    assert_eq!(explain::explain(once), [], "the job may have gone on");
}

/// The kernel reports a kill, and systemd the end of the unit.
#[test]
fn one_kill_that_systemd_reports_too_is_one() {
    let found = only(
        "Jul 10 09:12:13 host kernel: Out of memory: Killed process 4242 (python3) total-vm:1kB\nJul 10 09:12:13 host systemd[1]: tt.service: A process of this unit has been killed by the OOM killer.\nJul 10 09:12:13 host systemd[1]: tt.service: Main process exited, code=killed, status=9/KILL\n",
    );
    assert_eq!(found.count, 1);
    assert_eq!(
        only("tt.service: A process of this unit has been killed by the OOM killer.").count,
        1
    );
}

/// The forms are those of torchrun's `api.py` and of srun.
#[test]
fn one_kill_that_a_launcher_reports_twice_is_one() {
    for text in [
        "E0710 09:12:13.123000 1 torch/distributed/elastic/multiprocessing/api.py:874] failed (exitcode: -9) local_rank: 0 (pid: 1234) of binary: /venv/bin/python\nRoot Cause (first observed failure):\n[0]:\n  rank      : 0 (local_rank: 0)\n  exitcode  : -9 (pid: 1234)\n  traceback : Signal 9 (SIGKILL) received by PID 1234\n",
        "srun: error: tt03: task 0: Out Of Memory\nslurmstepd: error: Detected 1 oom_kill event in StepId=41.0. Some of the step tasks have been OOM Killed.\n",
    ] {
        assert_eq!(only(text).count, 1, "{text}");
        let findings = explain::Findings::of(
            vec![explain::input::Input::new("-", Box::new(std::io::Cursor::new(text)))],
            None,
        );
        assert_eq!(findings.unwrap().unknown.count, 0, "{text}");
    }
}

/// Texts of tt-kmd 2.10 (`memory.c`) and of tt-umd 0.9.9 (`silicon_sysmem_manager.cpp`).
#[test]
fn what_drivers_say_of_pages_is_about_the_host() {
    let pin = only(
        "[  99.1] tenstorrent 0000:01:00.0: alloc_chained_sgt_for_pages failed for 262144 pages, probably out of memory",
    );
    assert!(matches!(pin.message, Message::PinFailed(_)));
    let pages = only("RuntimeError: IOMMU is required for sysmem without hugepages.");
    assert!(matches!(pages.message, Message::HugePages(_)));
}

/// The texts are those of PyTorch's `DataLoader.cpp` and `dataloader.py`.
#[test]
fn shared_memory_of_a_data_loader_is_host_memory() {
    let worker = "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).\n";
    let thrown = "RuntimeError: DataLoader worker (pid 5787) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.\n";
    for text in [worker.to_owned(), thrown.to_owned(), format!("{worker}Traceback:\n{thrown}")] {
        let found = only(&text);
        let Message::HostMemory(memory) = &found.message else { panic!("{text}") };
        assert!(memory.is_shared && found.count == 1, "{text}");
        assert!(found.advice[0].text.contains("--shm-size"), "{text}");
    }
}

/// A traceback quotes lines of programs that only name the error.
#[test]
fn a_memory_error_of_python_is_host_memory() {
    for text in [
        "Traceback (most recent call last):\n  File \"m.py\", line 3, in <module>\n    x = [0] * (1 << 40)\nMemoryError\n",
        "    def test_load():\n>       x = [0] * (1 << 40)\nE       MemoryError\n\nm.py:3: MemoryError\n=== short test summary info ===\nFAILED m.py::test_load - MemoryError\n",
    ] {
        assert!(matches!(only(text).message, Message::HostMemory(_)), "{text}");
    }
    for code in [
        "    except MemoryError:\n",
        "    except (ValueError, MemoryError) as error:\n",
        "    with pytest.raises(MemoryError):\n",
        "    } catch (const std::bad_alloc& error) {\n",
        "class MemoryError(Exception):\n",
    ] {
        assert_eq!(explain::explain(code), [], "{code}");
    }
}

#[test]
fn memory_that_the_host_refuses_to_rust_is_host_memory() {
    let Message::HostMemory(memory) = only("memory allocation of 1073741824 bytes failed").message
    else {
        panic!()
    };
    assert_eq!(memory.size, Some(1 << 30));
    for text in [
        "RuntimeError: unable to mmap 1073741824 bytes from file </models/w.safetensors>: Cannot allocate memory (12)",
        "bash: fork: Cannot allocate memory",
    ] {
        assert!(matches!(only(text).message, Message::HostMemory(_)), "{text}");
    }
}

/// The stream and the mark of a partial line are no part of the message.
#[test]
fn lines_of_a_container_runtime_are_read() {
    let message = "Out of Memory: Not enough space to allocate 402653184 B DRAM buffer across 12 banks, where each bank needs to store 33554432 B, but bank size is 1070773184 B (allocated: 1044381696 B, free: 26391488 B, largest free block: 18874368 B)";
    let before = "2026-10-02T11:12:13.123456789Z stderr";
    for at in 1..message.len() {
        let (first, rest) = message.split_at(at);
        let text = format!(
            "{before} F info:\n{before} P {first}\n{before} F {rest}\n{before} F backtrace:\n"
        );
        let found = explain::explain(&text);
        assert!(found.iter().all(|found| !found.text.contains("stderr")), "{text}");
        if rest.starts_with(' ') {
            assert_eq!(facts(&found), facts(&explain::explain(message)), "{text}");
        }
    }
}

#[test]
fn memory_that_the_host_refuses_to_torch_is_host_memory() {
    for text in [
        "RuntimeError: [enforce fail at alloc_cpu.cpp:114] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 65536000 bytes. Error code 12 (Cannot allocate memory)\n",
        "E   RuntimeError: DefaultCPUAllocator: not enough memory: you tried to allocate 65536000 bytes.\n",
    ] {
        let Message::HostMemory(memory) = only(text).message else { panic!("{text}") };
        assert_eq!((memory.size, memory.is_shared), (Some(65_536_000), false), "{text}");
    }
}

#[test]
fn the_size_of_a_window_is_read() {
    let text = "Failed to allocate TLB window of size 2097152: tt_tlb_alloc failed with error code -12 for TLB size 2097152.";
    let short = "Failed to allocate TLB window of size 2097152: No space";
    for text in [text, short] {
        let Message::TlbWindows(windows) = only(text).message else { panic!("{text}") };
        assert_eq!(windows.size, Some(2 << 20), "{text}");
    }
}

/// What ends behind the end of L1 would not fit in an empty L1 either.
#[test]
fn freeing_tensors_does_not_move_the_end_of_l1() {
    let found = only(
        "All-to-all fabric mux requires L1 through address 0x17e000, but each Tensix core has only 0x16e000 bytes",
    );
    assert_eq!((found.fit, found.over_bytes), (Fit::TooLarge, Some(0x10000)));
    assert!(
        !found.advice.iter().any(|advice| advice.text.contains("ttnn.deallocate")),
        "{found:#?}"
    );
}

/// A test that expects a refusal is none.
#[test]
fn source_that_expects_a_message_is_not_counted() {
    for line in [
        "E       assert 'Out of Memory: Not enough space' in str(error)",
        "    with pytest.raises(RuntimeError, match=\"Out of Memory: Not enough space to allocate\"):",
    ] {
        assert_eq!(
            explain::explained(explain::scan_text(line.as_bytes()), None).unknown.count,
            0,
            "{line}"
        );
    }
}
