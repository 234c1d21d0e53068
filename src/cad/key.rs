//! The community's key, compared in constant time and without regard to letter case
//! (docs/cad-contract.md#h11).

use subtle::{Choice, ConstantTimeEq};

/// Longest key compared, in bytes.
pub(super) const MAX_KEY: usize = 512;

/// A key in lower case, in a buffer of fixed size, so that neither the first differing byte nor the length shows in the time taken.
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

impl Key {
    /// Eight bytes at a time: `subtle`'s barrier around each comparison costs more than the comparison.
    fn words(&self) -> impl Iterator<Item = u64> {
        self.bytes.chunks_exact(8).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }
}

impl ConstantTimeEq for Key {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.words().zip(other.words()).fold(self.length.ct_eq(&other.length), |equal, (ours, theirs)| equal & ours.ct_eq(&theirs))
    }
}
