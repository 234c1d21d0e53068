//! Pages and acknowledgements in the world. Never decides how events change them: `acknowledgement.rs` does.

use serde::{Deserialize, Serialize};

use crate::clock::UnixMs;
use crate::event::Page;
use crate::ids::UserId;

/// A member's acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub by: UserId,
    /// Since when.
    pub at: UnixMs,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paged {
    pub page: Page,
    /// When it came.
    pub at: UnixMs,
    /// Who acknowledged it.
    pub taken: Option<Acknowledgement>,
    /// Acknowledged, or open for long enough.
    pub over_at: Option<UnixMs>,
}

/// Number in the journal, and place in that event.
pub type PageId = (i64, u32);
