//! The integration tests, one binary: modules against scripted peers, and the whole bot against both simulators.
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

mod access;
mod actions;
mod architecture;
mod benchmark;
mod commands;
mod communities;
mod config;
mod convergence;
mod crash;
mod demo;
mod documentation;
mod fixtures;
mod fuzz_seeds;
mod listener;
mod many_panics;
mod obstacles;
mod page;
mod process;
mod rest_examples;
mod scenarios;
mod sim_cad;
mod sim_discord;
mod stage;
mod test_bot;
mod upgrade;
mod watching;

mod whole;
