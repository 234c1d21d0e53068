//! Panics: one's own on and off, another unit's off, and the 911 that the game created for one. Another unit's is never ended without
//! [`Permission::Dispatch`].

use super::synthetic_events::SyntheticEvent;
use super::view::named;
use super::{ActionError, Actor, AuthorizedMember, CadActions, view};
use crate::authorization::{Need, Permission};
use crate::cad::rest::UnitSelector;
use crate::ids::{Ident, ServerId};
use crate::refresh::Reason;
use crate::render::text::{SafeText, safe};
use crate::world::Subject;

impl CadActions {
    pub(super) async fn panic(&self, who: &AuthorizedMember, server: ServerId, on: bool) -> Result<SafeText, ActionError> {
        let idents = who.idents();
        let mine = idents.clone();
        let already = self.look(server, move |world| mine.iter().all(|ident| view::in_panic(world, *ident) == on)).await?;
        if already {
            let said = if on { "Your panic is on already" } else { "Your panic is not on" };
            return Err(ActionError::NothingToDo(safe!("{}: nothing was sent.", said)));
        }
        let updated = self.0.deps.actor.set_panic(&who.granted, server, &UnitSelector::Idents(idents.clone()), on).await;
        if self.doubted(server, updated)? == 0 {
            return Err(ActionError::NoEffect(SafeText::constant("The CAD changed no unit: go on duty there again, then try again.")));
        }
        self.commit_event(server, SyntheticEvent::panic(&idents, on)).await;
        Ok(if on { "🆘 Your panic is on. `/unit panic` ends it." } else { "✅ Your panic is over." }.into())
    }

    pub(super) async fn panic_over(
        &self,
        actor: &Actor,
        who: &AuthorizedMember,
        server: ServerId,
        subject: Subject,
    ) -> Result<SafeText, ActionError> {
        let Subject::Panic(ident, _) = subject else {
            return Err(ActionError::NothingToDo(SafeText::constant("There is no panic here: nothing was sent.")));
        };
        if self.look(server, move |world| world.is_over(subject)).await? {
            return Err(self.over(actor.guild, server, subject).await);
        }
        let dispatcher = if who.idents().contains(&ident) {
            None
        } else {
            // Only a dispatcher may end another unit's panic.
            Some(self.permitted(actor, server, Need { permission: Permission::Dispatch, on_duty: Some(server) }).await?)
        };
        let granted = &dispatcher.as_ref().unwrap_or(who).granted;
        let name = self.look(server, move |world| named(world, ident)).await?;
        let key = (server, format!("panic over:{ident}"));
        let ended = self
            .0
            .in_flight
            .run(key, || async {
                let updated = self.0.deps.actor.set_panic(granted, server, &UnitSelector::Idents(vec![ident]), false).await?;
                if updated > 0 {
                    self.commit_event(server, SyntheticEvent::panic(&[ident], false)).await;
                }
                Ok(usize::try_from(updated).unwrap_or(0))
            })
            .await;
        if self.answered(actor.guild, server, subject, ended).await? == 0 {
            self.0.deps.refresh.request(server, Reason::Recheck);
            return Err(ActionError::NoEffect(safe!(
                "The CAD changed no unit: {} may be off duty by now, so look at the card in a minute, or in the CAD.",
                name
            )));
        }
        Ok(safe!("✅ The panic of {} is over.", name))
    }

    /// Whose panic somebody is about to end, if it is another unit's: then they must confirm. `None` if it is their own.
    ///
    /// # Errors
    /// As [`ActionError`] says, also if they may not end it.
    pub async fn others_panic(&self, actor: &Actor, server: ServerId, subject: Subject) -> Result<Option<SafeText>, ActionError> {
        self.watched(server)?;
        let Subject::Panic(ident, _) = subject else { return Ok(None) };
        let who = self.permitted(actor, server, Need { permission: Permission::Account, on_duty: Some(server) }).await?;
        if who.idents().contains(&ident) {
            return Ok(None);
        }
        if self.look(server, move |world| world.is_over(subject)).await? {
            return Err(self.over(actor.guild, server, subject).await);
        }
        self.permitted(actor, server, Need { permission: Permission::Dispatch, on_duty: Some(server) }).await?;
        self.look(server, move |world| named(world, ident)).await.map(Some)
    }

    /// The 911 that the game created for a unit's latest panic, if it still waits although the panic is over.
    pub async fn left_911(&self, server: ServerId, ident: Ident) -> Option<Subject> {
        self.look(server, move |world| world.left_911(ident)).await.ok().flatten()
    }

    /// As [`CadActions::left_911`], for one's own units.
    pub async fn own_left_911(&self, actor: &Actor, server: ServerId) -> Option<Subject> {
        let who = self.permitted(actor, server, Need { permission: Permission::Account, on_duty: Some(server) }).await.ok()?;
        let idents = who.idents();
        self.look(server, move |world| idents.into_iter().find_map(|ident| world.left_911(ident))).await.ok().flatten()
    }
}
