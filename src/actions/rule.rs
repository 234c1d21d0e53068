//! Whose rule says who may act. It is the community's: that of the Discord server that was linked first, and its role is looked up there,
//! wherever somebody acts from. Another linked server can ask for more with a rule of its own, never for less, or whoever owns a server of
//! their own could walk around it.

use super::{Acting, ActionError, Actor};
use crate::authorization::{self, ActingRule, Permission, Refusal};
use crate::ids::{GuildId, RoleId};

/// The rule that counts for somebody, and the roles they have where that rule belongs.
#[derive(Clone, Debug)]
pub(super) struct Ruled {
    pub(super) rule: ActingRule,
    pub(super) roles: Vec<RoleId>,
}

impl Acting {
    /// How a guild lets its members act, as far as that needs no question: its own settings, with nothing switched on that the community's rule
    /// has off.
    pub(super) fn rule(&self, guild: GuildId) -> Result<ActingRule, ActionError> {
        let routing = self.0.deps.store.routing_now();
        let known = routing.guilds.get(&guild).filter(|known| known.community == self.0.deps.community).ok_or(ActionError::NotConnected)?;
        let own = known.acting.clone();
        Ok(match self.community_rule(guild) {
            None => own,
            Some((_, community)) => ActingRule { emergency: own.emergency && community.emergency, ..own },
        })
    }

    /// The community's rule and the guild it belongs to, seen from another guild; `None` = it is that guild's own.
    fn community_rule(&self, seen_from: GuildId) -> Option<(GuildId, ActingRule)> {
        let routing = self.0.deps.store.routing_now();
        let first = routing.access.first(&self.0.deps.community).map(|link| link.guild).filter(|first| *first != seen_from)?;
        Some((first, routing.guilds.get(&first).map(|known| known.acting.clone()).unwrap_or_default()))
    }

    /// The rule for somebody who does what needs `permission`; refused if they lack a role that it asks for.
    pub(super) async fn ruled(&self, actor: &Actor, permission: Permission) -> Result<Ruled, ActionError> {
        let own = self.rule(actor.guild)?;
        authorization::by_role_for(&own, &actor.roles, permission)?;
        let Some((first, community)) = self.community_rule(actor.guild) else {
            return Ok(Ruled { rule: own, roles: actor.roles.clone() });
        };
        let rule = ActingRule { buttons: own.buttons, emergency: own.emergency, ..community };
        let Some(role) = authorization::role_for(&rule, permission) else { return Ok(Ruled { rule, roles: Vec::new() }) };
        let roles = self.0.deps.roles.of(first, actor.user).await.map_err(|error| {
            tracing::warn!(%error, guild = %first, "somebody's roles in the Discord server that was linked first are not known");
            ActionError::RolesUnknown
        })?;
        authorization::by_role_for(&rule, &roles, permission).map_err(|_| Refusal::RoleElsewhere { role })?;
        Ok(Ruled { rule, roles })
    }
}
