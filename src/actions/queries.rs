//! Answers queries before an action: whose account it is, where somebody is on duty, what they may see. Changes nothing.

use std::time::Duration;

use tokio::sync::oneshot;

use super::rule::Ruled;
use super::{ActionError, Actor, CadActions, view};
use crate::authorization::{self, ActionRule, Member, MemberFacts, Need, Permission};
use crate::ids::{GuildId, ServerId};

/// Longest wait for the CAD while somebody types: Discord needs the list within three seconds, and there may be further requests.
const TYPING: Duration = Duration::from_millis(900);

impl CadActions {
    /// The CAD's servers, the first one first.
    #[must_use]
    pub fn servers(&self) -> &[ServerId] {
        &self.0.deps.servers
    }

    /// How a guild lets its members act.
    ///
    /// # Errors
    /// [`ActionError::NotConnected`].
    pub fn rule_of(&self, guild: GuildId) -> Result<ActionRule, ActionError> {
        self.rule(guild)
    }

    /// Whether somebody sees lists of open calls and units while typing: those who may respond do. The answer can wait only a little for
    /// the CAD: if finding out who somebody is takes longer, they see the list with the next letter.
    pub async fn may_see(&self, actor: &Actor) -> bool {
        let Ok(Ok(Ruled { rule, roles })) = tokio::time::timeout(TYPING, self.ruled(actor, Permission::SelfDispatch)).await else {
            return false;
        };
        let known = match self.0.members.remembered(actor.user) {
            Some(known) => known,
            None => {
                let (this, user) = (self.clone(), actor.user);
                let (sender, receiver) = oneshot::channel();
                drop(self.0.deps.tasks.spawn(async move {
                    match this.0.members.known_at_once(user).await {
                        // Cached, even if nobody waits any more.
                        Ok(known) => drop(sender.send(known)),
                        Err(error) => tracing::debug!(%error, "somebody who types could not be asked about"),
                    }
                }));
                let Ok(Ok(known)) = tokio::time::timeout(TYPING, receiver).await else { return false };
                known
            }
        };
        let facts = MemberFacts { roles: &roles, member: known.member.as_ref(), units: 1 };
        authorization::check(&rule, facts, Need { permission: Permission::SelfDispatch, on_duty: None }).is_ok()
    }

    /// Somebody's account, from the cache or else from the CAD. `permission` decides which of the guild's roles is needed.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn account(&self, actor: &Actor, permission: Permission) -> Result<Option<Member>, ActionError> {
        self.ruled(actor, permission).await?;
        self.0.members.known(actor.user).await.map(|known| known.member).map_err(ActionError::Unread)
    }

    /// The server on which somebody is on duty, else the first.
    ///
    /// # Errors
    /// As [`ActionError`] says.
    pub async fn server_of(&self, actor: &Actor, permission: Permission) -> Result<ServerId, ActionError> {
        let first = self.servers().first().copied().unwrap_or(ServerId(1));
        if self.servers().len() < 2 {
            return Ok(first);
        }
        let Some(member) = self.account(actor, permission).await? else { return Ok(first) };
        for server in self.servers() {
            if !self.known_units(*server, &member.account).await?.is_empty() {
                return Ok(*server);
            }
        }
        Ok(first)
    }

    /// Whether any of somebody's units is in panic.
    ///
    /// # Errors
    /// As [`ActionError`] says, also if they may not press the button at all.
    pub async fn in_panic(&self, actor: &Actor, server: ServerId) -> Result<bool, ActionError> {
        let need = Need { permission: Permission::Account, on_duty: Some(server) };
        let who = self.permitted(actor, server, need).await.map_err(ActionError::of_a_question)?;
        let idents = who.idents();
        self.look(server, move |world| idents.iter().any(|ident| view::in_panic(world, *ident))).await
    }
}
