//! Files of one device: which are read, and their content at one time.

use std::borrow::Cow;
use std::sync::Arc;

use rustix::io::Errno;
use ttmem_root::RootError;
use ttmem_root::batch::{FolderAnswer, FolderRequest};
use ttmem_root::readers::{Request, Response};

use super::device::{COUNTERS, FIRMWARE, Gauge, gauges, limits, sensors};
use super::holders::MAX_PIDS_BYTES;

/// Most bytes of an attribute: a page, as sysfs has it.
const ATTRIBUTE_BYTES: usize = 4096;

/// Folders of a request, in the order in which they are read: those that answer without the driver's lock first, the
/// list of owners, which waits for a lock of its own, last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FolderKind {
    /// The PCIe function.
    Pci,
    /// The driver's attributes.
    Attributes,
    /// The driver's PCIe counters.
    Counters,
    /// The sensors.
    Hwmon,
    /// The driver's files in procfs.
    Owners,
}

/// Directories of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folders {
    pub(super) pci: String,
    pub(super) attributes: String,
    /// The directory of the sensors; `None` if the driver has none for the chip.
    pub(super) hwmon: Option<String>,
}

/// Files of a device as they were read, or not read in time.
#[derive(Debug)]
pub(super) struct Files {
    request: Arc<Request>,
    answers: Vec<FolderAnswer>,
}

impl Folders {
    /// Requests the files of device `number`: all of them, or without those that last as long as the device.
    pub(super) fn request(&self, number: u32, has_lasting: bool) -> Request {
        let names = |gauges: &'static [Gauge]| gauges.iter().map(|gauge| gauge.file);
        let mut pci = vec!["current_link_speed", "current_link_width"];
        let mut attributes = vec!["tt_asic_id"];
        attributes.extend(names(gauges()));
        let mut hwmon: Vec<&str> = names(sensors()).collect();
        if has_lasting {
            pci.extend([
                "device",
                "subsystem_device",
                "max_link_speed",
                "max_link_width",
                "numa_node",
            ]);
            attributes.extend(["tt_card_type", "tt_serial"]);
            attributes.extend(FIRMWARE.iter().map(|(file, _)| *file));
            hwmon.extend(names(limits()));
        }
        let counters = format!("{}/pcie_perf_counters", self.attributes);
        let directory = self.hwmon.clone().unwrap_or_default();
        let hwmon = if self.hwmon.is_some() { hwmon } else { vec![] };
        let is_repeated = !has_lasting;
        let folder = |path: String, names, limit| FolderRequest { path, names, limit, is_repeated };
        let folders = vec![
            folder(self.pci.clone(), pci, ATTRIBUTE_BYTES),
            folder(self.attributes.clone(), attributes, ATTRIBUTE_BYTES),
            folder(counters, COUNTERS.to_vec(), ATTRIBUTE_BYTES),
            folder(directory, hwmon, ATTRIBUTE_BYTES),
            owners(number, is_repeated),
        ];
        Request { key: number, folders }
    }
}

/// Requests the driver's list of owners of device `number`.
pub(super) fn owners(number: u32, is_repeated: bool) -> FolderRequest<'static> {
    let path = format!("/proc/driver/tenstorrent/{number}");
    FolderRequest { path, names: vec!["pids"], limit: MAX_PIDS_BYTES, is_repeated }
}

impl Files {
    pub(super) fn new(request: Arc<Request>, response: Response) -> Self {
        Self { request, answers: response.folders }
    }

    /// True if the folder was read before the deadline.
    pub(super) fn has(&self, kind: FolderKind) -> bool {
        self.answers.get(kind as usize).is_some()
    }

    /// Content of a file, or why there is none. A folder that was not read in time has `ETIMEDOUT` in each of its files.
    pub(super) fn bytes(&self, kind: FolderKind, name: &str) -> Result<&[u8], RootError> {
        let folder = self.request.folders.get(kind as usize);
        let path = folder.map(|folder| folder.path.as_str()).unwrap_or_default();
        let error = |errno| RootError { path: format!("{path}/{name}"), errno };
        let names = folder.map(|folder| folder.names.as_slice()).unwrap_or_default();
        let index =
            names.iter().position(|other| *other == name).ok_or_else(|| error(Errno::NOENT))?;
        let answer = self.answers.get(kind as usize).ok_or_else(|| error(Errno::TIMEDOUT))?;
        match answer.file(index) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(errno)) => Err(error(errno)),
            None => Err(error(Errno::IO)),
        }
    }

    /// Content of a text file. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self, kind: FolderKind, name: &str) -> Result<Cow<'_, str>, RootError> {
        self.bytes(kind, name).map(String::from_utf8_lossy)
    }

    /// Time after the last folder that was read.
    pub(super) fn read_at(&self) -> Option<ttmem_model::Timestamp> {
        self.answers.iter().map(|answer| answer.read_at).max()
    }
}
