//! A simulated CAD and a simulated Discord, for the demo and the tests. Shares no type with the bot, so that it can't share its mistakes.

pub mod cad;
pub mod discord;
pub mod page;
pub mod scenario;
