//! Copies of one segment, until nothing in it is torn.

use std::time::Duration;

use ttmem_root::{RegularFile, Root, RootError};
use ttmem_segment::layout::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES};
use ttmem_segment::{Allocator, AllocatorKind, Reader, Segment, SegmentError};

use super::Depth;

/// Copies that are taken of a segment with torn entries before the best of them is good enough.
const MAX_READS: usize = 4;

/// Milliseconds before each further copy of a segment whose summary is torn: on a busy host the kernel may have taken the processor
/// from its writer within an entry.
const PAUSES_MS: [u64; 3] = [1, 4, 16];
/// Milliseconds of all pauses of one sample.
pub(super) const MAX_PAUSES_MS: u64 = 42;

/// Waits if enough time is left and a writer may continue in the meantime. Returns true if it waited.
pub(super) fn pause_within(left: &mut u64, ms: u64, is_written: impl Fn() -> bool) -> bool {
    let may_pause = *left >= ms && is_written();
    if may_pause {
        *left -= ms;
        std::thread::sleep(Duration::from_millis(ms));
    }
    may_pause
}

/// Copies the file until nothing in it is torn, or gives the copy with the least that is. Sets `uid` to its owner.
pub(super) fn read_whole(
    root: &Root,
    path: &str,
    depth: Depth,
    uid: &mut Option<u32>,
    pause: &mut dyn FnMut(u64) -> bool,
) -> Result<Result<Segment, SegmentError>, RootError> {
    let mut best: Option<Result<Segment, SegmentError>> = None;
    let mut is_summary_torn = false;
    for read in 0..MAX_READS + PAUSES_MS.len() {
        // What only full copies have is torn all the time while a process is busy.
        let paused = read.checked_sub(MAX_READS).map(|index| PAUSES_MS[index]);
        if paused.is_some_and(|ms| !is_summary_torn || !pause(ms)) {
            break;
        }
        let file = root.read_regular(path, Reader::SUMMARY_BYTES)?;
        *uid = file.status.uid;
        let summary = Reader::parse_summary(&file.bytes).and_then(|summary| {
            let bytes = bytes_to_read(&file)?;
            match file.allocated < bytes as u64 && root.has_owners() {
                true => {
                    Err(SegmentError::Sparse { needed: bytes as u64, reserved: file.allocated })
                }
                false => Ok((summary, bytes)),
            }
        });
        is_summary_torn = summary.as_ref().is_ok_and(|(segment, _)| segment.losses.torn > 0);
        let segment = match summary {
            Ok((segment, bytes)) if is_read_whole(&segment, depth) => {
                let file = root.read_regular(path, bytes)?;
                *uid = file.status.uid;
                Reader::parse(&file.bytes)
            }
            summary => summary.map(|(segment, _)| segment),
        };
        let is_better = match (&segment, &best) {
            (Ok(new), Some(Ok(old))) => new.losses.torn < old.losses.torn,
            (Err(_), Some(Ok(_))) => false,
            _ => true,
        };
        if is_better {
            best = Some(segment);
        }
        if matches!(&best, Some(Ok(segment)) if segment.losses.torn == 0) {
            break;
        }
    }
    Ok(best.unwrap_or(Err(SegmentError::Short { needed: MIN_SEGMENT_BYTES as u64, given: 0 })))
}

/// True if a segment is read to its end: to see what its summary does not have.
fn is_read_whole(summary: &Segment, depth: Depth) -> bool {
    match depth {
        Depth::Full => true,
        Depth::Programs => has_run_programs(summary) || holds_l1(summary) || may_overlap(summary),
        Depth::Summary => may_overlap(summary),
    }
}

/// Returns the size of a segment as its header states it. A longer file has nothing to read after that.
fn bytes_to_read(file: &RegularFile) -> Result<usize, SegmentError> {
    let needed = Reader::segment_bytes(&file.bytes)?;
    if file.size < needed {
        return Err(SegmentError::Short { needed, given: file.size });
    }
    Ok(usize::try_from(needed).unwrap_or(MAX_SEGMENT_BYTES))
}

fn has_run_programs(segment: &Segment) -> bool {
    let counts = &segment.header.counts;
    counts.programs_tracked > 0 || counts.workloads_enqueued > 0
}

fn holds_l1(segment: &Segment) -> bool {
    let kinds = [AllocatorKind::L1, AllocatorKind::L1Small];
    let mut allocators = segment.allocators.iter();
    allocators.any(|of| kinds.iter().any(|kind| of.kind(*kind).live_buffers > 0))
}

/// True if two open allocators have buffers of one kind on one chip.
fn may_overlap(segment: &Segment) -> bool {
    let open = || {
        let is_open =
            |allocator: &&Allocator| allocator.closed.is_none() && allocator.role.has_all_banks();
        segment.allocators.iter().filter(is_open)
    };
    open().any(|one| {
        open().any(|other| {
            let shares_chip = one.chips.iter().any(|chip| other.chips.contains(chip));
            let holds = |kind| one.kind(kind).live_bytes > 0 && other.kind(kind).live_bytes > 0;
            one.index < other.index && shares_chip && AllocatorKind::ALL.into_iter().any(holds)
        })
    })
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment;

    use super::*;

    #[test]
    fn a_torn_summary_is_copied_again_after_a_pause() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ttmem-42-7");
        let whole = segment::Segment::wormhole(42, 7, 1).image();
        // The first word of the summary without which an entry is torn.
        let changed = |at: usize| {
            let mut image = whole.clone();
            image[at] ^= 1;
            image
        };
        let is_torn = |image: &Vec<u8>| {
            Reader::parse_summary(image).is_ok_and(|segment| segment.losses.torn == 1)
        };
        let torn = (0..Reader::SUMMARY_BYTES).step_by(8).map(changed).find(is_torn).unwrap();
        let read = |pause: &mut dyn FnMut(u64) -> bool| {
            std::fs::write(&path, &torn).unwrap();
            let (root, path) = (Root::system(), path.to_str().unwrap());
            read_whole(&root, path, Depth::Summary, &mut None, pause).unwrap().unwrap()
        };
        assert_eq!(read(&mut |_| false).losses.torn, 1);
        let mut pauses = Vec::new();
        let segment = read(&mut |ms| {
            pauses.push(ms);
            if pauses.len() == 2 {
                std::fs::write(&path, &whole).unwrap();
            }
            true
        });
        assert_eq!((segment.losses.torn, &pauses[..]), (0, &PAUSES_MS[..2]));
    }

    #[test]
    fn pauses_end_with_their_writer_and_with_what_is_left() {
        let mut left = 3;
        assert!(!pause_within(&mut left, 1, || false));
        assert!(pause_within(&mut left, 1, || true));
        assert!(!pause_within(&mut left, 4, || true));
        assert_eq!(left, 2);
    }
}
