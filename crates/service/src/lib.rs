//! Snapshots over time: to a file ([`recorder`]), to clients and to Prometheus ([`server`]), in memory ([`history`]).
//!
//! [`supply`] chooses between a server ([`client`]) and a collector of its own.

pub mod client;
pub mod history;
pub mod recorder;
pub mod server;
pub mod supply;

pub use supply::Supply;
