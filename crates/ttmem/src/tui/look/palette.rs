//! The colours of the themes.

use ratatui_core::style::{Color, Modifier};

use super::{LINES, Role, Theme};

/// A role's colour at full depth, its colour among 16, and its modifiers.
pub(super) struct Paint {
    pub(super) rgb: Option<[u8; 3]>,
    pub(super) sixteen: Option<Color>,
    pub(super) modifier: Modifier,
}

const fn colour(rgb: u32, sixteen: Color) -> Paint {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Paint { rgb: Some([red, green, blue]), sixteen: Some(sixteen), modifier: Modifier::empty() }
}

const fn bold(rgb: u32, sixteen: Color) -> Paint {
    Paint { modifier: Modifier::BOLD, ..colour(rgb, sixteen) }
}

/// The colour of all text.
const PLAIN: Paint = Paint { rgb: None, sixteen: None, modifier: Modifier::empty() };
const STRONG: Paint = Paint { rgb: None, sixteen: None, modifier: Modifier::BOLD };

/// Returns the colours of a role in a theme.
pub(super) fn paint(theme: Theme, role: Role) -> Paint {
    match (role, theme) {
        (Role::Plain, _) => PLAIN,
        (Role::Strong, _) => STRONG,
        (_, Theme::Mono) => mono(role),
        (Role::Line(number), _) => line(theme, number % LINES),
        (_, Theme::Default) => default(role),
        (_, Theme::Light) => light(role),
        (_, Theme::HighContrast) => high_contrast(role),
        (_, Theme::ColourBlind) => colour_blind(role),
    }
}

fn mono(role: Role) -> Paint {
    let modifier = match role {
        Role::Quiet | Role::Frame | Role::Reserved => Modifier::DIM,
        Role::Accent | Role::Notice => Modifier::BOLD,
        Role::Alarm => Modifier::BOLD.union(Modifier::UNDERLINED),
        _ => Modifier::empty(),
    };
    Paint { modifier, ..PLAIN }
}

fn default(role: Role) -> Paint {
    match role {
        Role::Plain | Role::Strong | Role::Line(_) => PLAIN,
        Role::Quiet => colour(0x8a_919c, Color::DarkGray),
        Role::Frame => colour(0x4a_515c, Color::DarkGray),
        Role::Accent => colour(0x7f_b4d8, Color::Cyan),
        Role::Notice => colour(0xe0_b96a, Color::Yellow),
        Role::Alarm => bold(0xe8_6c72, Color::LightRed),
        Role::Dram => colour(0x5f_9ccf, Color::Blue),
        Role::L1 => colour(0x74_b38a, Color::Green),
        Role::L1Small => colour(0xb4_c773, Color::LightGreen),
        Role::Trace => colour(0x9d_8cc9, Color::LightBlue),
        Role::CircularBuffers => colour(0xd3_9a5c, Color::Yellow),
        Role::Kernels => colour(0xc6_7b9c, Color::Magenta),
        Role::Reserved => colour(0x73_7a85, Color::Gray),
        Role::Stale => colour(0xa8_6f5c, Color::Red),
    }
}

fn light(role: Role) -> Paint {
    match role {
        Role::Plain | Role::Strong | Role::Line(_) => PLAIN,
        Role::Quiet => colour(0x67_6e79, Color::DarkGray),
        Role::Frame => colour(0xb6_bcc6, Color::Gray),
        Role::Accent => colour(0x1f_6699, Color::Blue),
        Role::Notice => colour(0x9a_6a00, Color::Yellow),
        Role::Alarm => bold(0xc0_2630, Color::Red),
        Role::Dram => colour(0x2c_6ca6, Color::Blue),
        Role::L1 => colour(0x2f_7d4f, Color::Green),
        Role::L1Small => colour(0x77_8a1d, Color::LightGreen),
        Role::Trace => colour(0x6a_549f, Color::LightBlue),
        Role::CircularBuffers => colour(0xb0_6a1c, Color::Yellow),
        Role::Kernels => colour(0xa3_4873, Color::Magenta),
        Role::Reserved => colour(0x8b_929d, Color::Gray),
        Role::Stale => colour(0x99_4a34, Color::Red),
    }
}

fn high_contrast(role: Role) -> Paint {
    match role {
        Role::Plain | Role::Strong | Role::Line(_) => PLAIN,
        Role::Quiet | Role::Frame => colour(0xd0_d0d0, Color::Gray),
        Role::Accent => bold(0x00_ffff, Color::LightCyan),
        Role::Notice => bold(0xff_ff00, Color::LightYellow),
        Role::Alarm => Paint {
            modifier: Modifier::BOLD.union(Modifier::REVERSED),
            ..colour(0xff_4040, Color::LightRed)
        },
        Role::Dram => colour(0x40_a0ff, Color::LightBlue),
        Role::L1 => colour(0x00_ff00, Color::LightGreen),
        Role::L1Small => colour(0xff_ff00, Color::LightYellow),
        Role::Trace => colour(0xc0_80ff, Color::Magenta),
        Role::CircularBuffers => colour(0xff_a000, Color::Yellow),
        Role::Kernels => colour(0xff_60ff, Color::LightMagenta),
        Role::Reserved => colour(0xff_ffff, Color::White),
        Role::Stale => colour(0xff_4040, Color::LightRed),
    }
}

fn colour_blind(role: Role) -> Paint {
    match role {
        Role::Plain | Role::Strong | Role::Line(_) => PLAIN,
        Role::Quiet => colour(0x8a_919c, Color::DarkGray),
        Role::Frame => colour(0x4a_515c, Color::DarkGray),
        Role::Accent => colour(0x56_b4e9, Color::Cyan),
        Role::Notice => colour(0xe6_9f00, Color::Yellow),
        Role::Alarm => bold(0xff_7a33, Color::LightRed),
        Role::Dram => colour(0x2f_8fd0, Color::Blue),
        Role::L1 => colour(0x00_9e73, Color::Green),
        Role::L1Small => colour(0xf0_e442, Color::LightYellow),
        Role::Trace => colour(0x9a_a5e8, Color::LightBlue),
        Role::CircularBuffers => colour(0xe6_9f00, Color::Yellow),
        Role::Kernels => colour(0xcc_79a7, Color::Magenta),
        Role::Reserved => colour(0x9a_9a9a, Color::Gray),
        Role::Stale => colour(0xd5_5e00, Color::Red),
    }
}

fn line(theme: Theme, number: u8) -> Paint {
    const ROLES: [Role; LINES as usize] = [
        Role::Dram,
        Role::CircularBuffers,
        Role::L1,
        Role::Kernels,
        Role::L1Small,
        Role::Trace,
        Role::Accent,
        Role::Stale,
    ];
    let role = ROLES[usize::from(number) % ROLES.len()];
    match theme {
        Theme::Default | Theme::Mono => default(role),
        Theme::Light => light(role),
        Theme::HighContrast => high_contrast(role),
        Theme::ColourBlind => colour_blind(role),
    }
}
