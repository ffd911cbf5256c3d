//! Snapshots over time: to a file ([`recorder`]), to clients and to Prometheus ([`server`]), in memory (`history`).
//!
//! [`supply`] selects a server ([`client`]) or a collector in this process.

pub mod client;
pub(crate) mod history;
pub mod recorder;
pub mod server;
pub mod supply;

pub use supply::Supply;
