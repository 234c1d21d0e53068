//! The facts about a call for statistics.

use super::{Server, Subject};
use crate::clock::UnixMs;
use crate::event::Priority;

/// A 911 or dispatch call for statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct CallFact {
    /// A 911 or civil call; else a dispatch call.
    pub emergency: bool,
    /// Dispatch calls only.
    pub priority: Option<Priority>,
    /// When it was created (or first seen).
    pub opened_at: UnixMs,
    /// When it was created is unknown.
    pub joined_late: bool,
    /// When the first unit was attached; dispatch calls only.
    pub first_unit_at: Option<UnixMs>,
    /// When it was closed or removed.
    pub closed_at: Option<UnixMs>,
}

impl Server {
    /// The facts of a call; `None` for anything else, or if it is unknown.
    #[must_use]
    pub fn call_fact(&self, subject: Subject) -> Option<CallFact> {
        match subject {
            Subject::Emergency(id, at) => self.emergencies.get(&id).filter(|call| call.opened_at == at).map(|call| CallFact {
                emergency: true,
                priority: None,
                opened_at: call.opened_at,
                joined_late: call.joined_late,
                first_unit_at: None,
                closed_at: call.gone_at,
            }),
            Subject::Dispatch(id, at) => self.dispatches.get(&id).filter(|call| call.opened_at == at).map(|call| CallFact {
                emergency: false,
                priority: call.priority.clone(),
                opened_at: call.opened_at,
                joined_late: call.joined_late,
                first_unit_at: call.first_unit_at,
                closed_at: call.closed_at,
            }),
            Subject::Panic(..) | Subject::Event(..) => None,
        }
    }
}
