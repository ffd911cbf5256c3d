//! The player of a recording: position, speed and events.

use ttmem_model::Timestamp;
use ttmem_recording::{Event as Happened, EventKind};

use super::{Action, App, Past, Role, Sample};
use crate::output::amount::{date_time, size};
use crate::tui::history::Moment;
use crate::units::moment::{self, SYNTAX};

/// Playback speeds, in seconds of the recording per second.
pub(crate) const SPEEDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Microseconds between two frames during playback.
pub(crate) const FRAME_MICROS: u64 = 100_000;

/// The most samples kept after a jump until the history of that moment is read.
const MOST_RECENT: usize = 64;

/// A request to the reader of the recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Playback {
    /// Play from the current position at a speed, in seconds per second.
    Play(f64),
    /// Pause.
    Pause,
    /// Show a moment, read the history before it, and play from there at a speed.
    Seek(Moment, f64),
}

/// A jump in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Jump {
    /// Number of seconds; negative values go back.
    Seconds(i64),
    /// The next event.
    NextEvent,
    /// The previous event.
    EventBefore,
}

/// A recording that is being played.
#[derive(Debug)]
pub(crate) struct Replay {
    /// The file name.
    pub(crate) name: String,
    /// The first and the last moment.
    pub(crate) span: (Moment, Moment),
    /// True during playback.
    pub(crate) playing: bool,
    /// The events in time order; empty until they are read.
    pub(crate) events: Vec<Happened>,
    /// True while the history before the current moment is being read.
    pub(crate) filling: bool,
    /// The index of the speed in [`SPEEDS`].
    speed: usize,
    /// The moment of the last jump.
    sought: Moment,
    /// The samples since the last jump.
    recent: Vec<Sample>,
}

impl Replay {
    /// Creates a player at the start of a recording.
    #[must_use]
    pub(crate) fn new(name: String, (first, last): (Timestamp, Timestamp)) -> Self {
        let speed = SPEEDS.iter().position(|speed| (*speed - 1.0).abs() < 0.01).unwrap_or(0);
        Self {
            name,
            span: (Moment(first.0), Moment(last.0)),
            playing: true,
            events: Vec::new(),
            filling: false,
            speed,
            sought: Moment(first.0),
            recent: Vec::new(),
        }
    }

    /// Returns the speed, in seconds of the recording per second.
    #[must_use]
    pub(crate) fn speed(&self) -> f64 {
        SPEEDS[self.speed]
    }

    /// Returns the microseconds between samples during playback.
    fn stride(&self, interval: u64) -> u64 {
        interval.max(crate::tui::number::bytes(FRAME_MICROS as f64 * self.speed()))
    }

    /// Keeps a sample until the history is known.
    fn keep(&mut self, sample: &Sample) {
        if self.filling && self.recent.len() < MOST_RECENT {
            self.recent.push(sample.clone());
        }
    }

    /// Describes the events at a moment in one line.
    #[must_use]
    pub(crate) fn at(&self, moment: Moment) -> Option<String> {
        let mut here = self.events.iter().filter(|event| event.time.0 == moment.0);
        let first = here.next()?;
        let text = match (first.text.as_str(), first.value.map(u64::try_from)) {
            ("", _) => first.kind.as_str().to_owned(),
            // The text of a peak has its exact bytes.
            (text, Some(Ok(bytes))) if first.kind == EventKind::Peak => {
                let kind = text.split(' ').next().unwrap_or_default();
                format!("peak of {kind}: {}", size(bytes))
            }
            (text, _) => format!("{}: {text}", first.kind.as_str()),
        };
        Some(match here.count() {
            0 => text,
            more => format!("{text} and {more} more"),
        })
    }

    /// Returns the time of the next or previous event.
    fn event_from(&self, moment: Moment, jump: Jump) -> Option<Moment> {
        let mut times = self.events.iter().map(|event| Moment(event.time.0));
        match jump {
            Jump::NextEvent => times.find(|time| *time > moment),
            _ => times.rev().find(|time| *time < moment),
        }
    }
}

impl App {
    /// Switches the state to a recording.
    pub(crate) fn replay(&mut self, replay: Replay, interval_micros: u64) {
        self.interval = interval_micros.max(1);
        self.replay = Some(replay);
    }

    /// Returns the microseconds that a sample covers.
    pub(super) fn stride(&self) -> u64 {
        let playing = self.replay.as_ref().filter(|replay| replay.playing);
        playing.map_or(self.interval, |replay| replay.stride(self.interval))
    }

    /// Shows a sample of a recording.
    pub(super) fn note_played(&mut self, sample: &Sample) {
        if let Some(replay) = &mut self.replay {
            replay.keep(sample);
        }
    }

    /// Merges the history before the moment of a jump.
    pub(super) fn take_past(&mut self, sought: Moment, past: Past, rates: super::Rates) {
        let stride = self.stride();
        let Some(replay) = &mut self.replay else { return };
        if replay.sought != sought {
            return;
        }
        replay.filling = false;
        self.past = past;
        let mut rates = rates;
        for sample in std::mem::take(&mut replay.recent) {
            if self.past.history.last().is_none_or(|last| sample.at > last) {
                rates = self.past.note(sample.at, stride, &sample.snapshot);
            }
        }
        if let Some(shown) = &mut self.shown {
            shown.cpu = rates;
        }
    }

    /// Handles the end of the recording.
    pub(super) fn end_replay(&mut self) {
        if let Some(replay) = &mut self.replay {
            replay.playing = false;
        }
    }

    /// Plays or pauses. At the end, starts over.
    pub(super) fn play_or_pause(&mut self) -> Action {
        let at = self.until();
        let Some(replay) = &mut self.replay else { return Action::Draw };
        if !replay.playing && at >= replay.span.1 {
            replay.playing = true;
            let first = replay.span.0;
            return self.seek(first);
        }
        replay.playing = !replay.playing;
        Action::Replay(if replay.playing {
            Playback::Play(replay.speed())
        } else {
            Playback::Pause
        })
    }

    /// Plays faster or slower.
    pub(super) fn change_speed(&mut self, change: impl Fn(usize) -> usize) -> Action {
        let Some(replay) = &mut self.replay else { return Action::Draw };
        replay.speed = change(replay.speed).min(SPEEDS.len() - 1);
        if replay.playing { Action::Replay(Playback::Play(replay.speed())) } else { Action::Draw }
    }

    /// Shows another moment.
    pub(super) fn seek(&mut self, moment: Moment) -> Action {
        let Some(replay) = &mut self.replay else { return Action::Draw };
        let moment = moment.clamp(replay.span.0, replay.span.1);
        (replay.sought, replay.filling) = (moment, true);
        replay.recent.clear();
        self.charts.cursor = None;
        let speed = if replay.playing { replay.speed() } else { 0.0 };
        Action::Replay(Playback::Seek(moment, speed))
    }

    /// Jumps.
    pub(super) fn jump(&mut self, jump: Jump) -> Action {
        let at = self.until();
        let Some(replay) = &self.replay else { return Action::Draw };
        let moment = match jump {
            Jump::Seconds(seconds) => {
                let micros = seconds.unsigned_abs() * 1_000_000;
                Some(if seconds < 0 { at.before(micros) } else { Moment(at.0 + micros) })
            }
            jump => replay.event_from(at, jump),
        };
        let Some(moment) = moment else {
            let where_ = if jump == Jump::NextEvent { "after this" } else { "before this" };
            self.notify(Role::Quiet, format!("no more events {where_}"));
            return Action::Draw;
        };
        if let Some(text) = replay.at(moment) {
            self.notify(Role::Strong, text);
        }
        self.seek(moment)
    }

    /// Jumps to a moment that the user typed.
    pub(super) fn go_to(&mut self, text: &str) -> Result<Action, String> {
        let Some(replay) = &self.replay else { return Ok(Action::Draw) };
        let (first, last) = replay.span;
        let time = moment::parse(text, Timestamp(first.0), Timestamp(last.0))
            .ok_or_else(|| format!("`{text}` is not a time; {SYNTAX}"))?;
        if time.0 < first.0 || time.0 > last.0 {
            let [first, last] = [first, last].map(|moment| date_time(Timestamp(moment.0)));
            return Err(format!("the recording covers {first} to {last}"));
        }
        Ok(self.seek(Moment(time.0)))
    }
}
