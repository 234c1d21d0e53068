//! Why an event of a known type can't be used.

/// A type we know, with data that cannot be used. Names the field that is missing, never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// `data` is neither an object, nor a list that holds one, nor a text that holds either.
    #[error("`data` is neither an object nor a list of objects")]
    NoObject,
    /// The field without which the event says nothing is absent or of an unusable kind.
    #[error("`{0}` is missing or cannot be used")]
    Missing(&'static str),
}
