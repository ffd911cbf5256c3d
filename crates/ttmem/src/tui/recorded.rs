//! The parts of a recording other than its moments: buffers as recorded by agents, and the cores of one moment. They
//! are read on the threads that read the live host, and only when a view needs them.

use std::path::{Path, PathBuf};

use ttmem_analysis::replay;
use ttmem_analysis::run_report::RecordedBuffers;
use ttmem_model::l1::report::{CoreReport, L1Report};
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{AttachmentKind, Recording};
use ttmem_service::recorder::FileSource;

use super::app::{Event, ListKind};
use super::cores::CoreLook;
use super::history::Moment;
use super::player::open;
use super::sampler::{CoreFeed, Lister, Maker, RecipeOfL1};

/// The upper bound of a core's L1.
const MOST_L1_BYTES: u64 = 1 << 32;

/// Creates the reader of the lists of a moment.
#[must_use]
pub(crate) fn lister(path: PathBuf) -> Maker<Lister> {
    Box::new(move || {
        let mut recording = read(&path)?;
        let recorded = RecordedBuffers::read(&mut recording);
        let list: Lister = Box::new(move |kind, at| list(&mut recording, &recorded, kind, at));
        Ok(list)
    })
}

fn list(
    recording: &mut Recording<FileSource>,
    recorded: &RecordedBuffers,
    kind: ListKind,
    at: Moment,
) -> Event {
    let moment = recording.at(Timestamp(at.0)).ok().flatten();
    // The thread that shows the moment reports the damage.
    let snapshot = moment.as_ref().and_then(|moment| replay::snapshot(moment).ok());
    match (kind, snapshot) {
        (ListKind::Buffers, Some(snapshot)) => Event::Buffers(at, Box::new(recorded.at(&snapshot))),
        (ListKind::Buffers, None) => {
            Event::Buffers(at, Box::new(RecordedBuffers::nothing(Timestamp(at.0))))
        }
        (ListKind::Ops, Some(snapshot)) => {
            let facts = moment.and_then(|moment| moment.facts().ok().flatten());
            Event::Ops(at, recorded.ops(&snapshot, facts.as_ref().map(|known| &known.facts)))
        }
        (ListKind::Ops, None) => Event::Ops(at, Vec::new()),
    }
}

/// Creates the reader of recorded cores.
#[must_use]
pub(crate) fn cores(path: PathBuf) -> RecipeOfL1 {
    Box::new(move |_ask| {
        let path = path.clone();
        Box::new(move || {
            let mut recording = read(&path)?;
            let look = look(&mut recording).unwrap_or_else(CoreLook::none);
            Ok(CoreFeed::Recording(Box::new(look)))
        })
    })
}

/// The recorded cores, or the reason that there are none.
fn look(recording: &mut Recording<FileSource>) -> Result<CoreLook, String> {
    let attachments = recording.attachments().into_iter();
    let mut of_l1 = attachments.filter(|its| its.attachment.kind == AttachmentKind::L1);
    let attached = of_l1.next_back().ok_or_else(|| {
        let text = "This recording has totals of L1, shown in the overview, but no cores";
        match recording.is_ended() {
            true => format!("{text}."),
            false => format!("{text}: its end, where cores are stored, is missing."),
        }
    })?;
    let unreadable = |why: String| format!("The cores in this recording cannot be read: {why}.");
    let bytes = recording.attachment(&attached).map_err(|damage| unreadable(damage.to_string()))?;
    let report: L1Report =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if !report.chips.iter().flat_map(|chip| &chip.cores).all(is_sound) {
        return Err(unreadable("the regions of a core overlap or leave gaps".to_owned()));
    }
    let time = attached.attachment.time;
    let snapshot =
        snapshot(recording, time)
            .or_else(|| snapshot(recording, recording.span()?.0))
            .ok_or_else(|| unreadable("the recording is damaged at their time".to_owned()))?;
    Ok(CoreLook::recorded(time, report, &snapshot))
}

/// True if the regions of a core cover its L1 exactly once. The file is not trusted.
fn is_sound(core: &CoreReport) -> bool {
    let mut next = 0;
    core.regions.iter().all(|region| {
        let follows = region.start == next && region.start < region.end;
        next = region.end;
        follows && region.end <= MOST_L1_BYTES
    })
}

fn read(path: &Path) -> Result<Recording<FileSource>, String> {
    open(path).map_err(|error| format!("the recording cannot be opened again: {error}"))
}

fn snapshot(recording: &mut Recording<FileSource>, time: Timestamp) -> Option<Snapshot> {
    replay::snapshot(&recording.at(time).ok()??).ok()
}
