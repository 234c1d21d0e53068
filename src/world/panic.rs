//! A unit's panic in the world. Never decides how events change it: `unit.rs` and `shared.rs` do.

use serde::{Deserialize, Serialize};

use super::{Acknowledgement, Subject};
use crate::clock::UnixMs;
use crate::ids::{CallId, Ident};

/// A panic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panic {
    pub ident: Ident,
    /// Its false→true edge.
    pub since: UnixMs,
    /// When it ended.
    pub over_at: Option<UnixMs>,
    /// The 911 call that the game created for it.
    pub linked_911: Option<CallId>,
    /// Its end is in doubt: only the flag of a whole unit said so, within seconds of the start or at a login. Such a unit may have been
    /// sent before the panic and have arrived after it.
    #[serde(default)]
    pub by_flag: bool,
    /// It was there before us: when it began is unknown, `since` is when it was first seen.
    #[serde(default)]
    pub joined_late: bool,
    /// A member acknowledged it.
    #[serde(default)]
    pub taken: Option<Acknowledgement>,
    /// The card that it shares with others of the same event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedCard>,
}

/// The card that a panic shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedCard {
    /// The first of them: its subject is the card's.
    pub first: Ident,
    /// When that one began.
    pub since: UnixMs,
    /// How many there were at first.
    pub of: usize,
}

impl SharedCard {
    /// The card's subject.
    #[must_use]
    pub fn subject(self) -> Subject {
        Subject::Panic(self.first, self.since)
    }
}

impl Panic {
    /// The subject of its card.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.shared.map_or(Subject::Panic(self.ident, self.since), SharedCard::subject)
    }
}
