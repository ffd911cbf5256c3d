use std::path::{Path, PathBuf};
use std::time::Duration;

use ttmem_recording::{Header, Recording};
use ttmem_segment::{AllocatorKind, Reader};

use super::super::{OfferResult, Options, Recorder};
use super::*;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{Host, PID, Process};
use ttmem_root::clock::Marks;
use ttmem_sources::Collector;

/// Creates a host in a directory with a process that has an agent, and one that ended before.
struct Stage {
    folder: tempfile::TempDir,
    segment: Segment,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ticks = Process::new(PID, "python3").start_ticks();
        let segment = Segment::wormhole(PID, ticks, Host::n150().region_ids()[0])
            .allocate(NewBuffer::new(AllocatorKind::Dram, 1 << 20, "Matmul"));
        let stale = Segment::wormhole(PID + 1, 5, 7);
        let host = Host::n150().segment_of(PID, segment.clone()).segment_of(PID + 1, stale);
        host.into_tree().write_to(folder.path()).unwrap();
        Self { folder, segment }
    }

    fn root(&self) -> Root {
        Root::directory(self.folder.path()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("dev/shm").join(self.segment.name())
    }

    fn rewrite(&self, segment: &Segment) {
        std::fs::write(self.file(), segment.image()).unwrap();
    }

    fn end_process(&self) {
        std::fs::remove_dir_all(self.folder.path().join(format!("proc/{PID}"))).unwrap();
    }

    fn start(&self, name: &str, max_bytes: Option<u64>, ring: Option<Duration>) -> Recorder {
        let header = Header { ttmem: "0.1.0".to_owned(), ..Header::default() };
        let path = self.folder.path().join(name);
        let options = Options { path, header, max_bytes, ring };
        Recorder::start(options, Some(Agents::new(self.root()))).unwrap()
    }

    /// Records a snapshot of the current host.
    fn offer(&self, recorder: &Recorder, second: u64) {
        let mut snapshot = Collector::new(self.root()).snapshot();
        snapshot.time_us = Timestamp(second * 1_000_000);
        let marks =
            Marks { wall: snapshot.time_us, awake_us: second * 1_000_000, since_boot_us: 1 };
        assert_eq!(recorder.offer(snapshot, None, marks), OfferResult::Taken);
    }
}

fn recorded(path: &Path) -> Vec<(Attachment, ttmem_segment::Segment)> {
    let recording = Recording::open(std::fs::read(path).unwrap()).unwrap();
    let attached = recording.attachments();
    let segment = |bytes: Vec<u8>| Reader::parse(&bytes).unwrap();
    let with = attached.into_iter().map(|attached| {
        let bytes = recording.attachment(&attached).unwrap();
        (attached.attachment, segment(bytes))
    });
    with.collect()
}

#[test]
fn what_a_process_still_says_at_the_end_is_in_the_recording() {
    let stage = Stage::new();
    let recorder = stage.start("a", None, None);
    stage.offer(&recorder, 1);
    let later = stage.segment.clone().allocate(NewBuffer::new(AllocatorKind::L1, 4096, "Softmax"));
    stage.rewrite(&later);
    let report = recorder.stop("asked to");
    assert_eq!(report.agents, 1, "{report:?}");
    let all = recorded(&stage.folder.path().join("a"));
    let [(attachment, segment)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((attachment.pid, attachment.is_running), (Some(Pid(PID)), true));
    assert_eq!(*segment, Reader::parse(&later.image()).unwrap());
}

#[test]
fn a_segment_that_was_removed_with_its_process_is_in_the_recording() {
    let stage = Stage::new();
    let mut agents = Agents::new(stage.root());
    let mut collector = Collector::new(stage.root());
    assert!(agents.observe(&collector.snapshot()).is_empty());
    stage.end_process();
    std::fs::remove_file(stage.file()).unwrap();
    let taken = agents.observe(&collector.snapshot());
    assert_eq!(taken.len(), 1);
    assert!(taken[0].is_ok());
    assert!(agents.finish(Timestamp(9)).is_empty(), "once");
}

#[test]
fn a_process_that_came_and_went_between_two_looks_is_found_at_the_end() {
    let stage = Stage::new();
    let mut agents = Agents::new(stage.root());
    let brief = Segment::wormhole(4711, 6, 7);
    std::fs::write(stage.file().with_file_name(brief.name()), brief.image()).unwrap();
    assert_eq!(agents.finish(Timestamp(9)).len(), 2);
}

#[test]
fn what_is_too_large_is_left_out_and_that_is_said() {
    let stage = Stage::new();
    let recorder = stage.start("a", Some(9_000), None);
    stage.offer(&recorder, 1);
    // Noise does not compress.
    let noise: Vec<u8> =
        (0_u32..1 << 14).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(stage.file(), noise).unwrap();
    let report = recorder.stop("asked to");
    assert_eq!((report.agents, report.failure), (0, None));
    assert!(recorded(&stage.folder.path().join("a")).is_empty());
}

#[test]
fn a_ring_has_what_the_processes_of_its_window_left() {
    let stage = Stage::new();
    let recorder = stage.start("ring", None, Some(Duration::from_secs(60)));
    stage.offer(&recorder, 1);
    stage.end_process();
    std::fs::remove_file(stage.file()).unwrap();
    stage.offer(&recorder, 2);
    stage.offer(&recorder, 3);
    let report = recorder.stop("asked to");
    let newest = report.files.last().unwrap();
    let all = recorded(newest);
    assert_eq!(all.len(), 1, "{report:?}");
    assert!(!all[0].0.is_running);
}
