//! A pretend CAD and a pretend Discord, for the demo and the tests. Shares no type with the bot, so that it cannot share its mistakes.

pub mod cad;
pub mod discord;
pub mod page;
pub mod scenario;
