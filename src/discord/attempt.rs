//! The result of a Discord request that the start needs.

/// The result of an attempt that may be repeated.
pub(super) enum Attempt<T> {
    Done(T),
    /// Not now: why, in a few words, and the wait that Discord demands (s).
    Later(String, Option<u64>),
    Never(anyhow::Error),
}
