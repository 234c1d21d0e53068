//! One incident of a shift: what happens where, and how far it is.

use fastrand::Rng;

use super::cast::{CASES, Case, PLACES, Place};

/// One incident from the 911 to the close, a step at a time.
pub(super) struct Incident {
    pub(super) case: &'static Case,
    pub(super) place: &'static Place,
    pub(super) step: u8,
    pub(super) emergency: i64,
    pub(super) call: i64,
    pub(super) crew: Vec<i64>,
    /// Somebody in the game responds before the dispatcher.
    pub(super) in_game: bool,
}

impl Incident {
    /// The step that closes the call.
    pub(super) const BEFORE_CLOSE: u8 = 9;

    pub(super) fn new(rng: &mut Rng) -> Self {
        let case = CASES.get(rng.usize(..CASES.len())).unwrap_or(&CASES[0]);
        let place = PLACES.get(rng.usize(..PLACES.len())).unwrap_or(&PLACES[0]);
        Self { case, place, step: 0, emergency: 0, call: 0, crew: Vec::new(), in_game: false }
    }
}
