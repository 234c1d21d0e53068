//! What came of asking Discord something that the start needs.

/// What came of an attempt that may be made again.
pub(super) enum Attempt<T> {
    Done(T),
    /// Not now: in a few words, and how long Discord asks to wait (s).
    Later(String, Option<u64>),
    Never(anyhow::Error),
}
