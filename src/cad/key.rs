//! The community's key, compared without telling anything by the time it takes, and without regard to letter case (contract b.3).

use subtle::{Choice, ConstantTimeEq};

/// Longest key compared, in bytes.
pub(super) const MAX_KEY: usize = 512;

/// A key in lower case, in a buffer of one size, so that neither the first differing byte nor the length shows in the time taken.
pub(super) struct Key {
    bytes: [u8; MAX_KEY],
    length: u64,
}

impl Key {
    /// `None` if empty or longer than any key.
    pub(super) fn new(key: &str) -> Option<Self> {
        let mut bytes = [0; MAX_KEY];
        bytes.get_mut(..key.len())?.copy_from_slice(key.as_bytes());
        bytes.make_ascii_lowercase();
        (!key.is_empty()).then_some(Self { bytes, length: key.len() as u64 })
    }
}

impl ConstantTimeEq for Key {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.bytes.ct_eq(&other.bytes) & self.length.ct_eq(&other.length)
    }
}
