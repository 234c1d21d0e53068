//! Discord: sends messages and returns verdicts; and runs the gateway session that receives people's interactions.
//!
//! [`rest`] builds requests with serenity's types and executes them itself, so that rate-limit headers are seen and one owner
//! (the delivery) decides about waiting. [`files`] downloads what people attach to commands. [`record`] logs requests on the wire
//! on request. [`registration`] manages the bot's commands. Never decides what is posted where, never retries, never sends without
//! `allowed_mentions`.

mod answer;
mod ask_error;
mod attempt;
pub mod files;
pub mod gateway;
mod message_body;
pub mod record;
mod refusal_cause;
pub mod registration;
pub mod rest;
pub mod roles;
mod thread_name;
mod threads;

/// The permissions that the bot needs in a guild, and nothing more: View Channel, Send Messages, Embed Links, Attach Files, Read Message
/// History, Create Public Threads, Send Messages in Threads. Never Administrator.
pub const PERMISSIONS: u64 = 1 << 10 | 1 << 11 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 35 | 1 << 38;

/// The invite URL for a guild's owner.
#[must_use]
pub fn invite_url(application: u64) -> String {
    format!("https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={PERMISSIONS}")
}
