//! What members can do in the CAD, and what each action needs.

use crate::authorization::{Need, Permission};
use crate::cad::rest::{DispatchPatch, NewCustomDispatch, NewDispatch, NewEmergency};
use crate::ids::{CallId, Ident, ServerId};
use crate::world::Subject;

/// A member's action.
#[derive(Clone, Debug, PartialEq)]
pub enum CadAction {
    /// Attach oneself to a dispatch call. For a 911: create a dispatch call with oneself attached, and remove the 911.
    Respond(Subject),
    /// Create a dispatch call from a 911 with nobody attached, and remove the 911.
    Dispatch(CallId),
    /// Leave the current calls.
    Leave,
    /// Leave this dispatch call, and stay on others.
    LeaveCall(Subject),
    /// Write a note.
    Note(Subject, String),
    /// Acknowledge a 911, a panic or a page: nobody else is pinged.
    Acknowledge(Subject),
    /// Change fields of a dispatch call.
    Edit(CallId, Box<DispatchPatch>),
    /// Set a dispatch call's postal.
    Postal(CallId, String),
    /// Make an attached unit the primary one.
    Primary(CallId, Ident),
    /// Close a dispatch call.
    Close(CallId),
    /// Remove a 911.
    Dismiss(CallId),
    /// Attach another unit.
    Assign(CallId, Ident),
    /// Detach a unit from its call.
    Unassign(CallId, Ident),
    /// Set one's own status.
    Status(i64),
    /// Set one's own panic flag.
    Panic(bool),
    /// End a panic, one's own or another's.
    PanicOver(Subject),
    /// Create a dispatch call; with oneself attached or not.
    New(Box<NewDispatch>, bool),
    /// Create a dispatch call from a template of the community, with oneself attached: whom it names is ignored.
    NewFromTemplate(Box<NewCustomDispatch>),
    /// Create a 911.
    Call(Box<NewEmergency>),
}

impl CadAction {
    /// What it needs. Ending one's own panic only requires being on duty; whose panic it is, is checked later.
    #[must_use]
    pub fn need(&self, server: ServerId) -> Need {
        let (permission, on_duty) = match self {
            Self::Respond(_) | Self::Note(..) | Self::Leave | Self::LeaveCall(_) | Self::New(_, true) | Self::NewFromTemplate(_) => {
                (Permission::SelfDispatch, true)
            }
            Self::Acknowledge(_) => (Permission::SelfDispatch, false),
            Self::Dispatch(_)
            | Self::New(_, false)
            | Self::Edit(..)
            | Self::Postal(..)
            | Self::Primary(..)
            | Self::Close(_)
            | Self::Dismiss(_)
            | Self::Assign(..)
            | Self::Unassign(..) => (Permission::Dispatch, true),
            Self::Status(_) | Self::Panic(_) | Self::PanicOver(_) => (Permission::Account, true),
            Self::Call(_) => (Permission::PlaceCall, false),
        };
        Need { permission, on_duty: on_duty.then_some(server) }
    }

    /// Its subject, for the audit: `, call #501`.
    #[must_use]
    pub fn target(&self) -> String {
        let of = |subject: &Subject| match subject {
            Subject::Emergency(id, _) => format!(", 911{id:#}"),
            Subject::Dispatch(id, _) => format!(", call{id:#}"),
            Subject::Panic(ident, _) => format!(", panic of unit {ident}"),
            Subject::Event(..) => ", page".to_owned(),
        };
        match self {
            Self::Respond(subject)
            | Self::Note(subject, _)
            | Self::Acknowledge(subject)
            | Self::PanicOver(subject)
            | Self::LeaveCall(subject) => of(subject),
            Self::Dispatch(id) | Self::Dismiss(id) => format!(", 911{id:#}"),
            Self::Edit(id, _) | Self::Postal(id, _) | Self::Close(id) => format!(", call{id:#}"),
            Self::Primary(id, ident) | Self::Assign(id, ident) | Self::Unassign(id, ident) => format!(", call{id:#}, unit {ident}"),
            Self::Leave | Self::Status(_) | Self::Panic(_) | Self::New(..) | Self::NewFromTemplate(_) | Self::Call(_) => String::new(),
        }
    }

    /// Its details, for the audit. Raw: they are made harmless where they are shown.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Note(_, text) | Self::Postal(_, text) => text.clone(),
            Self::Status(status) => status.to_string(),
            Self::Edit(_, patch) => patch.priority.map(|priority| format!("priority {priority}")).unwrap_or_default(),
            Self::New(new, _) => new.title.clone(),
            Self::Call(new) => new.description.clone(),
            _ => String::new(),
        }
    }

    /// Its name in the audit.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Respond(_) => "respond",
            Self::Dispatch(_) => "dispatch 911",
            Self::Leave | Self::LeaveCall(_) => "leave call",
            Self::Note(..) => "note",
            Self::Acknowledge(_) => "take",
            Self::Edit(..) => "edit call",
            Self::Postal(..) => "postal",
            Self::Primary(..) => "primary unit",
            Self::Close(_) => "close call",
            Self::Dismiss(_) => "dismiss 911",
            Self::Assign(..) => "assign",
            Self::Unassign(..) => "unassign",
            Self::Status(_) => "status",
            Self::Panic(true) => "panic",
            Self::Panic(false) | Self::PanicOver(_) => "panic over",
            Self::New(..) | Self::NewFromTemplate(_) => "new call",
            Self::Call(_) => "new 911",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;

    #[test]
    fn what_changes_other_peoples_calls_needs_a_dispatcher_and_everything_a_validated_account() {
        let subject = Subject::Dispatch(CallId(1), UnixMs(1));
        let of = |action: CadAction| action.need(ServerId(3));
        for action in [
            CadAction::Close(CallId(1)),
            CadAction::Dismiss(CallId(1)),
            CadAction::Assign(CallId(1), Ident(1)),
            CadAction::Unassign(CallId(1), Ident(1)),
            CadAction::Dispatch(CallId(1)),
            CadAction::Edit(CallId(1), Box::default()),
            CadAction::Primary(CallId(1), Ident(1)),
            CadAction::New(Box::default(), false),
        ] {
            assert_eq!(of(action.clone()), Need { permission: Permission::Dispatch, on_duty: Some(ServerId(3)) }, "{action:?}");
        }
        for action in
            [CadAction::Respond(subject), CadAction::Note(subject, String::new()), CadAction::Leave, CadAction::New(Box::default(), true)]
        {
            assert_eq!(of(action.clone()), Need { permission: Permission::SelfDispatch, on_duty: Some(ServerId(3)) }, "{action:?}");
        }
        assert_eq!(of(CadAction::Panic(true)), Need { permission: Permission::Account, on_duty: Some(ServerId(3)) });
        assert_eq!(of(CadAction::Acknowledge(subject)), Need { permission: Permission::SelfDispatch, on_duty: None });
    }
}
