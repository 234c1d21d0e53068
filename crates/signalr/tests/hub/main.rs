//! The SignalR client against scripted servers on loopback. The timers are tested beside the code, in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests fail by panicking"
)]

mod connecting;
mod ends;
mod server;
mod talking;
mod tls;
