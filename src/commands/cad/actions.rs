//! `/cad actions`: who may act in the CAD from Discord, and with what.

use serenity::all as serenity;

use crate::authorization::ActionRule;
use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::errors::Error;
use crate::commands::options::Switch;
use crate::commands::reply;
use crate::commands::reply::{BLUE, GREEN, ReplyPage};
use crate::ids::{GuildId, RoleId};
use crate::render::text::{self, SafeText, safe};

/// Who may act in the CAD from Discord: a role, buttons on cards, /911
#[poise::command(slash_command, guild_only)]
pub(super) async fn actions(
    ctx: Context<'_>,
    #[description = "Only members with this role may act"] role: Option<serenity::Role>,
    #[description = "True: no role is needed"] any_role: Option<bool>,
    #[description = "Buttons under cards"] buttons: Option<Switch>,
    #[description = "/911: members place calls from Discord"] emergency: Option<Switch>,
    #[description = "Only members with this role may use /911"] emergency_role: Option<serenity::Role>,
    #[description = "True: no role is needed for /911"] any_emergency_role: Option<bool>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    if role.is_some() && any_role == Some(true) {
        return Err(Error::refused("`role:` and `any_role:True` contradict each other: give one of them."));
    }
    if emergency_role.is_some() && any_emergency_role == Some(true) {
        return Err(Error::refused("`emergency_role:` and `any_emergency_role:True` contradict each other: give one of them."));
    }
    let (role, emergency_role) = (role.map(|role| RoleId(role.id.get())), emergency_role.map(|role| RoleId(role.id.get())));
    if role.is_some_and(|role| role.0 == guild.0) {
        return Err(Error::refused("Everybody has @everyone: `any_role:True` says that no role is needed."));
    }
    if emergency_role.is_some_and(|role| role.0 == guild.0) {
        return Err(Error::refused("Everybody has @everyone: `any_emergency_role:True` says that no role is needed for `/911`."));
    }
    let before = context.store.routing_now().guilds.get(&guild).map(|guild| guild.action_rule.clone()).unwrap_or_default();
    let rule = ActionRule {
        role: if any_role == Some(true) { None } else { role.or(before.role) },
        buttons: buttons.map_or(before.buttons, |switch| switch.0),
        emergency: emergency.map_or(before.emergency, |switch| switch.0),
        emergency_role: if any_emergency_role == Some(true) { None } else { emergency_role.or(before.emergency_role) },
    };
    if rule == before {
        return reply::show(ctx, ReplyPage::new("Acting in the CAD from here", said(context, guild, &rule), BLUE)).await;
    }
    set(context, guild, &rule).await?;
    reply::show(ctx, ReplyPage::new("✅ Acting in the CAD from here", said(context, guild, &rule), GREEN)).await
}

/// This server's rule, after the community's if that is another server's.
fn said(context: &CommandContext, guild: GuildId, rule: &ActionRule) -> SafeText {
    let routing = context.store.routing_now();
    let community = routing.access.community_of(guild);
    let first = community.and_then(|community| routing.access.first(community)).map(|link| link.guild);
    let linked = community.map_or(0, |community| routing.access.served_by(community).len());
    match first.filter(|first| *first != guild) {
        Some(first) => {
            let rule_of_first = routing.guilds.get(&first).map(|known| known.action_rule.clone()).unwrap_or_default();
            safe!(
                "{}\n\nOn this Discord server, in addition:\n{}",
                elsewhere(first, context.guilds.name(first), &rule_of_first),
                sentences(rule)
            )
        }
        None if linked > 1 => {
            safe!("{}\n\nThis Discord server was linked first, so these limits count on all linked servers.", sentences(rule))
        }
        None => sentences(rule),
    }
}

/// The community's rule, seen from another server: its role has no name here.
fn elsewhere(first: GuildId, name: Option<String>, rule: &ActionRule) -> SafeText {
    let name = name.map_or_else(|| safe!("`{}`", first), |name| safe!("**{}** (`{}`)", text::line(&name, 100), first));
    let role = match rule.role {
        Some(role) => safe!("Only members with its role `{}` may act, wherever they press.", role),
        None => "It asks for no role.".into(),
    };
    let emergency = if rule.emergency { "" } else { " `/911` is off there, and so on every server." };
    safe!(
        "The community's rule is that of the Discord server {}, which was linked first. {}{} It can be made stricter here, not looser.",
        name,
        role,
        emergency
    )
}

async fn set(context: &CommandContext, guild: GuildId, rule: &ActionRule) -> Result<(), Error> {
    context.store.ensure_guild(guild, &context.community(guild)?.id).await?;
    Ok(context.store.set_action_rule(guild, rule.clone()).await?)
}

fn sentences(rule: &ActionRule) -> SafeText {
    let who = match rule.role {
        Some(role) => safe!("Only members with <@&{}> may act; `any_role:True` lets everybody. `/911` has a role of its own.", role),
        None => "No role is needed to act; `role:` asks for one.".into(),
    };
    let buttons = if rule.buttons {
        "Cards have buttons; `buttons:off` takes them away."
    } else {
        "Cards have no buttons; `buttons:on` gives them some."
    };
    let emergency = if rule.emergency {
        "`/911` is on: members place calls, one each in two minutes; `emergency:off` ends it."
    } else {
        "`/911` is off; `emergency:on` lets members place calls."
    };
    let callers = match rule.emergency_role {
        Some(role) => safe!("Only members with <@&{}> may use `/911`; `any_emergency_role:True` lets everybody.", role),
        None => "No role is needed for `/911`; `emergency_role:` asks for one.".into(),
    };
    safe!(
        "{}\n{}\n{}\n{}\n\nWhoever acts needs a linked, validated account in the CAD, and the CAD's own permission for what they do. Who sees `/call` and `/lookup` is set in Server Settings > Integrations.",
        who,
        buttons,
        emergency,
        callers
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_described_in_sentences() {
        let usual = sentences(&ActionRule::default());
        assert!(usual.starts_with("No role is needed") && usual.contains("`/911` is off") && usual.contains("Cards have buttons"));
        let other = sentences(&ActionRule { role: Some(RoleId(7)), buttons: false, emergency: true, emergency_role: Some(RoleId(8)) });
        assert!(usual.contains("No role is needed for `/911`") && other.contains("Only members with <@&8> may use `/911`"));
        assert!(other.contains("<@&7>") && other.contains("`/911` is on") && other.contains("Cards have no buttons"));
    }
}
