//! What was called out because nobody answered.

use crate::ids::ServerId;
use crate::world::Subject;

/// A call that was made: of which subject, by which route, after how many minutes.
pub(super) type Called = (ServerId, Subject, i64, u32);
