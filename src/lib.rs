//! Tenfour turns Sonoran CAD's push events into live Discord alerts.
//!
//! `ARCHITECTURE.md` explains how the modules fit together and which may import which.

pub mod actions;
pub mod app;
pub mod authorization;
pub mod cad;
mod check;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod community;
pub mod config;
pub mod delivery;
mod demo;
pub mod discord;
pub mod event;
pub mod files;
pub mod guild_access;
pub mod http_server;
pub mod ids;
pub mod ingest;
pub mod intake_queue;
pub mod json;
pub mod metrics;
pub mod ops;
pub mod outbox;
pub mod output;
pub mod refresh;
pub mod render;
pub mod route;
pub mod send_scheduler;
pub mod shutdown;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod world;
