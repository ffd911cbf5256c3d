//! The threads that read what is looked at: a host, or a recording.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use ttmem_collect::Root;

use crate::tui::app::{Action, Pace};
use crate::tui::history::Moment;
use crate::tui::player::Player;
use crate::tui::recorded;
use crate::tui::sampler::{
    BufferReader, CoreReader, Listing, Looker, RecipeOfL1, Sampler, Samples, Stamped, Timeline,
};

/// What is looked at.
pub enum Subject {
    /// A host.
    Host(Box<HostParts>),
    /// A recording.
    Recording(PathBuf),
}

/// What a host is looked at through.
pub struct HostParts {
    /// What samples are taken from.
    pub feed: Samples,
    /// What buffers are read from, once somebody wants to see them.
    pub buffers: Listing,
    /// How L1 is read once somebody wants to see it.
    pub l1: RecipeOfL1,
    /// The host's files, for the sampler and for looking closely at a process.
    pub roots: [Root; 2],
    /// When the line of time begins; now, if nothing is said.
    pub begin: Option<Moment>,
}

impl Subject {
    /// When the line of time begins, if that is not now.
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
    /// Of a host.
    Host { sampler: Sampler, cores: CoreReader, buffers: BufferReader, looker: Looker },
    /// Of a recording.
    Recording { player: Player, cores: CoreReader, buffers: BufferReader },
}

impl Readers {
    /// Begins to read.
    pub(super) fn start(
        subject: Subject,
        interval: Duration,
        timeline: Timeline,
        events: SyncSender<Stamped>,
    ) -> io::Result<Self> {
        let HostParts { feed, buffers, l1, roots: [first, second], .. } = match subject {
            Subject::Host(parts) => *parts,
            Subject::Recording(path) => {
                let buffers = Listing::Made(recorded::lister(path.clone()));
                return Ok(Self::Recording {
                    player: Player::start(&path, timeline, events.clone())?,
                    buffers: BufferReader::start(buffers, timeline, events.clone())?,
                    cores: CoreReader::start(recorded::cores(path), timeline, events)?,
                });
            }
        };
        Ok(Self::Host {
            sampler: Sampler::start(feed, first, timeline, interval, events.clone())?,
            cores: CoreReader::start(l1, timeline, events.clone())?,
            buffers: BufferReader::start(buffers, timeline, events.clone())?,
            looker: Looker::start(second, timeline, events)?,
        })
    }

    /// Reads what an action asks for. The state asks nothing of what there is not.
    pub(super) fn ask(&self, action: Action) {
        match (self, action) {
            (Self::Host { sampler, .. }, Action::Interval(micros)) => {
                sampler.set_interval(Duration::from_micros(micros));
            }
            (Self::Host { cores, .. } | Self::Recording { cores, .. }, Action::Cores(ask)) => {
                cores.ask(ask);
            }
            (Self::Host { looker, .. }, Action::Details(process)) => looker.ask(process),
            (Self::Recording { player, .. }, Action::Replay(playback)) => player.order(playback),
            _ => {}
        }
    }

    /// Lists buffers at a pace from now on, or no longer.
    pub(super) fn want_buffers(&mut self, pace: Option<Pace>) {
        let (Self::Host { buffers, .. } | Self::Recording { buffers, .. }) = self;
        buffers.want(pace);
    }
}
