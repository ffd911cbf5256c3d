//! The threads that read the subject: a host, or a recording.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use ttmem_root::Root;

use crate::tui::app::{Action, ListKind, Pace};
use crate::tui::history::Moment;
use crate::tui::player::Player;
use crate::tui::recorded;
use crate::tui::sampler::{
    CoreReader, DetailsReader, ListReader, Listing, RecipeOfL1, Sampler, Samples, Stamped, Timeline,
};

/// The subject of the live view.
pub(crate) enum Subject {
    /// A host.
    Host(Box<HostParts>),
    /// A recording.
    Recording(PathBuf),
}

/// The access to a host.
pub(crate) struct HostParts {
    /// The source of samples.
    pub(crate) feed: Samples,
    /// The source of lists, read once a view needs them.
    pub(crate) lists: Listing,
    /// The source of L1, read once the view needs it.
    pub(crate) l1: RecipeOfL1,
    /// The host's files, for the sampler and the details of a process.
    pub(crate) roots: [Root; 2],
    /// The start of the time line; the current time if `None`.
    pub(crate) begin: Option<Moment>,
}

impl Subject {
    /// Sets the start of the time line.
    pub(super) fn begin(&self) -> Option<Moment> {
        match self {
            Self::Host(parts) => parts.begin,
            Self::Recording(_) => None,
        }
    }
}

/// The threads.
#[derive(Debug)]
pub(super) enum Readers {
    /// Readers of a host.
    Host { sampler: Sampler, cores: CoreReader, lists: ListReader, details: DetailsReader },
    /// Readers of a recording.
    Recording { player: Player, cores: CoreReader, lists: ListReader },
}

impl Readers {
    /// Starts the threads.
    pub(super) fn start(
        subject: Subject,
        interval: Duration,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> io::Result<Self> {
        let HostParts { feed, lists, l1, roots: [first, second], .. } = match subject {
            Subject::Host(parts) => *parts,
            Subject::Recording(path) => {
                let lists = Listing::Made(recorded::lister(path.clone()));
                return Ok(Self::Recording {
                    player: Player::start(&path, timeline, events.clone())?,
                    lists: ListReader::start(lists, timeline, events.clone())?,
                    cores: CoreReader::start(recorded::cores(path), timeline, events)?,
                });
            }
        };
        Ok(Self::Host {
            sampler: Sampler::start(feed, first, timeline, interval, events.clone())?,
            cores: CoreReader::start(l1, timeline, events.clone())?,
            lists: ListReader::start(lists, timeline, events.clone())?,
            details: DetailsReader::start(second, timeline, events)?,
        })
    }

    /// Starts the read that an action requests. The state requests only what the subject has.
    pub(super) fn ask(&self, action: Action) {
        match (self, action) {
            (Self::Host { sampler, .. }, Action::Interval(micros)) => {
                sampler.set_interval(Duration::from_micros(micros));
            }
            (Self::Host { cores, .. } | Self::Recording { cores, .. }, Action::Cores(ask)) => {
                cores.ask(ask);
            }
            (Self::Host { details, .. }, Action::Details(process)) => details.ask(process),
            (Self::Recording { player, .. }, Action::Replay(playback)) => player.order(playback),
            _ => {}
        }
    }

    /// Starts or stops reading a list.
    pub(super) fn want_list(&mut self, list: Option<(ListKind, Pace)>) {
        let (Self::Host { lists, .. } | Self::Recording { lists, .. }) = self;
        lists.want(list);
    }
}
