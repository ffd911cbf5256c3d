//! Support for the tests of `ttmem`.
//!
//! - [`browser`]: a headless Chromium.
//! - [`capture`]: the captures of real L1 in `fixtures/l1`.
//! - [`random`]: random numbers for campaigns.
//! - [`simulator`]: a server that speaks UMD's simulation protocol and serves a capture, well or badly.
//! - [`stage`]: a stage for the driver of `ttmem-test-driver`, and programs that run on it.
//! - [`strace`]: the system calls of a program.
//!
//! Nothing here depends on the code under test, so that both are written independently.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a test may panic, and this is what tests are made of"
)]

pub mod browser;
pub mod capture;
pub mod random;
pub mod simulator;
pub mod stage;
pub mod strace;
pub mod wire;
