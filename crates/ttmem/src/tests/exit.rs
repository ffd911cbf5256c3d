//! The status of all sources decides the exit code.

use crate::error::{Error, of_sources};
use ttmem_model::SourceName;
use ttmem_model::snapshot::SourceStatus;

use super::made;

fn exit(kmd: SourceStatus, upstream: SourceStatus) -> u8 {
    let mut snapshot = made::none();
    snapshot.sources = vec![
        made::source(SourceName::Kmd, kmd),
        made::source(SourceName::Upstream, upstream),
        made::source(SourceName::L1, SourceStatus::NotRead),
    ];
    match of_sources(&snapshot) {
        None => 0,
        Some(error) => {
            assert!(!error.message().contains('\n') && error.message().contains(';'));
            error.exit_code()
        }
    }
}

#[test]
fn one_source_is_enough() {
    let others =
        [SourceStatus::Absent, SourceStatus::Denied, SourceStatus::Failed, SourceStatus::NotRead];
    for other in others {
        assert_eq!(exit(SourceStatus::Ok, other), 0);
        assert_eq!(exit(other, SourceStatus::Ok), 0);
    }
}

#[test]
fn absent_denied_and_failed_sources_have_codes_of_their_own() {
    assert_eq!(exit(SourceStatus::Absent, SourceStatus::Absent), 9);
    assert_eq!(exit(SourceStatus::Absent, SourceStatus::Denied), 4);
    assert_eq!(exit(SourceStatus::Denied, SourceStatus::Failed), 4);
    assert_eq!(exit(SourceStatus::Failed, SourceStatus::Absent), 12);
}

#[test]
fn a_named_server_is_the_only_source() {
    for status in [SourceStatus::Failed, SourceStatus::NotRead] {
        let mut snapshot = made::none();
        snapshot.sources = vec![made::source(SourceName::Server, status)];
        let error = of_sources(&snapshot).unwrap();
        assert!(matches!(error, Error::NoSource(_)), "{error}");
        assert!(error.message().contains("server"), "{error}");
    }
}
