//! Sonoran CAD: hub sessions, HTTP listener, REST client.

pub mod listener;
pub mod rest;
