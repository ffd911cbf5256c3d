//! The choices that `ttmem top` remembers: `ttmem/config.toml` in the user's configuration directory.
//!
//! Every key has one entry in `KEYS`: its name, how it is read and written, and what is above it in the file
//! that `ttmem config --default` prints. A key that is not among them is named, not passed over.

mod file;

use std::fmt;
use std::path::{Path, PathBuf};

use ttmem_model::order;

use toml::de::{DeTable, DeValue};

use crate::output::buffers::SortKey;
use crate::tui::choice::{Arrange, Panel, Scale, Settings, View};
use crate::tui::history::Window;
use crate::tui::look::Theme;
use crate::tui::op::OpColumn;
use crate::tui::select::Column;
use crate::units::Interval;

pub(crate) use file::{Configuration, path};

/// An error in a configuration, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The error, and the valid values.
    pub(crate) what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.what)
    }
}

/// A key of the file.
struct Key {
    name: &'static str,
    help: &'static [&'static str],
    value: Value,
}

/// The value of a key: how it is read into the settings, and how it is written.
enum Value {
    /// `true` or `false`.
    Flag { set: fn(&mut Settings, bool), get: fn(&Settings) -> bool },
    /// Anything else.
    Other {
        read: fn(&mut Settings, &DeValue<'_>) -> Result<(), String>,
        write: fn(&Settings) -> String,
    },
}

impl Key {
    const fn flag(
        name: &'static str,
        help: &'static [&'static str],
        set: fn(&mut Settings, bool),
        get: fn(&Settings) -> bool,
    ) -> Self {
        Self { name, help, value: Value::Flag { set, get } }
    }

    const fn other(
        name: &'static str,
        help: &'static [&'static str],
        read: fn(&mut Settings, &DeValue<'_>) -> Result<(), String>,
        write: fn(&Settings) -> String,
    ) -> Self {
        Self { name, help, value: Value::Other { read, write } }
    }

    fn read(&self, settings: &mut Settings, value: &DeValue<'_>) -> Result<(), String> {
        match &self.value {
            Value::Flag { set, .. } => truth(value).map(|value| set(settings, value)),
            Value::Other { read, .. } => read(settings, value),
        }
    }

    fn write(&self, settings: &Settings) -> String {
        match &self.value {
            Value::Flag { get, .. } => get(settings).to_string(),
            Value::Other { write, .. } => write(settings),
        }
    }
}

const KEYS: &[Key] = &[
    Key::other(
        "theme",
        &[
            "Colours: default, light, high-contrast, colour-blind or mono.",
            "NO_COLOR in the environment overrides it.",
        ],
        |settings, value| {
            let theme = named(value, Theme::by_name, &Theme::ALL.map(Theme::name))?;
            settings.theme = Some(theme);
            Ok(())
        },
        |settings| quoted(settings.theme.unwrap_or_default().name()),
    ),
    Key::flag(
        "ascii",
        &["Draw with ASCII only."],
        |settings, value| settings.ascii = value,
        |settings| settings.ascii,
    ),
    Key::other(
        "view",
        &[
            "The view that opens first: overview, charts, l1, processes, buffers, telemetry,",
            "findings or ops.",
        ],
        |settings, value| {
            set(&mut settings.view, named(value, View::by_name, &View::ALL.map(View::name)))
        },
        |settings| quoted(settings.view.name()),
    ),
    Key::other(
        "interval",
        &[
            "Time from one sample to the next: 100ms to 60s. A shorter one costs more and",
            "makes the shortest charts finer.",
        ],
        |settings, value| set(&mut settings.interval_micros, interval(value)),
        |settings| quoted(&interval_text(settings.interval_micros)),
    ),
    Key::flag(
        "mouse",
        &["Use the mouse. With false, the terminal's own selection works."],
        |settings, value| settings.mouse = value,
        |settings| settings.mouse,
    ),
    Key::other(
        "sort",
        &[
            "The column by which processes are sorted: pid, user, chips, dram, l1, l1_small,",
            "trace, circular_buffers, cpu, host_memory, runtime or name.",
        ],
        |settings, value| {
            set(&mut settings.sort, named(value, Column::by_name, &Column::ALL.map(Column::name)))
        },
        |settings| quoted(settings.sort.name()),
    ),
    Key::flag(
        "ascending",
        &["The smallest first."],
        |settings, value| settings.ascending = value,
        |settings| settings.ascending,
    ),
    Key::flag(
        "tree",
        &["List the chips of each process below it."],
        |settings, value| settings.tree = value,
        |settings| settings.tree,
    ),
    Key::other(
        "sort_buffers",
        &["What comes first of buffers: size, age, op or address."],
        |settings, value| {
            let names = SortKey::ALL.map(SortKey::name);
            set(&mut settings.sort_buffers, named(value, SortKey::by_name, &names))
        },
        |settings| quoted(settings.sort_buffers.name()),
    ),
    Key::flag(
        "reverse_buffers",
        &["Buffers the other way around."],
        |settings, value| settings.reverse_buffers = value,
        |settings| settings.reverse_buffers,
    ),
    Key::other(
        "sort_ops",
        &[
            "What comes first of ops: dispatches, cores, circular_buffers, kernel_text, tensors,",
            "aliasing, peak, headroom or op.",
        ],
        |settings, value| {
            let names = OpColumn::ALL.map(OpColumn::name);
            set(&mut settings.sort_ops, named(value, OpColumn::by_name, &names))
        },
        |settings| quoted(settings.sort_ops.name()),
    ),
    Key::flag(
        "reverse_ops",
        &["Ops the other way around."],
        |settings, value| settings.reverse_ops = value,
        |settings| settings.reverse_ops,
    ),
    Key::other(
        "window",
        &["How far back charts look, in minutes: 1, 5, 15 or 60."],
        |settings, value| set(&mut settings.window, window(value)),
        |settings| settings.window.minutes().to_string(),
    ),
    Key::other(
        "metrics",
        &[
            "The charts: dram, l1_by_kind, l1, l1_small, trace, circular_buffers,",
            "circular_buffers_alone (no tensors), circular_buffers_reported, kernels,",
            "reserved, dram_largest_free, l1_largest_free,",
            "temperature, power, aiclk, pcie_in, pcie_out; of processes also cpu and host_memory.",
        ],
        |settings, value| set(&mut settings.metrics, panels(value)),
        |settings| {
            let names: Vec<String> =
                settings.metrics.iter().map(|panel| quoted(panel.name())).collect();
            format!("[{}]", names.join(", "))
        },
    ),
    Key::other(
        "chips",
        &[
            "Charts of several chips: auto (sum for more than 8, else overlay), overlay, each,",
            "sum, maximum, tray or board.",
        ],
        |settings, value| set(&mut settings.arrange, arrangement(value)),
        |settings| quoted(settings.arrange.map_or(AUTO, Arrange::name)),
    ),
    Key::flag(
        "autoscale",
        &["Scale charts to their data; with false, to capacity or limit."],
        |settings, auto| settings.scale = if auto { Scale::Auto } else { Scale::Limit },
        |settings| settings.scale == Scale::Auto,
    ),
    Key::other(
        "export_directory",
        &["Where exports are saved; the working directory if it is empty."],
        |settings, value| {
            let text = string(value)?;
            settings.export_directory = (!text.is_empty()).then(|| PathBuf::from(text));
            Ok(())
        },
        |settings| {
            quoted(&settings.export_directory.as_deref().unwrap_or(Path::new("")).to_string_lossy())
        },
    ),
    Key::flag(
        "remember",
        &["Save choices made in the live view to this file at its end."],
        |settings, value| settings.remember = value,
        |settings| settings.remember,
    ),
];

/// Keys that files of 0.1 have and that mean nothing now.
const RETIRED: &[&str] = &["overlay"];

impl Settings {
    /// The settings that a file's text makes of the usual ones, and everything that is wrong with it. What is wrong
    /// keeps its usual value.
    #[must_use]
    pub(crate) fn parse(text: &str) -> (Self, Vec<Fault>) {
        let mut settings = Self::default();
        let mut faults = Vec::new();
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let what = error.message().replace('\n', " ");
                faults.push(Fault { line: line_of(text, start), what });
                return (settings, faults);
            }
        };
        for (name, value) in table.get_ref() {
            let line = line_of(text, name.span().start);
            let outcome = match KEYS.iter().find(|key| key.name == name.get_ref().as_ref()) {
                Some(key) => key
                    .read(&mut settings, value.get_ref())
                    .map_err(|what| format!("{}: {what}", key.name)),
                None if RETIRED.contains(&name.get_ref().as_ref()) => Ok(()),
                None => Err(unknown(name.get_ref())),
            };
            faults.extend(outcome.err().map(|what| Fault { line, what }));
        }
        order::sort_by_key(&mut faults, |fault| fault.line);
        (settings, faults)
    }

    /// The file with every key at its default value, each with its purpose. Reading it changes nothing.
    #[must_use]
    pub(crate) fn default_file() -> String {
        let usual = Self::default();
        let mut text = String::from(
            "# ttmem top: its choices. This file is read from $XDG_CONFIG_HOME/ttmem/config.toml,\n\
             # or ~/.config/ttmem/config.toml. Remove the # of a line to change it.\n",
        );
        for key in KEYS {
            text.push('\n');
            for line in key.help {
                text.push_str("# ");
                text.push_str(line);
                text.push('\n');
            }
            text.push_str(&format!("#{} = {}\n", key.name, key.write(&usual)));
        }
        text
    }

    /// The text of a file with what differs between two settings changed in place. Comments and everything else stay.
    #[must_use]
    pub(crate) fn changed(text: &str, before: &Self, after: &Self) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for key in KEYS {
            let value = key.write(after);
            if key.write(before) == value {
                continue;
            }
            let line = format!("{} = {value}", key.name);
            match place_of(&lines, key.name) {
                Some(index) => lines[index] = line,
                None => lines.push(line),
            }
        }
        lines.join("\n") + "\n"
    }
}

/// The line that sets a key; else the one that shows its usual value in a comment.
fn place_of(lines: &[String], name: &str) -> Option<usize> {
    let sets = |line: &str| {
        line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let shows = |line: &str| line.strip_prefix('#').is_some_and(sets);
    lines.iter().position(|line| sets(line)).or_else(|| lines.iter().position(|line| shows(line)))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    format!("unknown key {name}; there are {}", names.join(", "))
}

fn set<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    value.map(|value| *field = value)
}

fn string<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("a text in quotes is needed, not {}", value.type_str()))
}

fn truth(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("true or false is needed, not {}", value.type_str()))
}

/// The name of an arrangement by the number of chips.
const AUTO: &str = "auto";

fn arrangement(value: &DeValue<'_>) -> Result<Option<Arrange>, String> {
    if string(value)? == AUTO {
        return Ok(None);
    }
    let names: Vec<&str> = [AUTO].into_iter().chain(Arrange::ALL.map(Arrange::name)).collect();
    named(value, Arrange::by_name, &names).map(Some)
}

fn named<T>(
    value: &DeValue<'_>,
    by_name: impl Fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<T, String> {
    let text = string(value)?;
    by_name(text).ok_or_else(|| format!("{text} is not one of {}", names.join(", ")))
}

fn interval(value: &DeValue<'_>) -> Result<u64, String> {
    const MOST_MICROS: u128 = 60_000_000;
    let text = string(value)?;
    let interval: Interval = text.parse().map_err(|error| format!("{text}: {error}"))?;
    let micros = interval.duration().as_micros();
    if micros > MOST_MICROS {
        return Err(format!("{text} is longer than 60s"));
    }
    u64::try_from(micros).map_err(|error| error.to_string())
}

fn interval_text(micros: u64) -> String {
    if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else {
        format!("{}ms", micros / 1_000)
    }
}

fn window(value: &DeValue<'_>) -> Result<Window, String> {
    let minutes = value.as_integer().and_then(|number| number.as_str().parse().ok());
    minutes.and_then(Window::of_minutes).ok_or_else(|| "1, 5, 15 or 60 is needed".to_owned())
}

fn panels(value: &DeValue<'_>) -> Result<Vec<Panel>, String> {
    let list =
        value.as_array().ok_or_else(|| format!("a list is needed, not {}", value.type_str()))?;
    let panel = |item: &toml::Spanned<DeValue<'_>>| {
        let name = string(item.get_ref())?;
        Panel::by_name(name).ok_or_else(|| format!("there is no chart {name}"))
    };
    let panels = list.iter().map(panel).collect::<Result<Vec<_>, _>>()?;
    if panels.is_empty() { Err("at least one chart is needed".to_owned()) } else { Ok(panels) }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
