//! `ttmem top`: the live view.
//!
//! - [`app`]: the state, and its update for every event. No I/O and no clock: events carry the time.
//! - [`history`]: the values of the last hour, in constant memory.
//! - [`view`]: pure drawing from the state to a frame; [`widget`] has the parts that views share.
//! - [`run`](mod@run): the event loop. Around it: [`terminal`] and [`screen`] (output to the terminal), [`sampler`] and
//!   [`details`] (reading the host; [`cores`] for view 3), [`past`] (the history of a server), [`player`] and
//!   [`recorded`] (reading a recording), [`demo`] (a made-up host under load).

pub mod app;
pub mod choice;
pub mod cores;
pub mod demo;
pub mod details;
pub mod export;
pub mod history;
pub mod key;
pub mod look;
pub mod number;
pub mod past;
pub mod player;
pub mod recorded;
pub mod run;
pub mod sampler;
pub mod screen;
pub mod select;
pub mod terminal;
pub mod track;
pub mod view;
pub mod widget;
