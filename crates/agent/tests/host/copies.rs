//! TT-Metal in other places than a library of its usual name: wherever it is, each call reaches its own definition.

use std::path::Path;

use ttmem_segment::AllocatorKind;

use super::program::{Form, Host, Packaging, SHM};
use super::{assert_agreed, common, live, mesh};

#[test]
fn tt_metal_is_found_under_another_name_and_inside_a_plugin() {
    for packaging in [Packaging::Renamed, Packaging::Plugin] {
        let mut host = Host::start_libraries(&[packaging.library()]);
        for command in ["open 2 32768", "allocate a 0 2048 100", "op b", "allocate c 1 1024 64"] {
            host.tell(command);
        }
        assert_agreed(&mut host);
        let segment = host.segment();
        let op = segment.buffers[1].op.as_ref().unwrap();
        assert_eq!(&*op.name, "Gelu", "{packaging:?}");
        host.tell("close");
        host.send("exit 3");
        assert_eq!(host.wait().code(), Some(3));
    }
}

#[test]
fn of_two_copies_each_runs_its_own_code_and_the_first_one_used_is_recorded() {
    for first in [0, 1] {
        let ops = Form::New.directory().join("libops.so");
        let mut host = Host::start_libraries(&[ops, Packaging::Plugin.library()]);
        for (copy, bytes) in [(first, 2048), (1 - first, 4096)] {
            host.tell(&format!("use {copy}"));
            host.tell("open 1 0");
            assert_eq!(host.tell(&format!("allocate a 0 {bytes} 12")), "0");
            assert_eq!(host.tell("op b"), "");
            assert_eq!(host.statistics(), [bytes + 2048, 0, 0, 0], "its own allocator");
        }
        let segment = host.settled();
        assert_eq!(live(&segment), [4096, 0, 0, 0]);
        assert_eq!(mesh(&segment).kind(AllocatorKind::Dram).residual, Some(0));
        host.tell("free a");
        host.tell("close");
        host.tell(&format!("use {first}"));
        host.tell("free a");
        assert_eq!(live(&host.settled()), [2048, 0, 0, 0]);
        host.send("exit 0");
        assert_eq!(host.wait().code(), Some(0));
    }
}

#[test]
fn a_program_that_only_asks_for_unique_ids_gets_its_own_answer_and_no_segment() {
    let mut host = Host::start_libraries(&[Packaging::Plugin.library()]);
    assert_eq!(host.tell("unique_ids 3"), "3");
    assert_eq!(common::segment_path(Path::new(SHM), host.pid), None);
}
