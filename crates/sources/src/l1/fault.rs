//! The reason that the bytes of a core cannot be true.

use ttmem_model::l1::{ByteRange, Processor};

use crate::port::PortError;

/// An inconsistency in the bytes of a core.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Fault {
    /// `core_info` cannot be true.
    #[error("{0}")]
    CoreInfo(String),
    /// The bytes end before a field does.
    #[error("the mailbox is cut off")]
    CutOff,
    /// `launch_msg_rd_ptr` names no slot.
    #[error("read pointer {0} names no launch slot")]
    ReadPointer(u64),
    /// `go_message_index` names no go message.
    #[error("go message {0} does not exist")]
    GoMessage(u64),
    /// `enables` has bits of no processor.
    #[error("enables {0:#x} has bits of no processor")]
    Enables(u64),
    /// The program's configuration is outside the ring.
    #[error("configuration at {base} is outside the ring from {} to {}", ring.start, ring.end)]
    ConfigBase {
        /// First address that the launch message gives.
        base: u64,
        /// The ring.
        ring: ByteRange,
    },
    /// Kernel text is outside the ring.
    #[error(
        "text of {} from {} to {} is outside the kernel config ring", processor.as_str(), text.start, text.end
    )]
    KernelText {
        /// The processor.
        processor: Processor,
        /// Range of the text, as the launch message gives it.
        text: ByteRange,
    },
    /// `local_cb_mask` and `min_remote_cb_start_index` contradict each other or the chip.
    #[error("circular buffer mask {mask:#x} and first remote index {first_remote} cannot both be")]
    CircularBufferMask {
        /// `local_cb_mask`.
        mask: u64,
        /// `min_remote_cb_start_index`.
        first_remote: u64,
    },
    /// The records of circular buffers are outside the ring.
    #[error("circular buffer records from {} to {} are outside the ring", records.start, records.end)]
    Records {
        /// Range of the records, as the launch message gives it.
        records: ByteRange,
    },
    /// A circular buffer is not where one can be.
    #[error("circular buffer {id} at {address} with {size} bytes is outside the part of L1 for it")]
    CircularBufferRange {
        /// Number of the circular buffer.
        id: u8,
        /// First address in the record.
        address: u64,
        /// Bytes in the record.
        size: u64,
    },
    /// The size of a circular buffer is not that of its pages.
    #[error("circular buffer {id} has {size} bytes, but {pages} pages of {page_size}")]
    CircularBufferPages {
        /// Number of the circular buffer.
        id: u8,
        /// Bytes in the record.
        size: u64,
        /// The number of pages in the record.
        pages: u64,
        /// Bytes of a page.
        page_size: u64,
    },
    /// The core went on while it was read.
    #[error("the core went on while it was read")]
    Changed,
    /// The port has no such bytes.
    #[error(transparent)]
    Port(#[from] PortError),
}
