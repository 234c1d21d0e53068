//! Discord: our messages in, verdicts out; and the gateway session through which people's interactions come.
//!
//! Job: [`rest`] builds requests with serenity's types and executes them itself, so that rate-limit headers are seen and one owner
//! (the delivery) decides about waiting. [`record`] writes down what goes over the wire when asked. Never decides what is posted
//! where, never retries, never sends without `allowed_mentions`.

pub mod record;
pub mod rest;
