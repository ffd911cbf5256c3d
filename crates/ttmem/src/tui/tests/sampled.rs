//! Live views of hosts under load.

use std::sync::{Arc, LazyLock};

use ttmem_fake::{BOOT, NOW};
use ttmem_model::Snapshot;
use ttmem_root::{Clock, Root, Tree};
use ttmem_sources::Collector;

use crate::tui::app::{App, Event, ListKind, Sample};
use crate::tui::choice::{Settings, View};
use crate::tui::demo::Work;
use crate::tui::history::Moment;
use crate::tui::look::Look;

/// A minute and a half of a host under load, sampled once for any number of views.
pub(super) struct Sampled {
    work: Work,
    samples: Vec<(Moment, Arc<Snapshot>)>,
}

impl Sampled {
    pub(super) fn of_tree(tree: Tree) -> Self {
        let collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(NOW));
        Self::new(collector)
    }

    pub(super) fn new(collector: Collector) -> Self {
        let mut work = Work::new(collector);
        let begin = work.begin().0;
        let moments = (0..90_u64).map(|second| Moment(begin + second * 1_000_000));
        let samples = moments.map(|at| (at, Arc::new(work.at(at)))).collect();
        Self { work, samples }
    }

    /// Returns the live view after all samples.
    pub(super) fn watch(&self, view: View, look: Look) -> App {
        let mut app = App::new(Settings { view, ..Settings::default() }, look, true);
        for (at, snapshot) in &self.samples {
            let (at, snapshot) = (*at, Arc::clone(snapshot));
            app.update(at, Event::Sample(Sample { at, snapshot, boot: Some(BOOT) }));
            self.list_at(&mut app, at);
        }
        app
    }

    /// Gives a live view the list that it wants after the last sample.
    pub(super) fn list(&self, app: &mut App) {
        let last = self.samples.last().map(|(at, _)| *at);
        self.list_at(app, last.unwrap());
    }

    fn list_at(&self, app: &mut App, at: Moment) {
        match app.wanted_list() {
            Some((ListKind::Buffers, _)) => {
                app.update(at, Event::Buffers(at, Box::new(self.work.buffers_at(at))));
            }
            Some((ListKind::Ops, _)) => drop(app.update(at, Event::Ops(at, self.work.ops_at(at)))),
            None => {}
        }
    }
}

/// The live view of a host after a minute and a half under load.
pub(super) fn watch(tree: Tree, view: View, look: Look) -> App {
    Sampled::of_tree(tree).watch(view, look)
}

pub(super) fn demo(view: View, look: Look) -> App {
    static DEMO: LazyLock<Sampled> = LazyLock::new(|| Sampled::new(Collector::demo()));
    DEMO.watch(view, look)
}
