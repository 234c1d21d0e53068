//! Records who did what in the CAD, for `/cad audit`.

use super::{ActionError, Actor, CadAction, CadActions, Deps};
use crate::ids::ServerId;
use crate::metrics::CadActionOutcome;
use crate::render::text::SafeText;
use crate::store::audit::{AuditEntry, AuditKind};

/// For the metric of actions.
pub(super) fn outcome(done: &Result<SafeText, ActionError>) -> CadActionOutcome {
    match done {
        Ok(_) => CadActionOutcome::Done,
        Err(ActionError::NotPermitted(_)) => CadActionOutcome::Refused,
        Err(ActionError::Over { .. } | ActionError::NothingToDo(_) | ActionError::NoEffect(_)) => CadActionOutcome::NothingToDo,
        Err(ActionError::PreviousOutcomeUnknown { .. }) => CadActionOutcome::OutcomeUnknown,
        Err(ActionError::Cad(error)) if error.is_outcome_unknown() => CadActionOutcome::OutcomeUnknown,
        Err(_) => CadActionOutcome::Failed,
    }
}

impl CadActions {
    /// A refusal before anything was sent isn't an action.
    pub(super) async fn write_down(&self, actor: &Actor, server: ServerId, action: &CadAction, done: &Result<SafeText, ActionError>) {
        let outcome = match done {
            Ok(_) => "done".to_owned(),
            Err(ActionError::Cad(error)) => error.to_string(),
            Err(error @ (ActionError::NoEffect(_) | ActionError::NobodyToAttach { .. })) => error.to_string(),
            // It may have been sent.
            Err(ActionError::Busy) => "not known: the bot was busy or stopping".to_owned(),
            Err(_) => return,
        };
        let Deps { store, clock, community, .. } = &self.0.deps;
        let own = AuditEntry {
            guild: actor.guild,
            at: clock.now(),
            user: actor.user,
            kind: AuditKind::Cad,
            action: action.word().to_owned(),
            target: format!("server {server}{}", action.target()),
            detail: action.detail(),
            outcome,
        };
        // The community's staff see all that is done in its CAD, also from servers that are not theirs.
        let first = store.routing_now().access.first(community).map(|link| link.guild).filter(|first| *first != actor.guild);
        let copy =
            first.map(|guild| AuditEntry { guild, target: format!("{} from Discord server {}", own.target, actor.guild), ..own.clone() });
        if let Err(error) = store.audit_all(std::iter::once(own).chain(copy).collect()).await {
            tracing::warn!(%error, "an action could not be written down");
        }
    }
}
