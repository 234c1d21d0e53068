//! What was called out because nobody answered.

use crate::world::{ServerKey, Subject};

/// A call that was made: of which subject, by which route, after how many minutes.
pub(super) type Called = (ServerKey, Subject, i64, u32);
