//! The L1 of the moment with most of it in use, core by core.

use ttmem_model::Timestamp;
use ttmem_model::facts::L1Facts;
use ttmem_model::l1::report::L1Report;
use ttmem_recording::{Attachment, AttachmentKind};
use ttmem_sources::L1Look;

/// The look with most L1 in use so far.
#[derive(Debug, Default)]
pub(crate) struct CorePeak {
    bytes: u64,
    best: Option<(Timestamp, L1Report)>,
}

impl CorePeak {
    /// Keeps a look if more L1 is in use than in any before.
    pub(crate) fn observe(&mut self, look: &L1Look) {
        let read = look.facts.iter().flat_map(|facts| &facts.l1);
        let bytes = read.clone().fold(0, |sum: u64, facts| sum.saturating_add(used(facts)));
        if bytes == 0 || (bytes <= self.bytes && self.best.is_some()) {
            return;
        }
        let reports = look.read().into_iter().filter_map(|(_, report)| report.ok());
        self.bytes = bytes;
        self.best = Some((look.snapshot.time_us, L1Report::new(reports.collect())));
    }

    /// Returns the look as an attachment of a recording.
    #[must_use]
    pub(crate) fn attachment(&self) -> Option<(Attachment, Vec<u8>)> {
        let (time, report) = self.best.as_ref()?;
        let bytes = serde_json::to_vec(report).ok()?;
        let attachment = Attachment {
            kind: AttachmentKind::L1,
            name: "peak".to_owned(),
            pid: None,
            is_running: false,
            time: *time,
            bytes: bytes.len() as u64,
        };
        Some((attachment, bytes))
    }
}

/// Returns the known bytes of circular buffers and kernel text on a chip.
fn used(facts: &L1Facts) -> u64 {
    let cores = facts.content.as_ref().map(|content| content.cores.as_slice()).unwrap_or_default();
    cores.iter().fold(0, |sum: u64, core| {
        let counts = [core.circular_buffer_bytes(), core.kernel_text_bytes()];
        counts.iter().filter_map(ttmem_model::l1::Count::value).fold(sum, u64::saturating_add)
    })
}
