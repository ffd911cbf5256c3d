//! The subjects of the charts, and their values: of chips, of processes, and of chips taken together.

use ttmem_model::ChipId;
use ttmem_model::snapshot::Snapshot;

use super::App;
use crate::output::naming::chip_list;
use crate::tui::choice::Arrange;
use crate::tui::group::{Group, Groups};
use crate::tui::history::Moment;
use crate::tui::track::{Line, ProcessId, Subject, Track, Worst};

/// Number of chips above which they are added up unless the user chooses otherwise.
const MANY_CHIPS: usize = 8;

impl App {
    /// Returns the arrangements that differ for the visible subjects.
    #[must_use]
    pub(crate) fn arrangements(&self) -> Vec<Arrange> {
        let mut offered = vec![Arrange::Together, Arrange::Apart];
        let Some(snapshot) = self.snapshot() else { return offered };
        // The sums in the history are those of all chips.
        let all = self.chips().len();
        if self.charts.of_processes || all < 2 || all < snapshot.chips.len() {
            return offered;
        }
        offered.extend([Arrange::Sum, Arrange::Maximum]);
        offered.extend(Groups::of(snapshot).all().first().map(|group| match group {
            Group::Board(_) => Arrange::Boards,
            Group::Tray(_) | Group::All | Group::Highest => Arrange::Trays,
        }));
        offered
    }

    /// Returns the arrangement of the charts: the chosen one where it exists.
    #[must_use]
    pub(crate) fn arrange(&self) -> Arrange {
        let offered = self.arrangements();
        let chosen = self.charts.arrange.filter(|arrange| offered.contains(arrange));
        let many = offered.contains(&Arrange::Sum) && self.chips().len() > MANY_CHIPS;
        chosen.unwrap_or(if many { Arrange::Sum } else { Arrange::Together })
    }

    /// Chooses the next arrangement.
    pub(super) fn next_arrangement(&mut self) {
        let offered = self.arrangements();
        let now = self.arrange();
        let index = offered.iter().position(|arrange| *arrange == now).unwrap_or(0);
        self.charts.arrange = offered.get((index + 1) % offered.len()).copied();
    }

    /// Returns the subjects of the charts, in cursor order.
    #[must_use]
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        if self.charts.of_processes {
            let rows = self.rows();
            return rows.iter().map(|row| Subject::Process(row.id().process)).collect();
        }
        match self.arrange() {
            Arrange::Sum => vec![Subject::Group(Group::All)],
            Arrange::Maximum => vec![Subject::Group(Group::Highest)],
            Arrange::Trays | Arrange::Boards => self.groups(),
            Arrange::Together | Arrange::Apart => {
                self.chips().iter().map(|chip| Subject::Chip(chip.id)).collect()
            }
        }
    }

    fn groups(&self) -> Vec<Subject> {
        let groups = self.snapshot().map(|snapshot| Groups::of(snapshot).all());
        groups.into_iter().flatten().map(Subject::Group).collect()
    }

    /// Returns the index of the cursor among the subjects of the charts.
    #[must_use]
    pub(crate) fn subject_index(&self) -> usize {
        if self.charts.of_processes {
            return self.row_index();
        }
        let chips = self.chips();
        let Some(chip) = chips.get(self.chip_index()) else { return 0 };
        let has = |subject: &Subject| match subject {
            Subject::Chip(id) => *id == chip.id,
            Subject::Group(group) => self.has_chip(*group, chip.id),
            Subject::Process(_) => false,
        };
        self.subjects().iter().position(has).unwrap_or(0)
    }

    fn has_chip(&self, group: Group, id: ChipId) -> bool {
        self.snapshot().is_some_and(|snapshot| group.chips(snapshot).any(|chip| chip.id == id))
    }

    /// Moves the chip cursor to the first chip of the subject at an index of the charts.
    pub(super) fn put_subject_cursor(&mut self, index: usize) {
        let id = match (self.subjects().get(index), self.snapshot()) {
            (Some(Subject::Chip(id)), _) => Some(*id),
            (Some(Subject::Group(group)), Some(snapshot)) => {
                group.chips(snapshot).next().map(|chip| chip.id)
            }
            _ => None,
        };
        self.cursors.chip = id.or(self.cursors.chip);
    }

    /// Returns the name of a chip, of a process, or of chips taken together.
    #[must_use]
    pub(crate) fn name_of(&self, subject: Subject) -> String {
        let Some(snapshot) = self.snapshot() else { return String::new() };
        match subject {
            Subject::Chip(id) => match snapshot.chips.iter().find(|chip| chip.id == id) {
                Some(chip) => format!("chip {}", chip.index),
                None => format!("chip {id}"),
            },
            Subject::Process(id) => {
                let found = snapshot.processes.iter().find(|process| process.pid == id.pid);
                let name = found.map(|process| process.name.as_str()).unwrap_or_default();
                format!("{name} {}", id.pid)
            }
            Subject::Group(group) => group_name(snapshot, group),
        }
    }

    /// Returns the value of a track in the sample on screen.
    #[must_use]
    pub(crate) fn number(&self, subject: Subject, track: Track) -> Option<f64> {
        let shown = self.shown.as_ref()?;
        match subject {
            Subject::Chip(id) => {
                let chip = shown.snapshot.chips.iter().find(|chip| chip.id == id)?;
                track.of_chip(chip)
            }
            Subject::Group(group) => {
                let chips = group.chips(&shown.snapshot);
                group.combine(track, chips.filter_map(|chip| track.of_chip(chip)))
            }
            Subject::Process(id) if track == Track::Cpu => shown.cpu.get(&id).copied(),
            Subject::Process(id) => {
                let mut processes = shown.snapshot.processes.iter();
                track.of_process(processes.find(|process| ProcessId::of(process) == id)?)
            }
        }
    }

    /// Returns the values of a line in columns of equal time, up to the sample on screen.
    #[must_use]
    pub(crate) fn columns(&self, line: Line, columns: usize) -> Vec<Option<f32>> {
        let (history, window) = (&self.past.history, self.charts.window);
        let of = |line: Line| history.columns(line, window, self.until(), columns);
        let Some(lines) = self.lines_of(line) else { return of(line) };
        let worst = |mut one: Vec<Option<f32>>, other: Vec<Option<f32>>| {
            for (number, other) in one.iter_mut().zip(other) {
                *number = worse(line.track.worst(), *number, other);
            }
            one
        };
        lines.into_iter().map(of).reduce(worst).unwrap_or_else(|| vec![None; columns])
    }

    /// Returns the times of the window and the values of a line at them, the oldest first.
    #[must_use]
    pub(crate) fn points(&self, line: Line) -> Vec<(Moment, Option<f32>)> {
        let (history, window) = (&self.past.history, self.charts.window);
        let of = |line: Line| history.points(line, window).collect::<Vec<_>>();
        let Some(lines) = self.lines_of(line) else { return of(line) };
        let worst = |mut one: Vec<(Moment, Option<f32>)>, other: Vec<(Moment, Option<f32>)>| {
            for ((_, number), (_, other)) in one.iter_mut().zip(other) {
                *number = worse(line.track.worst(), *number, other);
            }
            one
        };
        lines.into_iter().map(of).reduce(worst).unwrap_or_default()
    }

    /// Returns the lines of the chips whose worst value a line is; `None` for a line that the history has.
    fn lines_of(&self, line: Line) -> Option<Vec<Line>> {
        let Subject::Group(group) = line.subject else { return None };
        if group.adds_up(line.track) {
            return None;
        }
        let of = |id: ChipId| Line { subject: Subject::Chip(id), track: line.track };
        Some(group.chips(self.snapshot()?).map(|chip| of(chip.id)).collect())
    }

    /// Returns the capacity or limit of a track for a subject.
    #[must_use]
    pub(crate) fn ceiling(&self, subject: Subject, track: Track) -> Option<f64> {
        let snapshot = self.snapshot()?;
        match subject {
            Subject::Chip(id) => {
                track.ceiling_of_chip(snapshot.chips.iter().find(|chip| chip.id == id)?)
            }
            Subject::Group(group) => {
                let ceilings = || group.chips(snapshot).map(|chip| track.ceiling_of_chip(chip));
                // The limit of some chips is not the limit of all.
                if group.adds_up(track) {
                    return ceilings().try_fold(0.0, |sum, limit| Some(sum + limit?));
                }
                ceilings().flatten().reduce(f64::max)
            }
            Subject::Process(_) => None,
        }
    }
}

fn group_name(snapshot: &Snapshot, group: Group) -> String {
    let chips = || group.chips(snapshot);
    match group {
        Group::All => format!("all {} chips together", chips().count()),
        Group::Highest => format!("maximum of {} chips", chips().count()),
        Group::Tray(Some(tray)) => format!("tray {tray}"),
        Group::Tray(None) => "no tray".to_owned(),
        Group::Board(_) => {
            let board = chips().find_map(|chip| chip.board.as_deref()).unwrap_or("board");
            let indices: Vec<u32> = chips().map(|chip| chip.index).collect();
            format!("{board} {}", chip_list(&indices))
        }
    }
}

/// Returns the worse of two values of which either may be missing.
fn worse(worst: Worst, one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(worst.of(one, other)),
        (one, other) => one.or(other),
    }
}
