//! `ttmem top`: the live view.
//!
//! - [`app`]: the state, and its update for every event. No I/O and no clock: events carry the time.
//! - [`history`]: the values of the last hour, in constant memory.
//! - [`view`]: pure drawing from the state to a frame; [`widget`] has the parts that views share.
//! - [`picker`]: the chooser of `ttmem pick`, drawn with the same parts.
//! - [`run`](mod@run): the event loop. Around it: [`listen`](mod@listen), [`terminal`] and [`screen`] (output to the terminal), [`sampler`] and
//!   [`details`] (reading the host; [`cores`] for view 3), [`past`] (the history of a server), [`player`] and
//!   [`recorded`] (reading a recording), [`demo`] (a made-up host under load).

pub(crate) mod app;
pub(crate) mod choice;
pub(crate) mod cores;
pub(crate) mod demo;
pub(crate) mod details;
pub(crate) mod export;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod key;
pub(crate) mod listen;
pub(crate) mod look;
pub(crate) mod number;
pub(crate) mod op;
pub(crate) mod past;
pub(crate) mod picker;
pub(crate) mod player;
pub(crate) mod recorded;
pub(crate) mod run;
pub(crate) mod sampler;
pub(crate) mod screen;
pub(crate) mod select;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
pub(crate) mod track;
pub(crate) mod view;
pub(crate) mod widget;
