//! Why an event of a known type can't be used.

/// A known type, with unusable data. Names the missing field, never what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// `data` is neither an object, nor a list with one, nor a text with either.
    #[error("`data` is neither an object nor a list of objects")]
    NoObject,
    /// The required field is absent or of an unusable kind.
    #[error("`{0}` is missing or cannot be used")]
    Missing(&'static str),
}
