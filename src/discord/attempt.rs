//! The result of a Discord request that the start needs.

use std::time::Duration;

/// The result of an attempt that may be repeated.
pub(super) enum Attempt<T> {
    Done(T),
    /// Not now: why, in a few words, and the wait that Discord demands.
    Later(String, Option<Duration>),
    Never(anyhow::Error),
}
