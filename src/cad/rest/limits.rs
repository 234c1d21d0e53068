//! How large an answer of the CAD may be, and how long it may take.

use std::time::Duration;

/// Largest answer read, in bytes.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Most memory that an answer may take once it is read, in bytes, about: three thousand units. Its text says little of that.
pub const MAX_BUILT: usize = 24 * 1024 * 1024;

/// Time for what somebody waits for: connection, both tries, and the whole answer.
pub const TIME: Duration = Duration::from_secs(10);

/// Time for a reading of all units or calls, which nobody waits for.
pub const READING_TIME: Duration = Duration::from_secs(30);
