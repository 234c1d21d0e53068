//! `/cad link`: a Discord server proves that it may use the community's data, by its API key.
//!
//! Anybody may try from any server, so tries are few and counted before they are looked at, and nothing that was typed is kept: not in a log,
//! the audit, an answer or a custom id. Who runs it must have Manage Server there, whatever a server's Integrations say.

use serenity::all::{CreateModal, ModalInteraction};
use subtle::ConstantTimeEq as _;

use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::forms::{FormValues, Input};
use crate::commands::press_permission::manages;
use crate::commands::reply::private_answer;
use crate::commands::{access, forms};
use crate::guild_access::{How, Standing};
use crate::ids::{GuildId, UserId};
use crate::render::text::{SafeText, safe};
use crate::store::Linked;
use crate::store::audit::{AuditEntry, AuditKind};

const COMMUNITY: &str = "community";
const KEY: &str = "key";
/// Longest id and key that are taken.
const LONGEST: u16 = 200;

pub(super) const MANAGE_ONLY: &str =
    "Only someone with Manage Server on this Discord server can do this: ask them to run it, or ask for that permission.";

/// Link this Discord server to the CAD community, with the community's API key
#[poise::command(slash_command, guild_only)]
pub(super) async fn link(ctx: Context<'_>) -> Result<(), Error> {
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let permissions = ctx.interaction.member.as_ref().and_then(|member| member.permissions);
    if let Some(no) = hindrance(context, guild, manages(permissions)) {
        return Err(Error::refused(no));
    }
    context.tries.may(guild, UserId(ctx.interaction.user.id.get()), context.clock.now())?;
    let plain = Input { id: "", label: "", long: false, required: true, longest: LONGEST, placeholder: "", value: "" };
    let rows = [
        Input { id: COMMUNITY, label: "Community ID", placeholder: "mycommunity", ..plain },
        Input { id: KEY, label: "API key (Admin > In-Game Integration > API)", ..plain },
    ];
    let form = CreateModal::new(CustomId::Link.to_string(), "Link this Discord server").components(rows.iter().map(Input::row).collect());
    forms::open(ctx, form).await
}

/// Why this server cannot be linked by this person now.
fn hindrance(context: &CommandContext, guild: GuildId, manages: bool) -> Option<&'static str> {
    let access = &context.store.routing_now().access;
    match access.standing(guild) {
        Standing::OtherGuildOnly => Some(access::OTHER_GUILD),
        _ if !manages => Some(MANAGE_ONLY),
        // One that was linked by itself may prove the key: nobody who has not can unlink it then.
        Standing::Served if access.is_proven(guild) => Some(
            "This Discord server is already linked. `/cad status` shows since when, `/alerts add` posts alerts, and `/cad unlink` removes the link.",
        ),
        Standing::Served | Standing::NotLinked => None,
    }
}

/// The form was sent.
pub(in crate::commands) async fn sent(
    ctx: &serenity::all::Context,
    context: &CommandContext,
    modal: &ModalInteraction,
    guild: GuildId,
) -> Result<(), Error> {
    let permissions = modal.member.as_ref().and_then(|member| member.permissions);
    let who = (guild, UserId(modal.user.id.get()));
    let answer = match tried(context, who, manages(permissions), &FormValues::of(modal)).await {
        Ok(sentence) => sentence,
        Err(error) => error.sentence("/cad link"),
    };
    Ok(modal.create_response(ctx, private_answer(answer)).await?)
}

async fn tried(context: &CommandContext, (guild, user): (GuildId, UserId), manages: bool, typed: &FormValues) -> Result<SafeText, Error> {
    if let Some(no) = hindrance(context, guild, manages) {
        return Err(Error::refused(no));
    }
    let now = context.clock.now();
    // Counted before it is looked at: of tries that come at once none is free.
    let left = context.tries.take(guild, user, now)?;
    let communities = context.communities.all();
    if communities.iter().all(|community| community.cad.is_none()) {
        return Err(Error::refused("This bot has no API key to compare with: tell its operator to set SONORAN_API_KEY."));
    }
    let (id, key) = (typed.get(COMMUNITY).unwrap_or_default().trim().to_lowercase(), typed.get(KEY).unwrap_or_default());
    let mut found = None;
    for community in &communities {
        let same_id = id.as_bytes().ct_eq(community.id.as_str().as_bytes());
        // All are compared, both ids and keys, whatever came of those before.
        let same_key = community.cad.as_ref().is_some_and(|cad| cad.is_key(key));
        if bool::from(same_id & subtle::Choice::from(u8::from(same_key))) {
            found = Some(community);
        }
    }
    let Some(community) = found else {
        tracing::warn!(%guild, %user, left, "somebody tried to link a Discord server with a wrong community ID or API key");
        return Err(Error::refused(safe!(
            "That isn't the community ID and API key that this bot runs with, so nothing was linked. Copy both from Sonoran CAD (Admin > In-Game Integration > API), then run `/cad link` again. Tries left this hour: {}.",
            left
        )));
    };
    let access = &context.store.routing_now().access;
    let entry = |at: GuildId| AuditEntry {
        guild: at,
        at: now,
        user,
        kind: AuditKind::Setting,
        action: "/cad link".to_owned(),
        target: format!("Discord server {guild}"),
        detail: String::new(),
        outcome: "done".to_owned(),
    };
    let entries = std::iter::once(guild).chain(access.first(&community.id).map(|link| link.guild)).map(entry).collect();
    let linked = context.store.link(guild, &community.id, Some(user), How::Key, now, entries).await?;
    if linked == Linked::Now {
        tracing::info!(%guild, %user, "a Discord server was linked with the community's API key");
        access::report_link(context, &community.id, guild, user, true).await;
    }
    Ok("✅ This Discord server is linked. `/cad setup` leads through the first alerts, `/alerts add` adds them one by one.".into())
}
