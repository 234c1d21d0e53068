//! Limits on the size and duration of the CAD's answers.

use std::time::Duration;

/// Largest answer read, in bytes.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Approximate limit on an answer's memory once parsed, in bytes: three thousand units. The text's size says little about that.
pub const MAX_BUILT: usize = 24 * 1024 * 1024;

/// Time limit when a person waits: connection, both attempts, and the whole answer.
pub const TIME: Duration = Duration::from_secs(10);

/// Time limit for reading all units or calls, which nobody waits for.
pub const READING_TIME: Duration = Duration::from_secs(30);
