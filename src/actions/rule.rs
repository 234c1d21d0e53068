//! Decides whose rule applies. It is the community's: that of the Discord server that was linked first, and its role is checked there,
//! wherever somebody acts from. Another linked server can require more with a rule of its own, never less, or anybody with a server of
//! their own could get around it.

use super::{ActionError, Actor, CadActions};
use crate::authorization::{self, ActionRule, Permission, Refusal};
use crate::ids::{GuildId, RoleId};

/// The rule that applies to somebody, and the roles they have in the rule's guild.
#[derive(Clone, Debug)]
pub(super) struct Ruled {
    pub(super) rule: ActionRule,
    pub(super) roles: Vec<RoleId>,
}

impl CadActions {
    /// How a guild lets its members act, as far as that needs no request: its own settings, without anything that the community's rule
    /// disables.
    pub(super) fn rule(&self, guild: GuildId) -> Result<ActionRule, ActionError> {
        let routing = self.0.deps.store.routing_now();
        let known = routing.guilds.get(&guild).filter(|known| known.community == self.0.deps.community).ok_or(ActionError::NotConnected)?;
        let own = known.action_rule.clone();
        Ok(match self.community_rule(guild) {
            None => own,
            Some((_, community)) => ActionRule { emergency: own.emergency && community.emergency, ..own },
        })
    }

    /// The community's rule and the guild it belongs to, seen from another guild; `None` = it is that guild's own.
    fn community_rule(&self, seen_from: GuildId) -> Option<(GuildId, ActionRule)> {
        let routing = self.0.deps.store.routing_now();
        let first = routing.access.first(&self.0.deps.community).map(|link| link.guild).filter(|first| *first != seen_from)?;
        Some((first, routing.guilds.get(&first).map(|known| known.action_rule.clone()).unwrap_or_default()))
    }

    /// The rule for an action that needs `permission`; refused if somebody lacks its role.
    pub(super) async fn ruled(&self, actor: &Actor, permission: Permission) -> Result<Ruled, ActionError> {
        let own = self.rule(actor.guild)?;
        authorization::by_role_for(&own, &actor.roles, permission)?;
        let Some((first, community)) = self.community_rule(actor.guild) else {
            return Ok(Ruled { rule: own, roles: actor.roles.clone() });
        };
        let rule = ActionRule { buttons: own.buttons, emergency: own.emergency, ..community };
        let Some(role) = authorization::role_for(&rule, permission) else { return Ok(Ruled { rule, roles: Vec::new() }) };
        let roles = self.0.deps.roles.of(first, actor.user).await.map_err(|error| {
            tracing::warn!(%error, guild = %first, "somebody's roles in the Discord server that was linked first are not known");
            ActionError::RolesUnknown
        })?;
        authorization::by_role_for(&rule, &roles, permission).map_err(|_| Refusal::RoleElsewhere { role })?;
        Ok(Ruled { rule, roles })
    }
}
