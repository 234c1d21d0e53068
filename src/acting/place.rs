//! What is asked before somebody acts: whose account, where on duty, what may be seen. Changes nothing.

use super::{Acting, Actor, Refused, view};
use crate::ids::{GuildId, ServerId};
use crate::permit::{self, ActingRule, Member, Need, Permission, VALIDATED};

impl Acting {
    /// The CAD's servers, the first one first.
    #[must_use]
    pub fn servers(&self) -> &[ServerId] {
        &self.0.outside.servers
    }

    /// How a guild lets its members act.
    ///
    /// # Errors
    /// [`Refused::NotConnected`].
    pub fn rule_of(&self, guild: GuildId) -> Result<ActingRule, Refused> {
        self.rule(guild)
    }

    /// Whether lists of what is open are shown to somebody while they type. The CAD is not asked, since the answer may not wait for it: who is
    /// not known yet is shown them if they have the role, and is refused when they act.
    #[must_use]
    pub fn may_see(&self, actor: &Actor) -> bool {
        let Ok(rule) = self.rule(actor.guild) else { return false };
        let known = self.0.members.remembered(actor.user);
        let usable = known.is_none_or(|known| known.member.is_some_and(|member| member.status == VALIDATED));
        usable && permit::by_role(&rule, &actor.roles).is_ok()
    }

    /// Somebody's account, as it was known lately; else the CAD is asked.
    ///
    /// # Errors
    /// As [`Refused`] says.
    pub async fn account(&self, actor: &Actor) -> Result<Option<Member>, Refused> {
        permit::by_role(&self.rule(actor.guild)?, &actor.roles)?;
        match self.0.members.remembered(actor.user) {
            Some(known) => Ok(known.member),
            None => Ok(self.0.members.ask(actor.user).await?.member),
        }
    }

    /// The server on which somebody is on duty, else the first.
    ///
    /// # Errors
    /// As [`Refused`] says.
    pub async fn server_of(&self, actor: &Actor) -> Result<ServerId, Refused> {
        let first = self.servers().first().copied().unwrap_or(ServerId(1));
        if self.servers().len() < 2 {
            return Ok(first);
        }
        let Some(member) = self.account(actor).await? else { return Ok(first) };
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
    /// As [`Refused`] says, also if they may not press the button at all.
    pub async fn in_panic(&self, actor: &Actor, server: ServerId) -> Result<bool, Refused> {
        let who = self.permitted(actor, server, Need { permission: Permission::Account, on_duty: Some(server) }).await?;
        let idents = who.idents();
        self.look(server, move |world| idents.iter().any(|ident| view::in_panic(world, *ident))).await
    }
}
