//! Allocations that TT-Metal refuses.

use ttmem_segment::AllocatorKind;

use super::assert_agreed;
use super::program::{Form, Host};

#[test]
fn a_failed_allocation_is_recorded_and_its_exception_passes() {
    let mut host = Host::start(Form::New);
    for command in ["open 1 0", "allocate a 1 1024 64", "allocate b 0 32 12"] {
        host.tell(command);
    }
    assert_eq!(host.tell("allocate big 1 2000000 64"), "1", "the exception is TT-Metal's own");
    assert_eq!(host.tell("allocate c 1 32 64"), "0");
    let segment = host.settled();
    let [failure] = &segment.failures[..] else { panic!("{:?}", segment.failures) };
    assert_eq!(
        (failure.kind, failure.requested, failure.banks),
        (AllocatorKind::L1, 128_000_000, 64)
    );
    assert_eq!(
        (failure.bytes_per_bank, failure.live_bytes, failure.live_buffers),
        (2_000_000, 1024, 1)
    );
    assert_eq!((failure.statistics.total, failure.statistics.free), (1_393_312, 1_392_288));
    assert_eq!(failure.statistics.largest_free, 1_392_288);
    assert!(!failure.is_fragmentation());
    assert_eq!(segment.buffers.len(), 3);
    assert_agreed(&mut host);
}

#[test]
fn a_refused_buffer_of_l1_small_is_known_in_every_form_of_tt_metal() {
    for form in Form::ALL {
        let mut host = Host::start(form);
        host.tell("open 1 32768");
        assert_eq!(host.tell("allocate big 3 40001 64"), "1");
        assert_eq!(host.tell("allocate big 1 2000000 64"), "1");
        let segment = host.settled();
        let [small, l1] = &segment.failures[..] else { panic!("{:?}", segment.failures) };
        assert_eq!(
            (small.kind, small.statistics.total),
            (AllocatorKind::L1Small, 32768),
            "{form:?}"
        );
        // As TT-Metal's message has it: pages aligned to 16 bytes.
        assert_eq!((small.requested, small.bytes_per_bank), (40_016 * 64, 40_016), "{form:?}");
        assert_eq!(l1.kind, AllocatorKind::L1, "{form:?}");
    }
}
