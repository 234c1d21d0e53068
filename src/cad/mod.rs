//! Sonoran CAD: receives its events and uses its REST API.
//!
//! [`session`] (hub) and [`listener`] (HTTP) turn what the CAD sends into `RawEvent`s for the intake; [`rest`] calls its REST
//! API, [`reconcile`] decides when to read it, [`feed`] detects when events stop. The community's key stays here: no event, log line or
//! error text contains it. Never decides what an event means.

pub mod feed;
mod key;
pub mod listener;
pub mod reconcile;
pub mod rest;
pub mod session;
