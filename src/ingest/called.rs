//! What was called out because nobody answered.

use crate::ids::{RouteId, ServerId};
use crate::world::Subject;

/// A call that was made: of which subject, by which route, after how many minutes.
pub(super) type Called = (ServerId, Subject, RouteId, u32);
