//! The exit code of `ttmem` follows from the status of the sources.

use ttmem::exit::{Exit, of_sources};
use ttmem_model::SourceName;
use ttmem_model::snapshot::SourceStatus;

use crate::made;

fn exit(kmd: SourceStatus, upstream: SourceStatus) -> Exit {
    let mut snapshot = made::none();
    snapshot.sources = vec![
        made::source(SourceName::Kmd, kmd),
        made::source(SourceName::Upstream, upstream),
        made::source(SourceName::L1, SourceStatus::NotRead),
    ];
    match of_sources(&snapshot) {
        None => Exit::Ok,
        Some(failure) => {
            assert!(!failure.message.contains('\n') && failure.message.contains(';'));
            failure.exit
        }
    }
}

#[test]
fn one_source_is_enough() {
    let others =
        [SourceStatus::Absent, SourceStatus::Denied, SourceStatus::Failed, SourceStatus::NotRead];
    for other in others {
        assert_eq!(exit(SourceStatus::Ok, other), Exit::Ok);
        assert_eq!(exit(other, SourceStatus::Ok), Exit::Ok);
    }
}

#[test]
fn nothing_there_differs_from_nothing_allowed_and_nothing_readable() {
    assert_eq!(exit(SourceStatus::Absent, SourceStatus::Absent), Exit::NoDriver);
    assert_eq!(exit(SourceStatus::Absent, SourceStatus::Denied), Exit::Permission);
    assert_eq!(exit(SourceStatus::Denied, SourceStatus::Failed), Exit::Permission);
    assert_eq!(exit(SourceStatus::Failed, SourceStatus::Absent), Exit::NoSource);
}

#[test]
fn a_server_that_was_named_is_the_only_source() {
    for status in [SourceStatus::Failed, SourceStatus::NotRead] {
        let mut snapshot = made::none();
        snapshot.sources = vec![made::source(SourceName::Server, status)];
        let failure = of_sources(&snapshot).unwrap();
        assert_eq!(failure.exit, Exit::NoSource);
        assert!(failure.message.contains("server"), "{}", failure.message);
    }
}
