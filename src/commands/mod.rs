//! Slash commands, the buttons under their answers, and forms: people in, changes of routes and actions in the CAD out.
//!
//! One folder per command. A command accepts only what will work (permissions are checked before a route is created), and every refusal is
//! one sentence with its fix. Nothing here sends alerts (tests and confirmations go through `ingest`), and unfinished work isn't kept in
//! memory: it is in custom ids (`custom_id`), so that a press survives a restart.
//!
//! ```text
//! gateway ─▶ access ─▶ framework ─┬─ slash ─▶ alerts/, board/, cad/, duty/ ─────────▶ store, ingest's requests
//!                                 ├─ slash, menu ─▶ unit/, call/, lookup/, emergency, menu ─▶ actions
//!                                 ├─ typing ─▶ autocomplete, choices
//!                                 ├─ presses, forms ─▶ interactions ─▶ the command, or cards ─▶ actions
//!                                 └─ messages, if they may be read ─▶ threads ─▶ actions
//! ```
//!
//! Imports go one way: `framework` lists the commands, commands use what they share (`create_routes`, `cad_args`, `checks`, `reply`), and
//! all of them get `context`. Wording (`wording`, `route_wording`) needs none of these. Only `framework` imports `interactions`.
//!
//! Guilds that aren't linked get no further than `access`. Changes of settings are recorded around every command (`audit_hook`), not in it.
//!
//! Answers are private unless a person shares a report; every command is for people with Manage Server (`/duty`: Timeout Members) unless a
//! guild's own settings say otherwise. A person who was allowed to run a command may finish it (`press_permission`).

mod access;
mod alerts;
mod announce;
mod audit_hook;
mod autocomplete;
mod board;
mod button_rows;
mod cad;
mod cad_args;
mod call;
mod calls;
mod cards;
mod checks;
mod choices;
mod context;
mod create_routes;
mod csv;
// Public for the fuzz target.
#[doc(hidden)]
pub mod custom_id;
mod data;
mod duty;
mod emergency;
mod error_hook;
mod errors;
mod forms;
pub mod framework;
mod guilds;
mod interactions;
mod link_attempts;
mod lookup;
mod menu;
mod names;
mod notice_throttle;
mod open_forms;
mod options;
mod press_permission;
mod reply;
mod route_wording;
mod routes;
mod settings;
mod threads;
mod unit;
mod waiting;
mod wording;

pub use data::{Data, Facts};
