//! The events of a recording.

use serde::{Deserialize, Serialize};

use ttmem_model::{ChipId, Pid, Timestamp};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $name:literal;)+) => {
        /// The kind of an event. The codes are part of the format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[doc = $doc])+ $variant,)+
            /// A kind of a later version, by its code. Its content is kept as bytes.
            Other(u64),
        }

        impl EventKind {
            /// The kind of a code.
            #[must_use]
            pub(crate) fn from_code(code: u64) -> Self {
                match code { $($code => Self::$variant,)+ code => Self::Other(code) }
            }

            /// The code as it is written.
            #[must_use]
            pub(crate) fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)+ Self::Other(code) => code }
            }

            /// Returns the name in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ Self::Other(_) => "unknown" }
            }
        }
    };
}

kinds! {
    /// A process has come.
    ProcessStarted = 1, "process-started";
    /// A process has ended and left nothing stale.
    ProcessEnded = 2, "process-ended";
    /// A process has gone that held device memory.
    ProcessDied = 3, "process-died";
    /// Something is wrong that was not wrong before.
    FindingAppeared = 4, "finding-appeared";
    /// Something is no longer wrong.
    FindingGone = 5, "finding-gone";
    /// A chip has come, or come back.
    ChipAppeared = 6, "chip-appeared";
    /// A chip has gone: it is being reset, or was unplugged. Simulated and mock chips have no such event.
    ChipVanished = 7, "chip-vanished";
    /// A chip held more of a kind of memory than ever before, and then less.
    Peak = 8, "peak";
    /// An allocation failed.
    Failure = 9, "failure";
    /// Snapshots were taken and not recorded, since the disk was too slow.
    Dropped = 10, "dropped";
    /// The time of day was set.
    ClockStepped = 11, "clock-stepped";
    /// The machine slept.
    Suspended = 12, "suspended";
    /// The recording begins.
    Began = 13, "began";
    /// The recording ends, and why.
    Ended = 14, "ended";
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Time of the event.
    pub time: Timestamp,
    /// The kind.
    pub kind: EventKind,
    /// The chip it is about, if it is about one.
    pub chip: Option<ChipId>,
    /// The process it is about, if it is about one.
    pub pid: Option<Pid>,
    /// The description, in one line.
    pub text: String,
    /// The number that it is about: bytes of a peak, snapshots dropped, microseconds of a step.
    pub value: Option<i64>,
    /// The content as it was written, of an event that this version does not know.
    pub bytes: Vec<u8>,
}

/// The content of an event as it is written. Fields may be added.
#[derive(Default, Serialize, Deserialize)]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chip: Option<ChipId>,
    /// The index of a chip without an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chip_index: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<Pid>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
}

impl Event {
    /// An event about nothing in particular.
    #[must_use]
    pub fn new(time: Timestamp, kind: EventKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { time, kind, chip: None, pid: None, text, value: None, bytes: Vec::new() }
    }

    /// Sets the chip.
    #[must_use]
    pub(crate) fn of_chip(mut self, chip: ChipId) -> Self {
        self.chip = Some(chip);
        self
    }

    /// Sets the process.
    #[must_use]
    pub(crate) fn of_process(mut self, pid: Pid) -> Self {
        self.pid = Some(pid);
        self
    }

    /// Sets the number of the event.
    #[must_use]
    pub fn with_value(mut self, value: i64) -> Self {
        self.value = Some(value);
        self
    }

    /// An event as it was written. What cannot be understood is kept as it is.
    pub fn read(code: u64, time: Timestamp, bytes: &[u8]) -> Self {
        let kind = EventKind::from_code(code);
        let known = !matches!(kind, EventKind::Other(_));
        match serde_json::from_slice::<Payload>(bytes) {
            Ok(Payload { chip, chip_index, pid, text, value }) if known => {
                let chip = chip.or(chip_index.map(ChipId::Unknown));
                Self { time, kind, chip, pid, text, value, bytes: Vec::new() }
            }
            _ => Self { bytes: bytes.to_vec(), ..Self::new(time, kind, "") },
        }
    }

    /// The content as it is written.
    pub(crate) fn payload(&self) -> Vec<u8> {
        if !self.bytes.is_empty() {
            return self.bytes.clone();
        }
        let Self { pid, value, .. } = *self;
        let (chip, chip_index) = self.chip_in_json();
        let payload = Payload { chip, chip_index, pid, text: self.text.clone(), value };
        serde_json::to_vec(&payload).unwrap_or_default()
    }

    /// The id of the chip, or the index of a chip without one.
    fn chip_in_json(&self) -> (Option<ChipId>, Option<u32>) {
        let index = self.chip.and_then(ChipId::unknown);
        (self.chip.filter(|_| index.is_none()), index)
    }

    /// About how many bytes it takes when written.
    pub(crate) fn bytes_len(&self) -> usize {
        80 + self.text.len() + self.bytes.len()
    }
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            time_us: Timestamp,
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<u64>,
            chip: Option<ChipId>,
            #[serde(skip_serializing_if = "Option::is_none")]
            chip_index: Option<u32>,
            pid: Option<Pid>,
            value: Option<i64>,
            text: &'a str,
        }
        let code = matches!(self.kind, EventKind::Other(_)).then(|| self.kind.code());
        let Self { time, kind, pid, value, .. } = *self;
        let (chip, chip_index) = self.chip_in_json();
        let (time_us, kind, text) = (time, kind.as_str(), &self.text);
        Json { time_us, kind, code, chip, chip_index, pid, value, text }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_an_unknown_kind_keeps_its_bytes() {
        let event = Event::read(900, Timestamp(5), b"{\"text\":\"new\",\"more\":1}");
        assert_eq!((event.kind, event.kind.as_str()), (EventKind::Other(900), "unknown"));
        assert_eq!(event.payload(), b"{\"text\":\"new\",\"more\":1}");
    }

    #[test]
    fn an_event_comes_back() {
        let event = Event::new(Timestamp(5), EventKind::Peak, "DRAM 1 GiB")
            .of_chip(ChipId::Known(7))
            .of_process(Pid(4))
            .with_value(-3);
        assert_eq!(Event::read(event.kind.code(), Timestamp(5), &event.payload()), event);
        let unnamed = Event { chip: Some(ChipId::Unknown(2)), ..event };
        assert_eq!(Event::read(unnamed.kind.code(), Timestamp(5), &unnamed.payload()), unnamed);
        let damaged = Event::read(8, Timestamp(5), b"\xff\xfe");
        assert_eq!((damaged.kind, damaged.bytes.len()), (EventKind::Peak, 2));
    }

    #[test]
    fn every_code_has_one_kind() {
        for code in 0..20 {
            assert_eq!(EventKind::from_code(code).code(), code);
        }
    }
}
