//! `ttmem top`: the live view.
//!
//! - [`app`]: the state and what every event does to it. No I/O, no clock: time comes in with the events.
//! - [`history`]: what the samples said over the last hour, in constant memory.
//! - [`view`]: pure drawing from the state to a frame; [`widget`] has the parts that views share.
//! - [`run`](mod@run): the one loop. Around it: [`terminal`] and [`screen`] (what is written to the terminal),
//!   [`sampler`] and [`details`] (what is read of the host; [`cores`] as view 3 draws them), [`past`] (what a server knows of before), [`player`] and
//!   [`recorded`] (what is read of a recording), [`demo`] (a host that is made up and at work).

pub mod app;
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
