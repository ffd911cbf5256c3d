//! Arguments of `ttmem top` and `ttmem config`.

use clap::Args;

use crate::tui::choice::View;
use crate::tui::look::Theme;
use crate::units::Interval;

/// Options of `ttmem top`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct TopArgs {
    /// Take a sample every SEC seconds, 100ms to 60s [default: 1].
    #[arg(
        short = 'd',
        long,
        visible_short_alias = 'l',
        visible_alias = "loop",
        value_name = "SEC"
    )]
    pub(crate) interval: Option<Interval>,
    /// Open this view first: overview, charts, l1, processes, buffers, telemetry or findings.
    #[arg(long, value_name = "VIEW", value_parser = view)]
    pub(crate) view: Option<View>,
    /// Set the colors: default, light, high-contrast, colour-blind or mono.
    #[arg(long, value_name = "THEME", value_parser = theme)]
    pub(crate) theme: Option<Theme>,
    /// Leave the mouse to the terminal.
    #[arg(long)]
    pub(crate) no_mouse: bool,
    /// Allow sending signals to processes; each is confirmed.
    #[arg(long)]
    pub(crate) allow_signals: bool,
}

/// Options of `ttmem config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct ConfigArgs {
    /// Print the file with every option at its default value, each explained.
    #[arg(long)]
    pub(crate) default: bool,
}

fn view(name: &str) -> Result<View, String> {
    View::by_name(name).ok_or_else(|| format!("views are {}", View::ALL.map(View::name).join(", ")))
}

fn theme(name: &str) -> Result<Theme, String> {
    Theme::by_name(name)
        .ok_or_else(|| format!("themes are {}", Theme::ALL.map(Theme::name).join(", ")))
}
