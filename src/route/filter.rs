//! What a route lets through: a pure predicate over the facts of one occasion.

use serde::{Deserialize, Serialize};

/// Criteria; an empty one asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Priority levels.
    pub priorities: Vec<i64>,
    /// Department names.
    pub departments: Vec<String>,
}
