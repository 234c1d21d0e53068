//! The simulated Discord against raw requests of our own, against serenity and, where Node is installed, against discord.js.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tenfour_sim::discord::{Bucket, DiscordOptions, DiscordSim, Pending, RateLimits, Scope};

mod client;
mod faults;
mod gateway;
mod interactions;
mod libraries;
mod limits;
mod rest;

/// The limit on every wait: generous, for two busy cores.
const SOON: Duration = Duration::from_secs(10);
