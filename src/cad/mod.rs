//! Sonoran CAD: how its events reach us, and what we ask it.
//!
//! Job: [`session`] (hub) and [`listener`] (HTTP) turn what the CAD sends into `RawEvent`s for the intake; [`rest`] asks its REST
//! API, [`reconcile`] says when, [`feed`] says whether events still come. The community's key ends here: no event, log line or error text carries it further. Never decides what an event means.

pub mod feed;
mod key;
pub mod listener;
pub mod reconcile;
pub mod rest;
pub mod session;
