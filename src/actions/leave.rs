//! Detaches units from calls: one's own, or another's.

use super::synthetic_events::SyntheticEvent;
use super::{ActionError, Actor, AuthorizedMember, CadActions, view};
use crate::cad::rest::UnitSelector;
use crate::ids::{GuildId, Ident, ServerId};
use crate::render::text::{SafeText, safe};
use crate::world::Subject;

impl CadActions {
    /// Leaves this call, if it is open.
    pub(super) async fn leave_call(
        &self,
        actor: &Actor,
        who: &AuthorizedMember,
        server: ServerId,
        subject: Subject,
    ) -> Result<SafeText, ActionError> {
        if self.look(server, move |world| view::open_number(world, subject)).await?.is_none() {
            return Err(self.over(actor.guild, server, subject).await);
        }
        self.leave(who, server, Some(subject)).await
    }

    /// Leaves all calls; for `only`, with the units that are on it.
    pub(super) async fn leave(&self, who: &AuthorizedMember, server: ServerId, only: Option<Subject>) -> Result<SafeText, ActionError> {
        let mine = who.idents();
        let (idents, calls) = self
            .look(server, move |world| {
                let on_it = |ident: &Ident| only.is_none_or(|subject| view::is_attached(world, subject, *ident));
                let idents: Vec<Ident> = mine.into_iter().filter(on_it).collect();
                let calls = view::calls_of(world, &idents);
                (idents, calls)
            })
            .await?;
        let Some(first) = calls.first().copied() else {
            let said = match only {
                Some(_) => "You are not on this call: nothing was sent.",
                None => "You are not on a call, so nothing was sent: `/unit respond` attaches you to one.",
            };
            return Err(ActionError::NothingToDo(said.into()));
        };
        let left = self.0.deps.actor.detach(&who.granted, server, &UnitSelector::Idents(idents.clone())).await;
        let left = self.doubted(server, left)?;
        // A second attempt that finds nobody on a call names nobody.
        let left = if left.is_empty() { idents } else { left };
        for call in &calls {
            self.commit_event(server, SyntheticEvent::detached(*call, &left)).await;
        }
        Ok(safe!("↩️ You left call{:#}.", first))
    }

    /// Detaches units from the call they are on, which is this one.
    pub(super) async fn detach(
        &self,
        who: &AuthorizedMember,
        guild: GuildId,
        server: ServerId,
        subject: Subject,
        idents: &[Ident],
    ) -> Result<(), ActionError> {
        let left = self.0.deps.actor.detach(&who.granted, server, &UnitSelector::Idents(idents.to_vec())).await;
        let left = self.answered(guild, server, subject, left).await?;
        let left = if left.is_empty() { idents.to_vec() } else { left };
        if let Subject::Dispatch(call, _) = subject {
            self.commit_event(server, SyntheticEvent::detached(call, &left)).await;
        }
        Ok(())
    }
}
