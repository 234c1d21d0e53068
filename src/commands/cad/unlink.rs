//! `/cad unlink`: a Discord server no longer gets anything from the CAD. Asks first, and says what is deleted.
//!
//! The button's custom id holds the server, so that a press survives a restart; the presser must have Manage Server. The server that was
//! linked first may also remove another: otherwise, its routes would stay after its staff fell out with the community's.

use serenity::all::{ButtonStyle, ComponentInteraction, CreateActionRow, CreateButton, CreateInteractionResponse};

use crate::commands::context::{CommandContext, Context, guild_of};
use crate::commands::custom_id::CustomId;
use crate::commands::errors::Error;
use crate::commands::press_permission::manages;
use crate::commands::reply::{ReplyPage, YELLOW};
use crate::commands::wording::{and, counted};
use crate::commands::{access, reply};
use crate::guild_access::{Link, Standing};
use crate::ids::{GuildId, UserId};
use crate::render::text::{self, SafeText, safe};
use crate::store::Routing;
use crate::store::audit::{AuditEntry, AuditKind};

const BY_SETTING: &str = "DISCORD_GUILD_ID names this Discord server, so it can't be unlinked here. Ask whoever runs the bot to change or remove that setting, then run `/cad unlink` again.";
const GONE: &str = "That Discord server isn't linked any more, so nothing was changed.";
const NOT_FIRST: &str = "Only the Discord server that was linked first can unlink another one. Run `/cad unlink` there, or without `server_id` to unlink this one.";
/// That server entered the key, this one was linked automatically.
const PROVE_FIRST: &str = "That Discord server entered the community's API key, and this one hasn't, so nothing was changed. Run `/cad link` here first, then `/cad unlink` again.";

/// Unlink this Discord server: its alerts, boards and settings go, after a confirmation
#[poise::command(slash_command, guild_only)]
pub(super) async fn unlink(
    ctx: Context<'_>,
    #[description = "Another linked Discord server's ID, from /cad status; only from the server linked first"] server_id: Option<String>,
) -> Result<(), Error> {
    ctx.defer_response(true).await?;
    let (guild, context) = (guild_of(ctx)?, ctx.data());
    let target = match server_id.as_deref().map(str::trim) {
        None => guild,
        Some(id) => id.parse().map(GuildId).map_err(|_| {
            Error::refused(safe!("\"{}\" isn't a Discord server's ID. `/cad status` lists those that are linked.", text::line(id, 30)))
        })?,
    };
    let permissions = ctx.interaction.member.as_ref().and_then(|member| member.permissions);
    may(context, guild, target, manages(permissions))?;
    let routing = context.store.routing_now();
    let button = CreateButton::new(CustomId::Unlink(target).to_string()).label("Unlink").style(ButtonStyle::Danger);
    let mut page = ReplyPage::new("Unlink this Discord server?", said(&routing, guild, target, context.guilds.name(target)), YELLOW);
    if target != guild {
        page.title = "Unlink another Discord server?".into();
    }
    page.rows = vec![CreateActionRow::Buttons(vec![button])];
    reply::show(ctx, page).await
}

fn may(context: &CommandContext, guild: GuildId, target: GuildId, manages: bool) -> Result<(), Error> {
    let access = &context.store.routing_now().access;
    if !manages {
        return Err(Error::refused(super::link::MANAGE_ONLY));
    }
    if access.only() == Some(target) {
        return Err(Error::refused(BY_SETTING));
    }
    if access.standing(target) != Standing::Served {
        return Err(Error::refused(GONE));
    }
    if target != guild && !access.may_unlink(guild, target) {
        let unproven = access.is_proven(target) && !access.is_proven(guild);
        return Err(Error::refused(if unproven { PROVE_FIRST } else { NOT_FIRST }));
    }
    Ok(())
}

/// What is deleted, and what stays.
fn said(routing: &Routing, guild: GuildId, target: GuildId, name: Option<String>) -> SafeText {
    let count = |count: usize, one, many| (count > 0).then(|| counted(count, one, many));
    let known = routing.guilds.get(&target);
    let goes: Vec<SafeText> = [
        count(routing.routes.iter().filter(|route| route.guild == target).count(), "route", "routes"),
        count(routing.boards.iter().filter(|board| board.guild == target).count(), "board", "boards"),
        known.and_then(|known| known.notices).map(|channel| safe!("the notices channel <#{}>", channel)),
        known.map(|_| "all other settings of `/alerts` and `/cad`".into()),
        Some("alerts that wait to be sent".into()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let whose = if target == guild {
        "this Discord server".into()
    } else {
        name.map_or_else(|| safe!("Discord server `{}`", target), |name| safe!("**{}** (`{}`)", text::line(&name, 100), target))
    };
    let community = routing.access.community_of(target);
    let served = community.map(|community| routing.access.served_by(community)).unwrap_or_default();
    let first = community.and_then(|community| routing.access.first(community)).map(|link| link.guild);
    let heir = (first == Some(target)).then(|| heir(&served, target)).flatten();
    let heir =
        heir.map(|link| safe!("\n\nThe rule of `/cad actions` is then that of Discord server `{}`.", link.guild)).unwrap_or_default();
    safe!(
        "This removes from {}: {}. Messages that stand there stay as they are.\n\nNothing of the CAD is shown there then. Linking it again takes the community's API key (`/cad link`).{}",
        whose,
        and(&goes),
        heir
    )
}

/// Which server is first once the first is gone.
fn heir<'a>(served: &[&'a Link], target: GuildId) -> Option<&'a Link> {
    let mut others = served.iter().filter(|link| link.guild != target);
    others.clone().find(|link| link.left_at.is_none()).or_else(|| others.next()).copied()
}

/// The button was pressed.
pub(in crate::commands) async fn pressed(
    ctx: &serenity::all::Context,
    context: &CommandContext,
    component: &ComponentInteraction,
    who: (GuildId, UserId),
    target: GuildId,
) -> Result<(), Error> {
    let permissions = component.member.as_ref().and_then(|member| member.permissions);
    component.create_response(ctx, CreateInteractionResponse::Acknowledge).await?;
    match undone(context, who, target, manages(permissions)).await {
        Ok(page) => {
            component.edit_response(ctx, page.edit()).await?;
        }
        Err(error) => {
            let told = serenity::all::CreateInteractionResponseFollowup::new()
                .content(error.sentence("/cad unlink"))
                .ephemeral(true)
                .allowed_mentions(serenity::all::CreateAllowedMentions::new());
            component.create_followup(ctx, told).await?;
        }
    }
    Ok(())
}

async fn undone(context: &CommandContext, (guild, user): (GuildId, UserId), target: GuildId, manages: bool) -> Result<ReplyPage, Error> {
    may(context, guild, target, manages)?;
    let now = context.clock.now();
    let routing = context.store.routing_now();
    let Some(community) = routing.access.community_of(target).cloned() else { return Err(Error::refused(GONE)) };
    let first = routing.access.first(&community).map(|link| link.guild);
    let mut told: Vec<GuildId> = [Some(target), Some(guild), first].into_iter().flatten().collect();
    told.dedup();
    let entry = |at: GuildId| AuditEntry {
        guild: at,
        at: now,
        user,
        kind: AuditKind::Setting,
        action: "/cad unlink".to_owned(),
        target: format!("Discord server {target}"),
        detail: String::new(),
        outcome: "done".to_owned(),
    };
    if !context.store.unlink(target, now, told.into_iter().map(entry).collect()).await? {
        return Err(Error::refused(GONE));
    }
    tracing::info!(guild = %target, %user, "a Discord server was unlinked");
    access::report_link(context, &community, target, user, false).await;
    let text = "Nothing of the CAD is shown there any more. `/cad link` links it again, with the community's API key.";
    Ok(ReplyPage::new("✅ Unlinked", text, reply::GREEN))
}
